"""charon by its VICI socket: the `Vici` port (strongSwan's README.vici)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import vici
from vici.exception import CommandException, SessionException

from appliance.engine.errors import ApplyFailed, MissingTool

TIMEOUT = 5.0
"""Seconds that charon gets to answer one command."""
LISTEN = 0.5
POLL = 0.02
HINT = "see the log of strongswan.service"
EVENTS = ("log", "ike-updown", "child-updown")
AT_ONCE = "-1"
"""A command's time-out, in milliseconds: do not wait for what it starts."""


class Charon:
    """Speaks to charon, by a connection of its own for each command: a restart of charon needs no care."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ready(self, within: float) -> bool:
        """Tell whether charon answers, at the latest after so many seconds."""
        deadline = time.monotonic() + within
        while True:
            try:
                self._request("version")
            except MissingTool:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(POLL)
            else:
                return True

    # -- reading -------------------------------------------------------------------------------------------------

    def connections(self) -> dict[str, dict[str, Any]]:
        """Give the loaded connections by name, as list-conns reports them."""
        found: dict[str, dict[str, Any]] = {}
        with self._session() as session:
            for message in session.list_conns():
                found.update(_texts(message))
        return found

    def secrets(self) -> frozenset[str]:
        """Give the ids of the loaded secrets."""
        return frozenset(_texts(self._request("get-shared"))["keys"])

    def associations(self) -> list[tuple[str, dict[str, Any]]]:
        """Give the IKE associations with their connection's name, oldest first."""
        with self._session() as session:
            found = [item for message in session.list_sas() for item in _texts(message).items()]
        return sorted(found, key=lambda item: int(item[1]["uniqueid"]))

    # -- connections and secrets ---------------------------------------------------------------------------------

    def load_connection(self, name: str, tree: Mapping[str, Any]) -> None:
        """Load a connection, or replace one; its associations stay."""
        self._request("load-conn", {name: tree}, f"connection {name}")

    def unload_connection(self, name: str) -> None:
        """Unload a connection; a missing one is fine, its associations stay."""
        if name in self.connections():
            self._request("unload-conn", {"name": name}, f"unload connection {name}")

    def load_secret(self, identifier: str, secret: bytes, owners: Sequence[str]) -> None:
        """Load a shared secret of these identities, or replace the one of this id."""
        message = {"id": identifier, "type": "IKE", "data": secret, "owners": list(owners)}
        self._request("load-shared", message, f"secret of {' and '.join(owners)}")

    def unload_secret(self, identifier: str) -> None:
        """Forget a secret; a missing one is fine."""
        if identifier in self.secrets():
            self._request("unload-shared", {"id": identifier}, "forget a secret")

    # -- associations --------------------------------------------------------------------------------------------

    def initiate(self, name: str) -> None:
        """Start a connection's child association; returns at once."""
        self._stream("initiate", {"ike": name, "child": name, "timeout": AT_ONCE, "init-limits": "no"})

    def terminate(self, name: str, uniqueid: str | None = None) -> None:
        """Destroy a connection's associations, or one of them, without waiting for the peer; none is fine."""
        for owner, association in self.associations():
            number = str(association["uniqueid"])
            if owner == name and uniqueid in {None, number}:
                # It may have gone by itself since it was listed.
                with contextlib.suppress(ApplyFailed):
                    self._stream("terminate", {"ike-id": number, "force": "yes", "timeout": AT_ONCE})

    def install(self, name: str) -> None:
        """Have packets for the far side start the connection."""
        self._request("install", {"ike": name, "child": name}, f"trap of connection {name}")

    def uninstall(self, name: str) -> None:
        """Take that back; where it is not so is fine."""
        with contextlib.suppress(ApplyFailed):
            self._request("uninstall", {"ike": name, "child": name})

    def follow(self, tell: Callable[[str | None, str], None], stopped: Callable[[], bool]) -> None:
        """Tell what charon says of connections until stopped; an empty text: an association came or went."""
        with self._session() as session:
            for kind, message in session.listen(EVENTS, LISTEN):
                if kind is None:
                    if stopped():
                        return
                elif kind in {b"log", "log"}:
                    event = _texts(message)
                    tell(event.get("ikesa-name"), event.get("msg", ""))
                else:
                    names = [name for name, value in message.items() if isinstance(value, dict)]
                    tell(names[0] if names else None, "")

    # -- the socket ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _session(self, doing: str = "") -> Iterator[vici.Session]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            try:
                connection.connect(str(self._path))
                yield vici.Session(connection)
            except CommandException as error:
                reason = str(error).removeprefix("Command failed: ")
                raise ApplyFailed(f"charon refuses {doing}: {reason}" if doing else f"charon: {reason}") from error
            except (OSError, SessionException) as error:
                raise MissingTool(f"charon does not answer: {error}", HINT) from error

    def _request(self, command: str, message: Mapping[str, Any] | None = None, doing: str = "") -> Any:
        with self._session(doing) as session:
            return session.request(command, message)

    def _stream(self, command: str, message: Mapping[str, Any]) -> None:
        with self._session(command) as session:
            for _event in session.streamed_request(command, "control-log", message):
                pass


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return {name: _texts(item) for name, item in value.items()}
