"""Configurations from and to a web server, over verified TLS only."""

from __future__ import annotations

from kawaii_shell.files import FileRefused

PREFIX = "https://"
LIMIT = 16 * 1024 * 1024
TIMEOUT = 30.0  # seconds


def is_remote(name: str) -> bool:
    """Tell whether a name is an address rather than a file."""
    return "://" in name


def fetch(address: str) -> str:
    """Fetch a text. Raises FileRefused."""
    raw = _exchange(address, None)
    if len(raw) > LIMIT:
        raise FileRefused(f"{address}: larger than {LIMIT} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileRefused(f"{address}: not UTF-8 text") from error


def send(address: str, text: str) -> None:
    """Send a text there (PUT). Raises FileRefused."""
    _exchange(address, text.encode())


def _exchange(address: str, body: bytes | None) -> bytes:
    if not address.startswith(PREFIX):
        raise FileRefused(f"{address}: only {PREFIX} addresses, for what they carry must be neither read nor changed")
    import http.client
    import ssl
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        # No redirection is followed: what was asked for is what is loaded.
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT, context=ssl.create_default_context()
        )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "PUT", target, body=body)
        answer = connection.getresponse()
        raw = answer.read(LIMIT + 1)
        connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FileRefused(f"{address}: {error}") from error
    if not 200 <= answer.status < 300:
        raise FileRefused(f"{address}: the server answered {answer.status} {answer.reason}")
    return raw
