"""Who asks: on the unix socket by the peer's credentials (unix(7), SO_PEERCRED), over the network by a bearer token."""

from __future__ import annotations

import grp
import hmac
import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from appliance.config.store import Author
from appliance.schema.services import ApiToken
from appliance.schema.types import Role

Identify = Callable[[Request], "Identity"]
"""Tells who sent a request; raises `Unauthenticated`."""


class Unauthenticated(Exception):
    """The request carries no token, or one that nobody was given."""


ROLE_GROUPS = (
    (Role.CONFIGURE, "kawaii-configure"),
    (Role.OPERATE, "kawaii-operate"),
    (Role.VIEW, "kawaii-view"),
)
RANK = {Role.VIEW: 0, Role.OPERATE: 1, Role.CONFIGURE: 2}


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: name, numeric id (None: the bearer of a token), and the highest role they have, if any."""

    user: str
    uid: int | None
    role: Role | None
    way: str = "api"
    address: str | None = None

    def may(self, role: Role) -> bool:
        """Tell whether the caller has at least `role`."""
        return self.role is not None and RANK[self.role] >= RANK[role]

    @property
    def owner(self) -> tuple[str, int | None]:
        """What tells this caller's candidates from other callers'."""
        return self.user, self.uid

    def author(self) -> Author:
        """Give the caller as the author of a change."""
        return Author(self.user, self.uid, str(self.role), self.address, self.way)


def peer_uid(connection: socket.socket) -> int:
    """Read the peer's user id from a connected unix socket."""
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def identify(uid: int) -> Identity:
    """Look a user id up: root configures, everybody else has the role of their groups."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Identity(str(uid), uid, Role.CONFIGURE if uid == 0 else None)
    if uid == 0:
        return Identity(entry.pw_name, uid, Role.CONFIGURE)
    groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    for role, name in ROLE_GROUPS:
        try:
            if grp.getgrnam(name).gr_gid in groups:
                return Identity(entry.pw_name, uid, role)
        except KeyError:
            continue
    return Identity(entry.pw_name, uid, None)


def by_peer(request: Request) -> Identity:
    """Give the identity behind a request on the unix socket; a console says so in ``X-Kawaii-Way``."""
    client = request.client
    if client is None or client.host != "uid":
        return Identity("unknown", None, None)
    found = identify(client.port)
    way = request.headers.get("x-kawaii-way", "api")
    return Identity(found.user, found.uid, found.role, way if way in {"console", "cli"} else "api")


def by_token(tokens: Callable[[], Mapping[str, ApiToken]]) -> Identify:
    """Identify by ``Authorization: Bearer`` (RFC 6750) among the tokens there are when the request comes."""

    def identify_bearer(request: Request) -> Identity:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("a bearer token is needed")
        presented = given.strip().encode("latin-1")
        found: Identity | None = None
        address = request.client.host if request.client else None
        for name, token in tokens().items():
            # All are compared, each in constant time: how long it takes tells nothing of any of them.
            if hmac.compare_digest(token.token.reveal().encode(), presented):
                found = Identity(name, None, token.role, address=address)
        if found is None:
            raise Unauthenticated("the token is not valid")
        return found

    return identify_bearer
