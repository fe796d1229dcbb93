"""Where a node keeps its files, below one root."""

from __future__ import annotations

from pathlib import Path


class Paths:
    """The directories and files of a node; `root` is ``/`` on the appliance, a directory in the lab."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.etc = self.root / "etc/kawaii"
        self.state = self.root / "var/lib/kawaii"
        self.run = self.root / "run/kawaii"
        self.api_socket = self.run / "api.sock"
        self.vrrp = self.run / "vrrp"
        self.keepalived_conf = self.run / "keepalived.conf"
        self.notify_fifo = self.vrrp / "notify.fifo"
        self.conntrackd_conf = self.run / "conntrackd.conf"
        self.vici_socket = self.root / "run/charon.vici"

    @property
    def seed_directories(self) -> tuple[str, ...]:
        """Where a datasource's files may be, first found first used."""
        return str(self.run / "seed"), str(self.root / "var/lib/cloud/seed/nocloud")
