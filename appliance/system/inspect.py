"""What the kernel has, read for people by iproute2's and conntrack's own output (ip(8), conntrack(8))."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

TIMEOUT = 10.0
Scalar = str | int | float | bool | None


class IpInspect:
    """Reads links, routes, neighbours and flows of the network namespace the daemon runs in."""

    def links(self) -> list[dict[str, Any]]:
        """Give interfaces with addresses and counters, as ``ip -json -stats address`` does."""
        return _ip("-stats", "address", "show")

    def routes(self, family: int, table: str = "all") -> list[dict[str, Any]]:
        """Give routes of one family (4 or 6), without the kernel's local and broadcast ones."""
        found = _ip(f"-{family}", "route", "show", "table", table)
        return [route for route in found if route.get("table") != "local" and route.get("type") != "multicast"]

    def neighbours(self) -> list[dict[str, Any]]:
        """Give the neighbour table of both families."""
        return _ip("neighbour", "show")

    def flow_count(self) -> tuple[int, int]:
        """Give the number of tracked flows and the most there may be."""
        return _number("nf_conntrack_count"), _number("nf_conntrack_max")

    def flows(self, limit: int) -> list[dict[str, Scalar]]:
        """Give at most `limit` tracked flows with both directions' addresses and ports."""
        result = _run(["conntrack", "-L", "-o", "extended"])
        return [_parse_flow(line) for line in result.splitlines()[:limit]]

    def flush_flows(self) -> int:
        """Forget all tracked flows; gives how many there were."""
        count, _most = self.flow_count()
        _run(["conntrack", "-F"])
        return count


def _number(name: str) -> int:
    try:
        return int(Path("/proc/sys/net/netfilter", name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _parse_flow(line: str) -> dict[str, Scalar]:
    words = line.split()
    found = re.findall(r"\b(src|dst|sport|dport)=(\S+)", line)
    half = [dict(found[: len(found) // 2]), dict(found[len(found) // 2 :])]
    mark = re.search(r"\bmark=(\d+)", line)
    state = next((word for word in words if word.isupper() and word.isalpha()), None)
    return {
        "protocol": words[2] if len(words) > 2 else None,
        "source": _end(half[0], "src", "sport"),
        "destination": _end(half[0], "dst", "dport"),
        "reply_source": _end(half[1], "src", "sport"),
        "reply_destination": _end(half[1], "dst", "dport"),
        "state": state,
        "zone": int(mark[1]) if mark else None,
    }


def _end(half: dict[str, str], address: str, port: str) -> str | None:
    if address not in half:
        return None
    return f"{half[address]}:{half[port]}" if port in half else half[address]


def _ip(*words: str) -> list[dict[str, Any]]:
    text = _run(["ip", "-json", "-details", *words])
    found = json.loads(text) if text.strip() else []
    return [entry for entry in found if entry]


def _run(argv: list[str]) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if result.returncode != 0:
        raise OSError(f"{argv[0]}: {result.stderr.strip() or result.returncode}")
    return result.stdout
