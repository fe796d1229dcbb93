"""How many advertisements have left this node, by a counter that is put back when somebody has flushed it away."""

from __future__ import annotations

import subprocess
import time

from appliance.system.guard import kernel
from appliance.system.guard.release import say

RETRY = 5.0
"""Seconds from one attempt to put the counter back to the next."""


class AdvertCounter:
    """The counter of `kernel`; without it keepalived still runs, only a hang goes unnoticed."""

    def __init__(self) -> None:
        self._retry_at = 0.0

    def read(self) -> int | None:
        """Give the count; None where there is no counter (then it is put back) or the kernel does not tell."""
        try:
            count = kernel.advertisements()
        except OSError as error:
            say(f"cannot count advertisements: {error}")
            return None
        if count is None and time.monotonic() >= self._retry_at:
            self.install()
        return count

    def install(self) -> None:
        """Make the counter, from zero."""
        try:
            kernel.install_counter()
        except (OSError, subprocess.SubprocessError) as error:
            say(f"cannot count advertisements: {error}")
            self._retry_at = time.monotonic() + RETRY
