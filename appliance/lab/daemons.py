"""What the supervisor must know of a daemon: the lab's unit files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Restart(StrEnum):
    """When a daemon that ended is started again (systemd.service(5), Restart=)."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"


@dataclass(frozen=True, slots=True)
class DaemonSpec:
    """A daemon of a node; times are seconds, `argv` runs inside `netns`."""

    node: str
    daemon: str
    netns: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    restart: Restart = Restart.ON_FAILURE
    restart_delay: float = 1.0
    boot: bool = True
    """Started with the lab, or (False) when somebody asks."""
    notify: bool = False
    """Ready when it says so by sd_notify(3), not when it has been started."""
    condition: str | None = None
    """A file without which the daemon is not started."""
    before: tuple[str, ...] = ()
    """Run before each start (ExecStartPre=)."""
    after: tuple[str, ...] = ()
    """Run after each end, however it came (ExecStopPost=)."""


def load_specs(path: Path) -> list[DaemonSpec]:
    """Read what `save_specs` wrote."""
    return [_spec(item) for item in json.loads(path.read_text())]


def save_specs(path: Path, specs: Iterable[DaemonSpec]) -> None:
    """Write specs as JSON."""
    path.write_text(json.dumps([asdict(spec) for spec in specs], indent=1))


def _spec(item: dict[str, Any]) -> DaemonSpec:
    typed = {name: tuple(item[name]) for name in ("argv", "before", "after")}
    return DaemonSpec(**{**item, **typed, "restart": Restart(item["restart"])})


@dataclass(frozen=True, slots=True)
class GatewayPaths:
    """Where a gateway's daemons keep their files below its root."""

    root: Path

    @property
    def api(self) -> Path:
        """The API's unix socket."""
        return self.root / "run/kawaii/api.sock"

    @property
    def seed(self) -> Path:
        """The NoCloud seed directory."""
        return self.root / "var/lib/cloud/seed/nocloud"

    @property
    def vici(self) -> Path:
        """charon's VICI socket."""
        return self.root / "run/charon.vici"

    @property
    def strongswan(self) -> Path:
        """charon's own settings."""
        return self.root / "etc/strongswan.conf"

    @property
    def conntrackd(self) -> Path:
        """conntrackd's configuration, written by kawaiid."""
        return self.root / "run/kawaii/conntrackd.conf"


def gateway_daemons(node: str, netns: str, root: Path, programs: Path, supervisor: Path) -> list[DaemonSpec]:
    """Give a gateway's daemons as the appliance's units have them; `programs` is where kawaiid is installed."""
    paths = GatewayPaths(root)
    here = {"KAWAII_SUPERVISOR": str(supervisor), "KAWAII_NODE": node}
    guard = (str(programs / "kawaii-guard"), "--root", str(root))
    return [
        DaemonSpec(
            node,
            "kawaiid",
            netns,
            (str(programs / "kawaiid"), "--root", str(root)),
            environment=here,
            restart=Restart.ALWAYS,
            notify=True,
        ),
        DaemonSpec(
            node,
            "guard",
            netns,
            guard,
            environment=here,
            restart=Restart.ALWAYS,
            restart_delay=0.2,
            after=(*guard, "--release"),
        ),
        DaemonSpec(
            node,
            "charon",
            netns,
            ("charon-systemd",),
            environment={"STRONGSWAN_CONF": str(paths.strongswan)},
            notify=True,
        ),
        DaemonSpec(
            node,
            "conntrackd",
            netns,
            ("conntrackd", "-C", str(paths.conntrackd)),
            boot=False,
            notify=True,
            condition=str(paths.conntrackd),
        ),
    ]
