"""A root shell inside a guest for tests, without a change to the image and without the guest's network.

systemd takes credentials from SMBIOS (systemd.system-credentials(7)), among them extra units: one that runs a shell on
the second serial console. Only who starts the machine can give it one.
"""

import base64
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

_UNIT = """[Unit]
Description=Root shell of the lab
DefaultDependencies=no
After=local-fs.target
[Service]
Environment=TERM=dumb SYSTEMD_COLORS=0 SYSTEMD_PAGER= LC_ALL=C.UTF-8
ExecStart=/bin/bash --noprofile --norc --noediting
StandardInput=tty
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
TTYReset=yes
Restart=always
"""


def probe_credentials() -> tuple[str, ...]:
    """Spell the SMBIOS strings that add the shell's unit to a guest's boot."""
    parts = {
        "systemd.extra-unit.kawaii-probe.service": _UNIT,
        "systemd.unit-dropin.sysinit.target": "[Unit]\nWants=kawaii-probe.service\n",
    }
    return tuple(
        f"io.systemd.credential.binary:{name}={base64.b64encode(text.encode()).decode()}"
        for name, text in parts.items()
    )


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a command in the guest came to: its exit status and all it printed."""

    status: int
    output: str


class Probe:
    """A connection to the root shell of a guest, for one user at a time."""

    def __init__(self, path: Path, timeout: float = 120.0) -> None:
        """Connect and wait until the shell answers.

        Raises: TimeoutError when it does not within `timeout` seconds; OSError when there is no such socket.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        deadline = time.monotonic() + timeout
        # What is sent before the shell has opened its terminal is lost, in part or whole: ask until there is an answer.
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no shell behind {path} within {timeout:.0f} s")
        self.run("stty -F /dev/ttyS1 -echo -onlcr; PS1= PS2=")

    def _answers(self) -> bool:
        try:
            return self.run("true", 2).status == 0
        except TimeoutError:
            return False

    def run(self, command: str, timeout: float = 60.0) -> ProbeResult:
        """Run one line of shell as root, of 4,000 bytes at most, and wait for its end.

        Raises: TimeoutError after `timeout` seconds.
        """
        mark = uuid.uuid4().hex
        # The mark is spelt in two halves, so that the terminal's echo of the first line is not taken for the answer.
        line = f"{{ {command}; }} 2>&1 </dev/null; printf '\\n%s%s %d\\n' {mark[:16]} {mark[16:]} $?\n"
        if len(line) > 4000:
            raise ValueError("a terminal takes lines of 4,095 bytes at most")
        self._socket.settimeout(timeout)
        self._socket.sendall(line.encode())
        received = b""
        while f"\n{mark} ".encode() not in received or not received.endswith(b"\n"):
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionError("the guest ended")
            received += chunk
        output, _, status = received.decode(errors="replace").rpartition(f"\n{mark} ")
        return ProbeResult(int(status), output.strip("\r\n"))

    def close(self) -> None:
        """Leave the shell to the next user."""
        self._socket.close()
