"""A lab charon's own settings."""

from __future__ import annotations

from pathlib import Path

PLUGINS = (
    "random nonce aes des sha1 sha2 sha3 md5 mgf1 hmac kdf gcm ccm ctr chapoly curve25519 openssl gmp gcrypt pem pkcs1 "
    "pkcs8 x509 pubkey revocation constraints socket-default updown vici"
)

PATIENCE = "  retransmit_limit = 15\n  retransmit_tries = 40\n"
"""Nearly ten minutes before charon gives up a silent peer by itself: a gateway's daemon does so at `dpd_timeout`."""


def render_strongswan(vici: Path, *, esp: bool, start_script: str | None = None) -> str:
    """Render strongswan.conf(5): the VICI socket, the plugins, a command to run once started.

    Without `esp` in the kernel kernel-libipsec does it in user space; it has to come before kernel-netlink.
    """
    kernel = "kernel-netlink" if esp else "kernel-libipsec kernel-netlink"
    script = f'  start-scripts {{\n    load = "{start_script}"\n  }}\n' if start_script is not None else ""
    return (
        "charon-systemd {\n"
        f"  load = {kernel} {PLUGINS}\n"
        f"  plugins {{\n    vici {{\n      socket = unix://{vici}\n    }}\n  }}\n"
        f"{script}{PATIENCE}"
        "  journal {\n    default = -1\n  }\n"
        "  filelog {\n    stderr {\n      default = 1\n    }\n  }\n"
        "}\n"
    )
