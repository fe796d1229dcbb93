"""The guard's loop: start keepalived, have it read anew, see it die or freeze, release its addresses, start again."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from dataclasses import replace

from appliance.system.guard import kernel
from appliance.system.guard.child import keepalived_argv, refusal, spawn
from appliance.system.guard.counter import AdvertCounter
from appliance.system.guard.facts import Facts, digest_of, read_facts
from appliance.system.guard.probe import Prober
from appliance.system.guard.release import facts_of, kill_left_over, release, release_left_over, say
from appliance.system.guard.status import GuardFiles, Status, read_file, replace_file
from appliance.system.guard.watchdog import Watchdog
from appliance.system.paths import Paths

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
IDLE = 1.0
"""Seconds between looks for a configuration when there is none."""
STARTING = 0.02
START_TIMEOUT = 5.0
STOP_TIMEOUT = 3.0
LIVED = 10.0
"""Seconds after which a start counts as a success: the next death is followed by a start at once."""
SETTLED = 2.0
"""Seconds after which keepalived has done with what a new configuration no longer has."""
DELAYS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds to wait before the first, second, … start in a row."""


class Guard:
    """keepalived's parent; one thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._files = GuardFiles(paths)
        self._status = Status(os.getpid())
        self._child: subprocess.Popen[bytes] | None = None
        self._facts = Facts()
        self._counter = AdvertCounter()
        self._watchdog: Watchdog | None = None
        self._prober: Prober | None = None
        self._started = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._settled_at: float | None = None
        self._wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: None)

    def run(self) -> int:
        """Guard until SIGTERM."""
        self._files.prepare()
        release_left_over(self._paths, "left by an earlier guard")
        self._report()
        self._adopt()
        while True:
            got = self._wait()
            if got & {signal.SIGTERM, signal.SIGINT}:
                break
            if signal.SIGHUP in got:
                self._adopt()
                self._report(looks=self._status.looks + 1)
            elif self._child is None and self._status.state != "refused":
                self._adopt()
            self._look()
        self._stop("told to stop")
        return 0

    def _wait(self) -> set[int]:
        """Sleep until a signal or the next look is due; gives the signals that came."""
        now = time.monotonic()
        waits = [IDLE]
        if self._status.state == "starting":
            waits.append(STARTING)
        if self._watchdog is not None:
            waits.append(self._watchdog.interval)
        if self._prober is not None:
            waits.append(self._prober.due - now)
        if self._child is None and self._retry_at > now:
            waits.append(self._retry_at - now)
        ready, _, _ = select.select([self._wake], [], [], max(0.0, min(waits)))
        return set(os.read(self._wake, 4096)) if ready else set()

    # -- configuration -------------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        """Make keepalived run the wanted file, if it is another one and a good one."""
        text = read_file(self._files.wanted)
        if text is None:
            if self._child is not None or self._status.state != "idle":
                self._stop("no configuration")
            return
        digest = digest_of(text)
        if self._child is not None and self._status.state != "starting" and digest == self._status.digest:
            self._report(refused=None, reason=self._status.reason if self._status.refused is None else None)
            return
        if self._status.state == "starting" or (self._child is None and time.monotonic() < self._retry_at):
            return  # looked at again as soon as keepalived is up, or is to be started
        reason = self._judge(text)
        if reason is not None:
            self._refuse(digest, reason)
            return
        replace_file(self._files.active, text)
        if self._child is None:
            self._start(read_facts(text), digest)
        else:
            self._reload(self._child, read_facts(text), digest)

    def _refuse(self, digest: str, reason: str) -> None:
        """Go on with what ran before a bad file came, if there is that."""
        say(f"refused: {reason}")
        last = read_file(self._files.active)
        if self._child is None and last is not None:
            self._start(facts_of(last), digest_of(last))
        self._report(refused=digest, reason=reason, state="refused" if self._child is None else self._status.state)

    def _judge(self, text: str) -> str | None:
        try:
            read_facts(text)
        except ValueError as error:
            return str(error)
        candidate = self._files.directory / "candidate.conf"
        replace_file(candidate, text)
        try:
            return refusal(candidate)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"keepalived -t: {error}"

    def _reload(self, child: subprocess.Popen[bytes], facts: Facts, digest: str) -> None:
        both = tuple(dict.fromkeys([*self._facts.addresses, *facts.addresses]))
        self._use(facts)
        # The status goes first: if keepalived dies of it, what may be there is known.
        self._report(addresses=both)
        child.send_signal(signal.SIGHUP)
        self._settled_at = time.monotonic() + SETTLED
        self._report(digest=digest, refused=None, reason=None, reloads=self._status.reloads + 1)
        say("keepalived told to read its new configuration")

    # -- keepalived's life ---------------------------------------------------------------------------------------

    def _start(self, facts: Facts, digest: str) -> None:
        for path in self._files.pid_files.values():
            path.unlink(missing_ok=True)  # a stale one makes keepalived refuse to start
        self._use(facts)
        self._counter.install()
        self._started = time.monotonic()
        self._child = spawn(keepalived_argv(self._files), self._files.directory)
        self._report(
            state="starting", keepalived=self._child.pid, digest=digest, refused=None, addresses=facts.addresses
        )

    def _use(self, facts: Facts) -> None:
        """Measure, probe and release by a configuration's facts from now on."""
        self._facts = facts
        hosts = set(facts.addresses)
        self._watchdog = Watchdog(
            facts.advert_int, self._counter.read, lambda: not hosts.isdisjoint(kernel.addresses())
        )
        if self._prober is not None and self._prober.probe != facts.probe:
            self._prober.close()
            self._prober = None
        if facts.probe is not None and self._prober is None:
            self._prober = Prober(facts.probe, self._files.upstream, time.monotonic())

    def _look(self) -> None:
        """See how keepalived does, and the upstream gateway."""
        now = time.monotonic()
        if self._prober is not None:
            changed = self._prober.tick(now)
            if changed is not None:
                say(changed)
        child = self._child
        if child is None:
            return
        if child.poll() is not None:
            self._lost(f"keepalived ended with {child.returncode}")
        elif self._status.state == "starting":
            self._await_start(now)
        elif self._watchdog is not None:
            pids = tuple(pid for pid in (child.pid, self._files.pid("vrrp")) if pid is not None)
            frozen = self._watchdog.look(now, pids)
            if frozen is not None:
                self._lost(f"keepalived is frozen: {frozen}")
            elif self._settled_at is not None and now > self._settled_at:
                self._settled_at = None
                self._report(addresses=self._facts.addresses)

    def _await_start(self, now: float) -> None:
        """keepalived takes signals once its VRRP process has written its id; before that SIGHUP would kill it."""
        if self._files.pid("vrrp") is not None:
            say(f"keepalived runs, process {self._status.keepalived}")
            self._report(state="running")
            self._adopt()
        elif now - self._started > START_TIMEOUT:
            self._lost(f"keepalived did not start within {START_TIMEOUT:.0f} s")

    def _lost(self, reason: str) -> None:
        """Make sure that it is dead, take its addresses off at once, and start it again."""
        began = time.monotonic()
        self._kill()
        removed = release(self._facts, self._status.addresses)
        took = (time.monotonic() - began) * 1000
        say(f"{reason}; released {', '.join(removed) or 'nothing'} in {took:.0f} ms")
        self._failures = 0 if began - self._started > LIVED else min(self._failures + 1, len(DELAYS) - 1)
        self._retry_at = time.monotonic() + DELAYS[self._failures]
        self._report(state="waiting", keepalived=None, digest=None, reason=reason, restarts=self._status.restarts + 1)
        self._adopt()

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.poll() is None:
            child.kill()
        kill_left_over(self._files)
        if child is not None:
            child.wait()

    def _stop(self, reason: str) -> None:
        """End keepalived so that it resigns (priority 0), then release what it may have left."""
        child = self._child
        if child is not None:
            child.terminate()
            try:
                child.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                say(f"keepalived did not end within {STOP_TIMEOUT:.0f} s")
        self._kill()
        release(facts_of(read_file(self._files.active)), self._status.addresses)
        self._files.active.unlink(missing_ok=True)
        self._watchdog = None
        if self._prober is not None:
            self._prober.close()
            self._prober = None
        self._retry_at, self._failures, self._settled_at = 0.0, 0, None
        self._report(state="idle", keepalived=None, digest=None, refused=None, reason=reason, addresses=())

    def _report(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        self._files.write_status(self._status)
