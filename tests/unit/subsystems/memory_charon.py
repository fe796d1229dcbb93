"""charon in memory, as strict with names as the real one: for tests of what drives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appliance.engine.errors import ApplyFailed, MissingTool


class MemoryCharon:
    """Remembers what was loaded; `refuses` is a name it does not load; `running` False: it does not answer."""

    def __init__(self) -> None:
        self.running = True
        self.refuses: str | None = None
        self.loaded: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[bytes, tuple[str, ...]]] = {}
        self.up: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[tuple[str, str]] = []
        self._number = 0

    def ready(self, within: float) -> bool:
        return self.running

    def connections(self) -> dict[str, dict[str, Any]]:
        self._answer()
        return {name: _report(tree) for name, tree in self.loaded.items()}

    def secrets(self) -> frozenset[str]:
        self._answer()
        return frozenset(self.keys)

    def load_connection(self, name: str, tree: Mapping[str, Any]) -> None:
        self._answer("load_connection", name)
        for text in (name, tree["local"]["id"], tree["remote"]["id"]):
            if not text.isascii() or not text.isprintable() or len(text) > 255:
                raise ApplyFailed(f"charon refuses connection {name}: parsing request failed")
        if name == self.refuses:
            raise ApplyFailed(f"charon refuses connection {name}: invalid value for: proposals, config discarded")
        self.loaded[name] = dict(tree)

    def unload_connection(self, name: str) -> None:
        self._answer("unload_connection", name)
        self.loaded.pop(name, None)

    def load_secret(self, identifier: str, secret: bytes, owners: Sequence[str]) -> None:
        self._answer("load_secret", identifier)
        self.keys[identifier] = (secret, tuple(owners))

    def unload_secret(self, identifier: str) -> None:
        self._answer("unload_secret", identifier)
        self.keys.pop(identifier, None)

    def associations(self) -> list[tuple[str, dict[str, Any]]]:
        self._answer()
        return list(self.up)

    def initiate(self, name: str) -> None:
        self._answer("initiate", name)
        if name not in self.loaded:
            raise ApplyFailed(f"charon: CHILD_SA config '{name}' not found")
        self.establish(name)

    def establish(self, name: str) -> dict[str, Any]:
        """Put up an association."""
        self._number += 1
        child = {"state": "INSTALLED", "spi-in": f"c{self._number:07x}", "bytes-in": "0", "use-in": "1"}
        association = {
            "uniqueid": str(self._number),
            "state": "ESTABLISHED",
            "child-sas": {f"{name}-1": child},
        }
        self.up.append((name, association))
        return association

    def terminate(self, name: str, uniqueid: str | None = None) -> None:
        self._answer("terminate", name)
        self.up = [
            (owner, item) for owner, item in self.up if owner != name or uniqueid not in {None, item["uniqueid"]}
        ]

    def install(self, name: str) -> None:
        self._answer("install", name)

    def uninstall(self, name: str) -> None:
        self._answer("uninstall", name)

    def follow(self, tell: Callable[[str | None, str], None], stopped: Callable[[], bool]) -> None:
        raise MissingTool("charon does not answer")

    def snapshot(self) -> tuple[Any, ...]:
        """Everything that a commit may change or must not."""
        return dict(self.loaded), dict(self.keys), [(name, item["uniqueid"]) for name, item in self.up]

    def _answer(self, call: str | None = None, name: str = "") -> None:
        if not self.running:
            raise MissingTool("charon does not answer")
        if call is not None:
            self.calls.append((call, name))


def _report(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "local_addrs": tree["local_addrs"],
        "remote_addrs": tree["remote_addrs"],
        "version": "IKEv2",
        "dpd_delay": tree["dpd_delay"].removesuffix("s"),
        "local-1": {"id": tree["local"]["id"], "class": "pre-shared key"},
        "remote-1": {"id": tree["remote"]["id"], "class": "pre-shared key"},
        "children": {
            name: {"mode": "TUNNEL", "local-ts": child["local_ts"], "remote-ts": child["remote_ts"]}
            for name, child in tree["children"].items()
        },
    }
