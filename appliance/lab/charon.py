"""A lab charon's own settings."""

from __future__ import annotations

from pathlib import Path

CHARON_PLUGINS = (
    "random nonce aes des sha1 sha2 sha3 md5 mgf1 hmac kdf gcm ccm ctr chapoly curve25519 openssl gmp gcrypt pem pkcs1 "
    "pkcs8 x509 pubkey revocation constraints kernel-libipsec kernel-netlink socket-default updown vici"
)
"""kernel-libipsec (user-space ESP, for kernels without) has to come before kernel-netlink."""


def render_strongswan(vici: Path, start_script: str | None = None) -> str:
    """Render strongswan.conf(5): the VICI socket, the plugins, a command to run once started."""
    script = f'  start-scripts {{\n    load = "{start_script}"\n  }}\n' if start_script is not None else ""
    return (
        "charon-systemd {\n"
        f"  load = {CHARON_PLUGINS}\n"
        f"  plugins {{\n    vici {{\n      socket = unix://{vici}\n    }}\n  }}\n"
        f"{script}"
        "  journal {\n    default = -1\n  }\n"
        "  filelog {\n    stderr {\n      default = 1\n    }\n  }\n"
        "}\n"
    )
