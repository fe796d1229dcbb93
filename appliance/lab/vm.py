"""Virtual machines of a lab: QEMU guests whose NICs are taps on the bridges of a fabric namespace.

The image is never written: each guest has an overlay of its own. A guest is named by its directory, which holds all
that is needed to find and stop it again: `qemu.pid`, `serial.log`, `console.sock`, `monitor.sock`, `probe.sock`.
"""

import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.lab.vm_probe import probe_credentials


class VmFailed(Exception):
    """A guest did not start, or did not become what was waited for; the message ends with its last console lines."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A guest's NIC: its bridge in the fabric namespace, its MAC address, its PCI slot (on `pc`, slot 3 is ens3)."""

    bridge: str
    mac: str
    slot: int


@dataclass(frozen=True, slots=True)
class VmSpec:
    """What a guest is made of; `memory` in MiB, `disk` in GiB, `probe` adds the root shell of vm_probe."""

    name: str
    image: Path
    directory: Path
    fabric: str
    nics: tuple[Nic, ...]
    seed: Path | None = None
    memory: int = 1024
    processors: int = 2
    disk: int = 4
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Vm:
    """A started guest: the process that runs it, where its files are, and the namespace of its taps."""

    name: str
    pid: int
    directory: Path
    fabric: str
    taps: tuple[str, ...]

    @property
    def serial_log(self) -> Path:
        """All that the guest wrote to its first serial console."""
        return self.directory / "serial.log"

    @property
    def probe_socket(self) -> Path:
        """The root shell on the second serial console, where the guest was started with a probe."""
        return self.directory / "probe.sock"


def accelerator() -> tuple[str, ...]:
    """Choose KVM where the processor can virtualise, TCG where not: a /dev/kvm that exists may still fail."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    if (
        platform.machine() == "x86_64"
        and ("vmx" in flags or "svm" in flags)
        and os.access("/dev/kvm", os.R_OK | os.W_OK)
    ):
        return "-accel", "kvm", "-cpu", "host"
    return "-accel", "tcg,thread=multi", "-cpu", "Nehalem"


def start_vm(spec: VmSpec) -> Vm:
    """Make the overlay and the taps, and start the guest in the fabric's namespace.

    Raises: VmFailed when QEMU refuses; what was made is removed again.
    """
    spec.directory.mkdir(parents=True, exist_ok=True)
    overlay = spec.directory / "disk.qcow2"
    overlay.unlink(missing_ok=True)
    image = spec.image.resolve()
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(overlay), f"{spec.disk}G")
    taps = tuple(f"{spec.name}.{nic.slot}"[-15:] for nic in spec.nics)
    try:
        for tap, nic in zip(taps, spec.nics, strict=True):
            _plug_tap(spec.fabric, tap, nic.bridge)
        _run("ip", "netns", "exec", spec.fabric, *qemu_command(spec, taps))
    except VmFailed:
        _remove_taps(spec.fabric, taps)
        raise
    pid = int((spec.directory / "qemu.pid").read_text(encoding="ascii"))
    return Vm(spec.name, pid, spec.directory, spec.fabric, taps)


def qemu_command(spec: VmSpec, taps: tuple[str, ...]) -> list[str]:
    """Spell the command line of a guest (qemu-system-x86_64(1)); its paths are those of `spec.directory`."""
    at = spec.directory
    command = ["qemu-system-x86_64", "-name", spec.name, "-M", "pc", *accelerator()]
    command += ["-smp", str(spec.processors), "-m", str(spec.memory), "-nodefaults", "-display", "none"]
    command += ["-daemonize", "-pidfile", str(at / "qemu.pid"), "-device", "virtio-rng-pci"]
    command += ["-drive", f"if=virtio,format=qcow2,file={at / 'disk.qcow2'}"]
    if spec.seed:
        command += ["-drive", f"if=ide,media=cdrom,format=raw,readonly=on,file={spec.seed}"]
    command += [
        "-chardev",
        f"socket,id=console,path={at / 'console.sock'},server=on,wait=off,logfile={at / 'serial.log'}",
    ]
    command += ["-serial", "chardev:console", "-monitor", f"unix:{at / 'monitor.sock'},server=on,wait=off"]
    if spec.probe:
        command += ["-serial", f"unix:{at / 'probe.sock'},server=on,wait=off"]
        command += ["-smbios", "type=11," + ",".join(f"value={credential}" for credential in probe_credentials())]
    for number, (tap, nic) in enumerate(zip(taps, spec.nics, strict=True)):
        command += ["-netdev", f"tap,id=net{number},ifname={tap},script=no,downscript=no"]
        # Without its boot ROM: four of them looking for a network to boot from cost seconds.
        device = f"virtio-net-pci,netdev=net{number},mac={nic.mac},addr={nic.slot},romfile="
        command += ["-device", device]
    return command


def stop_vm(vm: Vm, timeout: float = 10.0) -> None:
    """End the guest as a power cut would, and remove its taps; one that is gone already is none to stop."""
    try:
        os.kill(vm.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    else:
        deadline = time.monotonic() + timeout
        while Path(f"/proc/{vm.pid}").exists():
            if time.monotonic() > deadline:
                os.kill(vm.pid, signal.SIGKILL)
            time.sleep(0.05)
    _remove_taps(vm.fabric, vm.taps)


def wait_until(vm: Vm, what: str, check: Callable[[], bool], timeout: float) -> None:
    """Poll `check` until it holds, for `timeout` seconds at most.

    Raises: VmFailed when it does not hold in time, or the guest's process ends.
    """
    deadline = time.monotonic() + timeout
    while not check():
        alive = Path(f"/proc/{vm.pid}").exists()
        if not alive or time.monotonic() > deadline:
            reason = f"not within {timeout:.0f} s" if alive else "its process ended"
            tail = vm.serial_log.read_text(encoding="utf-8", errors="replace")[-2000:] if vm.serial_log.exists() else ""
            raise VmFailed(f"{vm.name}: {what}: {reason}\n{tail}")
        time.sleep(0.25)


def _plug_tap(fabric: str, tap: str, bridge: str) -> None:
    _run("ip", "-n", fabric, "tuntap", "add", "dev", tap, "mode", "tap")
    _run("ip", "-n", fabric, "link", "set", tap, "master", bridge, "up")


def _remove_taps(fabric: str, taps: tuple[str, ...]) -> None:
    for tap in taps:
        subprocess.run(["ip", "-n", fabric, "link", "del", tap], check=False, capture_output=True, timeout=10)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise VmFailed(f"{' '.join(command[:6])} …: {done.stderr.strip()}")
