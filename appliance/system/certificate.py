"""The gateway's own TLS certificate: made once, self-signed, by openssl-req(1)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from ipaddress import ip_address
from pathlib import Path

from appliance.engine.errors import MissingTool, Refused

DAYS = 3650
TIMEOUT = 20.0
COMMON_NAME = 64
"""Characters a common name may have (RFC 5280, appendix A.1: ub-common-name)."""


def own_certificate(directory: Path, hostname: str | None, address: str) -> tuple[Path, Path]:
    """Give certificate and key (PEM, ECDSA P-256, mode 0600), made for this name and address where there are none.

    Raises `MissingTool` without openssl, `Refused` with its words, `OSError`.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if certificate.is_file() and key.is_file():
        return certificate, key
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".new.", dir=directory) as scratch:
        made, made_key = Path(scratch, certificate.name), Path(scratch, key.name)
        _make(made, made_key, (hostname or "kawaii")[:COMMON_NAME], str(ip_address(address)))
        made_key.chmod(0o600)
        for path in (made_key, made):
            with path.open("rb") as file:
                os.fsync(file.fileno())
        # The certificate comes last: where it is, its key is too.
        made_key.replace(key)
        made.replace(certificate)
    return certificate, key


def _make(certificate: Path, key: Path, name: str, address: str) -> None:
    argv = [
        *("openssl", "req", "-x509", "-new", "-batch", "-nodes", "-days", str(DAYS)),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-sha256"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:{address}"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False, umask=0o077)
    except FileNotFoundError:
        raise MissingTool("openssl is not installed", hint="the HTTPS API needs it to make its certificate") from None
    except subprocess.TimeoutExpired:
        raise Refused("openssl did not come to an end") from None
    if done.returncode != 0:
        raise Refused(f"openssl: {done.stderr.strip() or done.returncode}")
