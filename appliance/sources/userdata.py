"""User-data and configuration files in the forms they come in, lines counted in the file itself.

Accepted: ``#cloud-config`` with a mapping under ``kawaii:``, MIME with a part ``text/x-kawaii-config`` (or such a
cloud-config), each also gzipped, and a plain configuration in YAML or JSON.
"""

from __future__ import annotations

import email
import email.message
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from appliance.config.load import FileProblem, InvalidFile, Loaded, load_document, parse_text
from appliance.schema.problem import Problem

KEY = "kawaii"
CONFIG_TYPE = "text/x-kawaii-config"
CLOUD_CONFIG_TYPE = "text/cloud-config"
MAX_BYTES = 16 * 1024 * 1024

_MIME_HEADER = re.compile(r"(content-type|mime-version|content-transfer-encoding):", re.IGNORECASE)
_OTHER_FORM = re.compile(r"#(!.*|include.*|cloud-(boothook|config-archive|config-jsonp)|part-handler|# template:.*)")


@dataclass(frozen=True, slots=True)
class _Body:
    """A configuration's text within a file, and the line of the file that it begins on."""

    text: str
    first_line: int = 1
    cloud_config: bool = False


def load_file(path: Path) -> Loaded:
    """Read a configuration or user-data file; raises `InvalidFile`, and `OSError` where it cannot be read."""
    return load_user_data(path.read_bytes(), str(path))


def load_user_data(data: bytes, source: str) -> Loaded:
    """Read user-data in any accepted form; raises `InvalidFile` with all problems at once."""
    return load_text(_decode(_unpack(data, source), source), source)


def load_text(text: str, source: str) -> Loaded:
    """Read user-data that was unpacked and decoded already; raises `InvalidFile` with all problems at once."""
    body = _mime_body(text, source) if _MIME_HEADER.match(text.lstrip("\n")) else _plain_body(text, source)
    parsed = parse_text(body.text, source, body.first_line)
    root = parsed.root
    if not isinstance(root.value, dict):
        return load_document(parsed, source)
    if KEY in root.value and (body.cloud_config or len(root.value) == 1):
        return load_document(parsed, source, root.value[KEY], (KEY,))
    if body.cloud_config:
        raise _refuse(source, body.first_line, f"no mapping under {KEY}: in this cloud-config")
    return load_document(parsed, source)


def _refuse(source: str, line: int, message: str, accepted: str | None = None) -> InvalidFile:
    return InvalidFile((FileProblem(source, line, Problem((), message, accepted=accepted)),))


def _unpack(data: bytes, source: str) -> bytes:
    """Take gzip off (RFC 1952), to at most `MAX_BYTES`."""
    if len(data) > MAX_BYTES:
        raise _refuse(source, 0, "too large", f"at most {MAX_BYTES} bytes")
    if not data.startswith(b"\x1f\x8b"):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise _refuse(source, 0, f"damaged gzip data: {error}") from None
    if unpacker.unconsumed_tail:
        raise _refuse(source, 0, "too large when unpacked", f"at most {MAX_BYTES} bytes")
    if not unpacker.eof:
        raise _refuse(source, 0, "gzip data that ends too early")
    return plain


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refuse(source, line, "not UTF-8 text") from None
    return text.replace("\r\n", "\n")


def _plain_body(text: str, source: str) -> _Body:
    other = _OTHER_FORM.match(text)
    if other:
        # To YAML it would be a comment, and the file an empty configuration.
        raise _refuse(
            source, 1, f"a form of user-data that holds no configuration: {other[0]}", "#cloud-config or MIME"
        )
    return _Body(text, cloud_config=text.startswith("#cloud-config"))


def _mime_body(text: str, source: str) -> _Body:
    bodies = []
    at = 0
    for part in email.message_from_string(text).walk():
        payload = part.get_payload()
        if not isinstance(payload, str):
            continue
        # A part's body stands as it is after the empty line that ends its header.
        at = max(text.find(f"\n\n{payload}", at), 0) + 2
        kind = part.get_content_type()
        if kind in (CONFIG_TYPE, CLOUD_CONFIG_TYPE):
            body = _part_body(part, payload, text.count("\n", 0, at) + 1, source)
            if kind == CONFIG_TYPE or re.search(rf"^{KEY}:", body.text, re.MULTILINE):
                bodies.append(body)
        at += len(payload)
    if not bodies:
        raise _refuse(source, 1, "no part with a configuration", f"a part {CONFIG_TYPE}")
    if len(bodies) > 1:
        raise _refuse(source, bodies[1].first_line, "a second part with a configuration", "one such part")
    return bodies[0]


def _part_body(part: email.message.Message, payload: str, first_line: int, source: str) -> _Body:
    """Give a part's text; the lines of one that is encoded count from its own first."""
    encoding = part.get("content-transfer-encoding", "7bit").strip().lower()
    if encoding not in ("7bit", "8bit", "binary"):
        decoded = part.get_payload(decode=True)
        payload = _decode(_unpack(decoded if isinstance(decoded, bytes) else b"", source), source)
        first_line = 1
    is_cloud_config = part.get_content_type() == CLOUD_CONFIG_TYPE or payload.startswith("#cloud-config")
    return _Body(payload, first_line, is_cloud_config)
