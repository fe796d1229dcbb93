"""Where a lab's files are, and how a lab that somebody else started is found again."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.lab.supervisor import SOCKET, SPECS
from appliance.lab.topology import LabError

DEFAULT_BASE = Path("/run/kawaii-lab")
LAB_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
LONGEST_SOCKET = 107
"""sun_path of unix(7), less its final NUL."""


@dataclass(frozen=True, slots=True)
class State:
    """A lab's directory, kept short: unix sockets lie in it."""

    lab: str
    directory: Path

    @classmethod
    def of(cls, lab: str, base: Path | None = None) -> State:
        """Give the place of a lab's files; raises `LabError` for a name or a place that cannot be used."""
        if not LAB_NAME.fullmatch(lab):
            raise LabError(f"not a lab's name: {lab!r} (expected up to 24 of a-z, 0-9 and -)")
        state = cls(lab, (base or Path(os.environ.get("KAWAII_LAB_STATE", DEFAULT_BASE))) / lab)
        if len(str(state.root("public-host") / "run/kawaii/keepalived.sock")) > LONGEST_SOCKET:
            raise LabError(f"{state.directory} is too long a path for unix sockets")
        return state

    def create(self) -> None:
        """Make the directory; raises `LabError` when the lab has one."""
        try:
            self.directory.mkdir(parents=True)
        except FileExistsError:
            raise LabError(f"lab {self.lab} is there already (kawaii lab down --name {self.lab})") from None
        for name in ("log", "pids", "notify"):
            (self.directory / name).mkdir()

    def remove(self) -> None:
        """Remove the directory with all that is in it."""
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def exists(self) -> bool:
        """Whether the lab has files."""
        return self.directory.is_dir()

    @property
    def socket(self) -> Path:
        """The supervisor's control socket."""
        return self.directory / SOCKET

    @property
    def specs(self) -> Path:
        """What the supervisor runs."""
        return self.directory / SPECS

    @property
    def supervisor_pid(self) -> Path:
        """Who the supervisor is: its process id and start time."""
        return self.directory / "supervisor.pid"

    def root(self, node: str) -> Path:
        """Give a node's root directory."""
        return self.directory / node

    def log(self, node: str, daemon: str) -> Path:
        """Give the file a daemon's output goes to."""
        return self.directory / "log" / f"{node}.{daemon}.log"

    def save(self, description: dict[str, Any]) -> None:
        """Keep how the lab was made."""
        (self.directory / "lab.json").write_text(json.dumps(description, indent=1))

    def load(self) -> dict[str, Any]:
        """Read how the lab was made; raises `LabError` when there is no such lab."""
        try:
            description: dict[str, Any] = json.loads((self.directory / "lab.json").read_text())
        except (OSError, ValueError) as error:
            raise LabError(f"no lab named {self.lab} is up") from error
        return description
