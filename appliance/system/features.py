"""What the kernel can do, by trying it in the daemon's own namespace (ip-xfrm(8), ip-link(8))."""

from __future__ import annotations

import subprocess

SELECTOR = ("src", "127.0.0.1", "dst", "127.0.0.1", "proto", "esp", "spi", "0x1")
KEYS = ("mode", "tunnel", "auth", "hmac(sha256)", "0x" + "00" * 32, "enc", "cbc(aes)", "0x" + "00" * 32)
PROBE = "xfrm-probe"


def kernel_features() -> frozenset[str]:
    """Find "esp" and "xfrm-interface"; tunnels need both to be the kernel's business.

    A policy is accepted even by a kernel without ESP, so a state is tried, and taken back.
    """
    if not _try(("xfrm", "state", "add", *SELECTOR, *KEYS), ("xfrm", "state", "delete", *SELECTOR)):
        return frozenset()
    if not _try(("link", "add", PROBE, "type", "xfrm", "if_id", "0xffffffff"), ("link", "delete", PROBE)):
        return frozenset({"esp"})
    return frozenset({"esp", "xfrm-interface"})


def _try(make: tuple[str, ...], take_back: tuple[str, ...]) -> bool:
    made = _ip(make)
    if made:
        _ip(take_back)
    return made


def _ip(words: tuple[str, ...]) -> bool:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
