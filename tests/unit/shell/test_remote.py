"""Loading from and saving to a web server: verified TLS or nothing."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.shell.conftest import Ran
from tests.unit.shell.fake_daemon import FakeDaemon

Shell = Callable[..., Ran]


class Handler(BaseHTTPRequestHandler):
    kept: dict[str, bytes]

    def do_GET(self) -> None:
        if self.path == "/moved":
            self._answer(302, b"", {"Location": "/gw.json"})
        elif self.path in self.kept:
            self._answer(200, self.kept[self.path])
        else:
            self._answer(404, b"")

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, b"")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=files", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True, timeout=60)
    return certificate, key


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[tuple[str, dict[str, bytes]]]:
    kept = {"/gw.json": b'{"egress_policy": "drop"}', "/odd": b"\xff"}
    handler = type("Kept", (Handler,), {"kept": kept})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


@pytest.mark.usefixtures("trusted")
def test_load_and_save_over_https(server: tuple[str, dict[str, bytes]], shell: Shell, daemon: FakeDaemon) -> None:
    address, kept = server
    ran = shell("-c", f"configure; load merge {address}/gw.json; commit; save {address}/after.json")
    assert (ran.code, ran.err) == (0, "")
    assert daemon.running["egress_policy"] == "drop"
    assert b'"egress_policy": "drop"' in kept["/after.json"]
    assert b"k#9" not in kept["/after.json"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("path", "said"), [("/none", "404"), ("/moved", "302"), ("/odd", "not UTF-8")])
def test_what_is_not_a_configuration_is_not_loaded(
    path: str, said: str, server: tuple[str, dict[str, bytes]], shell: Shell
) -> None:
    ran = shell("-c", f"configure; load merge {server[0]}{path}")
    assert ran.code == 1
    assert said in ran.err


def test_a_server_that_is_not_trusted_is_refused(server: tuple[str, dict[str, bytes]], shell: Shell) -> None:
    ran = shell("-c", f"configure; load merge {server[0]}/gw.json")
    assert ran.code == 1
    assert "certificate verify failed" in ran.err


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/x", "file:///etc/passwd", "ftp://h/x", "https://:x/", "https://["]
)
def test_only_https_addresses(address: str, shell: Shell) -> None:
    ran = shell("-c", f"configure; load merge {address}")
    assert ran.code == 1
    assert "root:" not in ran.err + ran.out
