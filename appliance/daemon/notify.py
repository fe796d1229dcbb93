"""What the service manager and the login screen are told: sd_notify(3) and an issue(5) banner."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send a state to the service manager, as sd_notify(3); without ``NOTIFY_SOCKET`` nothing happens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + path[1:] if path.startswith("@") else path)
        sender.sendall(state.encode())


def banner(version: str, name: str, zone: str | None, problems: tuple[str, ...]) -> str:
    """Make the text shown before a login: the node's name, and in plain words what is wrong."""
    lines = [f"Kawaii {version}   {name}" + (f"   zone {zone}" if zone else ""), ""]
    if problems:
        lines.append("This gateway is CLOSED or degraded:")
        lines.extend(f"  {problem}" for problem in problems)
        lines.append("")
    # agetty(8) expands backslashes
    return "\n".join(lines).replace("\\", "\\\\") + "\n"
