"""The gateway's certificate is made once, and its key is nobody else's."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from appliance.engine.errors import MissingTool
from appliance.system.certificate import own_certificate


def test_it_is_made_once_with_a_key_for_root_alone(tmp_path: Path) -> None:
    directory = tmp_path / "tls"
    certificate, key = own_certificate(directory, "kawaii-acme-a-1", "10.50.201.11")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    before = certificate.read_bytes(), key.read_bytes()
    assert own_certificate(directory, "other", "10.50.201.12") == (certificate, key)
    assert (certificate.read_bytes(), key.read_bytes()) == before
    assert sorted(path.name for path in directory.iterdir()) == ["certificate.pem", "key.pem"]


@pytest.mark.parametrize(("name", "address"), [("x" * 80, "10.50.201.11"), (None, "fd00:50::11")])
def test_it_names_the_gateway_and_loads(tmp_path: Path, name: str | None, address: str) -> None:
    certificate, key = own_certificate(tmp_path, name, address)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    (found,) = client.get_ca_certs()
    assert found["subject"] == ((("commonName", (name or "kawaii")[:64]),),)


def test_without_openssl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="openssl"):
        own_certificate(tmp_path / "tls", "gw", "10.50.201.11")
