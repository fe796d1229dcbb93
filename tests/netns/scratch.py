"""A network namespace of the test's own: what runs inside has an empty kernel (unshare(2), setns(2))."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def scratch_namespace() -> Iterator[None]:
    """Move the calling thread, and what it starts, into a new network namespace; back again at the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _succeed(libc.unshare(CLONE_NEWNET))
        try:
            yield
        finally:
            _succeed(libc.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)


def _succeed(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
