"""Seeds of guests: the NoCloud files, the disk that carries them, and a throw-away key to log in with."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

FILES = ("user-data", "meta-data", "network-config")


@dataclass(frozen=True, slots=True)
class Seed:
    """The texts of a NoCloud seed."""

    user_data: str
    meta_data: str
    network_config: str


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key pair made for one lab: the file of its private half, and the public half as one line."""

    private: Path
    public: str


def make_ssh_key(directory: Path) -> SshKey:
    """Make an ed25519 key without a passphrase in `directory`, or give the one that is there."""
    private = directory / "id_ed25519"
    if not private.exists():
        directory.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kawaii-lab", "-f", str(private)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    return SshKey(private, private.with_suffix(".pub").read_text(encoding="ascii").strip())


def write_seed(seed: Seed, directory: Path) -> Path:
    """Write the seed's files into `directory` and give the path of the ISO made of them (volume id `cidata`)."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in zip(FILES, (seed.user_data, seed.meta_data, seed.network_config), strict=True):
        (directory / name).write_text(text, encoding="utf-8")
    iso = directory / "seed.iso"
    iso.unlink(missing_ok=True)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", "cidata", "-o", str(iso)]
    subprocess.run([*command, *(str(directory / name) for name in FILES)], check=True, capture_output=True, timeout=30)
    return iso


def ssh_command(namespace: str, key: SshKey, address: str, user: str = "kawaii") -> list[str]:
    """Spell an SSH call from a namespace to a lab guest, whose host key is new at every boot and is not kept."""
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=10")
    command = ["ip", "netns", "exec", namespace, "ssh", "-q", "-i", str(key.private), "-o", "IdentitiesOnly=yes"]
    for option in options:
        command += ["-o", option]
    return [*command, f"{user}@{address}"]
