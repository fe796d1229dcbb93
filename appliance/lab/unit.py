"""One supervised daemon: started, told to be ready, watched, restarted, stopped with all its process group."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from pathlib import Path

from appliance.lab.daemons import DaemonSpec, Restart
from appliance.lab.process import Identity

START_TIMEOUT = 20.0
STOP_TIMEOUT = 10.0
HOOK_TIMEOUT = 10.0
CLEAN_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE}
"""Deaths that are no failure (systemd.service(5), Restart=)."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class UnitError(Exception):
    """A daemon did not start, stop or exist."""


def die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Unit:
    """A daemon's life; used from one asyncio event loop in the main thread, which PDEATHSIG depends on."""

    def __init__(self, spec: DaemonSpec, state: Path) -> None:
        self.spec = spec
        self._name = f"{spec.node}.{spec.daemon}"
        self._log = state / "log" / f"{self._name}.log"
        self._pid_file = state / "pids" / self._name
        self._notify_path = state / "notify" / self._name
        self._process: subprocess.Popen[bytes] | None = None
        self._life: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The main process's id, None when it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the daemon unless it runs, and wait until it is ready; raises `UnitError`."""
        if self.spec.condition is not None and not Path(self.spec.condition).exists():
            raise UnitError(f"{self.spec.daemon} is not started: {self.spec.condition} is missing")
        self._ended.clear()
        if self._life is None or self._life.done():
            self._stopping.clear()
            self._ready.clear()
            self._life = asyncio.create_task(self._live())
        waits = [asyncio.create_task(event.wait()) for event in (self._ready, self._ended)]
        await asyncio.wait(waits, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        if not self._ready.is_set():
            reason = "ended at once" if self._ended.is_set() else f"is not ready after {START_TIMEOUT:.0f} s"
            raise UnitError(f"{self.spec.daemon} {reason}; its last words are in {self._log}")

    async def stop(self, grace: float = STOP_TIMEOUT) -> None:
        """Terminate the daemon and wait until it and its hook are through."""
        self._stopping.set()
        if self._life is None or self._life.done():
            return
        self.kill(signal.SIGTERM, missing_ok=True)
        done, _ = await asyncio.wait({self._life}, timeout=grace)
        if not done:
            self._kill_group()
            await self._life

    def kill(self, number: int, *, missing_ok: bool = False) -> None:
        """Send a signal to the main process; raises `UnitError` when there is none."""
        if self._process is not None and self.pid is not None:
            self._process.send_signal(number)
        elif not missing_ok:
            raise UnitError(f"{self.spec.daemon} does not run")

    async def _live(self) -> None:
        while True:
            failed = await self._run_once()
            if self._stopping.is_set() or (self.spec.restart is Restart.ON_FAILURE and not failed):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self.spec.restart_delay)
                return

    async def _run_once(self) -> bool:
        """Run the daemon from start to end; True when it failed."""
        await self._hook(self.spec.before)
        with contextlib.ExitStack() as stack:
            environment = dict(os.environ, PYTHONUNBUFFERED="1", **self.spec.environment)
            environment.pop("NOTIFY_SOCKET", None)
            if self.spec.notify:
                environment["NOTIFY_SOCKET"] = str(self._listen(stack))
            process = self._process = self._spawn(self.spec.argv, environment)
            ended = self._watch(process, stack)
            self._pid_file.write_text(str(Identity.of(process.pid)))
            if not self.spec.notify:
                self._ready.set()
            await ended.wait()
        self._ready.clear()
        self._ended.set()
        self._kill_group()
        self._pid_file.unlink(missing_ok=True)
        await self._hook(self.spec.after)
        code = process.returncode
        return code != 0 and -code not in CLEAN_SIGNALS

    def _spawn(self, argv: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.spec.netns, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,
                preexec_fn=die_with_parent,  # noqa: PLW1509  the supervisor has one thread
            )

    def _watch(self, process: subprocess.Popen[bytes], stack: contextlib.ExitStack) -> asyncio.Event:
        """Tell by an event when the process has ended and was reaped (pidfd_open(2))."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.pidfd_open(process.pid)
        stack.callback(os.close, descriptor)

        def reap() -> None:
            loop.remove_reader(descriptor)
            process.wait()
            ended.set()

        loop.add_reader(descriptor, reap)
        return ended

    def _listen(self, stack: contextlib.ExitStack) -> Path:
        """Open the socket on which the daemon says READY=1 (sd_notify(3))."""
        loop = asyncio.get_running_loop()
        self._notify_path.unlink(missing_ok=True)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        listener.bind(str(self._notify_path))

        def receive() -> None:
            with contextlib.suppress(BlockingIOError):
                if b"READY=1" in listener.recv(4096).splitlines():
                    self._ready.set()

        loop.add_reader(listener, receive)
        stack.callback(loop.remove_reader, listener)
        return self._notify_path

    def _kill_group(self) -> None:
        """Kill what the daemon may have left in its process group, as systemd does with a unit's control group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _hook(self, argv: tuple[str, ...]) -> None:
        if not argv:
            return
        process = self._spawn(argv, dict(os.environ, **self.spec.environment))
        with contextlib.ExitStack() as stack:
            ended = self._watch(process, stack)
            try:
                await asyncio.wait_for(ended.wait(), HOOK_TIMEOUT)
            except TimeoutError:
                process.kill()
                await ended.wait()
