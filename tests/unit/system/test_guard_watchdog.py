"""When keepalived counts as frozen, and when not: on a busy machine, as a backup, as a fresh master."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from appliance.system.guard.watchdog import Watchdog, process_state

ADVERT_INT = 0.3
PATIENCE = 3 * ADVERT_INT


class Node:
    """A clock, a counter and addresses for a watchdog to look at."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: int | None = 0
        self.held = True
        self.watchdog = Watchdog(ADVERT_INT, lambda: self.sent, lambda: self.held)

    def run(self, seconds: float, *, advertising: bool = False, step: float | None = None) -> str | None:
        """Let time pass, look at the pace of the guard, and give the first complaint."""
        end = self.now + seconds
        while self.now < end:
            self.now += step if step is not None else self.watchdog.interval
            if advertising and self.sent is not None:
                self.sent += 1
            complaint = self.watchdog.look(self.now, ())
            if complaint is not None:
                return complaint
        return None


def test_a_master_that_advertises_is_alive() -> None:
    assert Node().run(60, advertising=True) is None


def test_a_silent_holder_is_frozen_after_three_intervals() -> None:
    node = Node()
    node.run(5, advertising=True)
    silent_since = node.now
    assert node.run(10) is not None
    assert PATIENCE <= node.now - silent_since <= PATIENCE + 2 * node.watchdog.interval


def test_a_backup_is_silent_for_ever_and_alive() -> None:
    node = Node()
    node.held = False
    assert node.run(600) is None


@pytest.mark.parametrize("silence", [0.1, 0.5, 0.9, 1.0, 5.0])
def test_a_backup_that_becomes_master_is_given_its_time(silence: float) -> None:
    node = Node()
    node.held = False
    node.run(silence)
    node.held = True
    assert node.run(20, advertising=True) is None


def test_a_master_between_two_readings_is_alive() -> None:
    """The first advertisement leaves after the counter was read and before the addresses are."""
    counts = iter([5] * 40)
    node = Node()
    became = False

    def sent() -> int:
        return 6 if became else next(counts)

    def held() -> bool:
        nonlocal became
        became = True
        return True

    node.watchdog = Watchdog(ADVERT_INT, sent, held)
    assert node.run(PATIENCE + 2 * node.watchdog.interval) is None
    assert became


def test_a_guard_that_was_kept_waiting_blames_nobody() -> None:
    node = Node()
    node.run(5, advertising=True)
    assert node.run(3, step=30.0) is None
    assert node.run(PATIENCE / 2) is None
    assert node.run(10) is not None


def test_without_a_counter_nothing_is_concluded() -> None:
    node = Node()
    node.sent = None
    assert node.run(60) is None


def test_a_counter_put_back_starts_anew() -> None:
    node = Node()
    node.run(5, advertising=True)
    node.sent = 0
    assert node.run(PATIENCE) is None


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process.pid
    process.kill()
    process.wait()


def wait_for_state(pid: int, states: str) -> None:
    deadline = time.monotonic() + 10
    while process_state(pid) not in tuple(states):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stopped_process_is_frozen_at_the_second_look(sleeper: int) -> None:
    node = Node()
    os.kill(sleeper, signal.SIGSTOP)
    wait_for_state(sleeper, "T")
    assert node.watchdog.look(node.now, (sleeper,)) is None
    assert node.watchdog.look(node.now + node.watchdog.interval, (sleeper,)) is not None


def test_a_process_that_goes_on_is_alive(sleeper: int) -> None:
    node = Node()
    os.kill(sleeper, signal.SIGSTOP)
    wait_for_state(sleeper, "T")
    assert node.watchdog.look(node.now, (sleeper,)) is None
    os.kill(sleeper, signal.SIGCONT)
    wait_for_state(sleeper, "RS")
    for look in range(1, 4):
        assert node.watchdog.look(node.now + look * node.watchdog.interval, (sleeper,)) is None


def test_a_process_that_is_gone_has_no_state() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert process_state(process.pid) == ""
