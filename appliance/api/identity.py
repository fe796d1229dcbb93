"""Who is at the other end of the socket, and what the groups let them do (unix(7), SO_PEERCRED)."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass

from appliance.config.store import Author
from appliance.schema.types import Role

ROLE_GROUPS = (
    (Role.CONFIGURE, "kawaii-configure"),
    (Role.OPERATE, "kawaii-operate"),
    (Role.VIEW, "kawaii-view"),
)
RANK = {Role.VIEW: 0, Role.OPERATE: 1, Role.CONFIGURE: 2}


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: name, numeric id, and the highest role a group gives; None where no group does."""

    user: str
    uid: int | None
    role: Role | None
    way: str = "api"
    address: str | None = None

    def may(self, role: Role) -> bool:
        """Tell whether the caller has at least `role`."""
        return self.role is not None and RANK[self.role] >= RANK[role]

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
