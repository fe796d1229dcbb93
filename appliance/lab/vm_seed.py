"""Seeds of guests: the disk that carries the NoCloud files, and a throw-away key to log in with."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

FILES = ("user-data", "meta-data", "network-config")
SSH_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "IdentitiesOnly": "yes",
    "LogLevel": "ERROR",
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
}
"""A guest's host key is new at every boot from the image: it is not kept."""


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


def add_public_key(directory: Path, key: SshKey) -> None:
    """Add a key to the meta-data of the seed in `directory`, as a platform does with the one chosen for an instance."""
    path = directory / "meta-data"
    meta = yaml.safe_load(path.read_text(encoding="utf-8"))
    meta.setdefault("public-keys", []).append(key.public)
    path.write_text(yaml.safe_dump(meta), encoding="utf-8")


def make_seed_disk(directory: Path) -> Path:
    """Give the path of an ISO (volume id `cidata`) made of the seed's files in `directory`."""
    iso = directory / "seed.iso"
    iso.unlink(missing_ok=True)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", "cidata", "-o", str(iso)]
    subprocess.run([*command, *(str(directory / name) for name in FILES)], check=True, capture_output=True, timeout=30)
    return iso


def ssh_command(namespace: str, key: SshKey, address: str, user: str = "kawaii") -> list[str]:
    """Spell an SSH call (ssh(1)) from a namespace to a guest of the lab."""
    command = ["ip", "netns", "exec", namespace, "ssh", "-i", str(key.private)]
    for name, value in SSH_OPTIONS.items():
        command += ["-o", f"{name}={value}"]
    return [*command, f"{user}@{address}"]
