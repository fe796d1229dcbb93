"""User-data is found in every form it comes in, and its problems are told by the lines of the file."""

# ruff: noqa: E501  (a table reads best a row a line)

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from appliance.config.load import InvalidFile
from appliance.sources.userdata import MAX_BYTES, load_file, load_user_data

EXAMPLES = Path(__file__).parents[3] / "cloud-init" / "examples"
CONFIG = "system:\n  project: acme\n"
WRONG = "system:\n  projekt: acme\n"


def indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def cloud_config(text: str) -> str:
    return f"#cloud-config\n# for one gateway\nkawaii:\n{indented(text)}"


def mime(text: str, kind: str = "text/x-kawaii-config") -> str:
    return (
        'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n'
        "--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\nkawaii: no\n"
        f"--b\nContent-Type: {kind}; charset=utf-8\n\n{text}\n--b--\n"
    )


def base64_mime(data: bytes) -> str:
    body = base64.encodebytes(data).decode()
    head = "Content-Type: text/x-kawaii-config\nContent-Transfer-Encoding: base64\n"
    return f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n{head}\n{body}--b--\n'


def problems_of(data: bytes) -> list[str]:
    with pytest.raises(InvalidFile) as refused:
        load_user_data(data, "user-data")
    return str(refused.value).splitlines()


FORMS = {
    "plain": CONFIG.encode(),
    "json": b'{"system": {"project": "acme"}}',
    "under its key": f"kawaii:\n{indented(CONFIG)}".encode(),
    "cloud-config": cloud_config(CONFIG).encode(),
    "cloud-config with more": f"{cloud_config(CONFIG)}hostname: gw\nruncmd: [[ls]]\n".encode(),
    "mime": mime(CONFIG).encode(),
    "mime cloud-config": mime(cloud_config(CONFIG), "text/cloud-config").encode(),
    "mime header alone": f"Content-Type: text/x-kawaii-config\n\n{CONFIG}".encode(),
    "mime base64": base64_mime(CONFIG.encode()).encode(),
    "mime base64 gzip": base64_mime(gzip.compress(CONFIG.encode(), mtime=0)).encode(),
    "gzip": gzip.compress(cloud_config(CONFIG).encode()),
    "gzip mime": gzip.compress(mime(CONFIG).encode()),
    "DOS lines and a byte order mark": b"\xef\xbb\xbf" + cloud_config(CONFIG).replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_configuration_is_found_in_each_form(form: str) -> None:
    assert load_user_data(FORMS[form], "user-data").tree == {"system": {"project": "acme"}}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (WRONG.encode(), 2),
        (cloud_config(WRONG).encode(), 5),
        (mime(WRONG).encode(), 13),
        (mime(cloud_config(WRONG), "text/cloud-config").encode(), 16),
        (gzip.compress(mime(WRONG).encode()), 13),
        (f"Content-Type: text/x-kawaii-config\n\n{WRONG}".encode(), 4),
    ],
)
def test_lines_are_those_of_the_file(data: bytes, line: int) -> None:
    accepted = "did you mean project?"
    assert problems_of(data)[0].startswith(f"user-data:{line}: system projekt: unknown key, {accepted}")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"#cloud-config\nhostname: x\n", "user-data:1: no mapping under kawaii: in this cloud-config"),
        (b"#cloud-config\nkawaii: {}\nkawaii: {}\n", "user-data:3: a second time; the first is on line 2"),
        (b"#cloud-config\nkawaii: [1]\n", "user-data:2: not a configuration (got a list, expected a mapping of sections)"),
        (mime("x", "text/plain").encode(), "user-data:1: no part with a configuration (expected a part text/x-kawaii-config)"),
        (
            mime(f"{CONFIG}\n--b\nContent-Type: text/x-kawaii-config\n\n{CONFIG}").encode(),
            "user-data:18: a second part with a configuration (expected one such part)",
        ),
        (b"system: {}\n# \xff\n", "user-data:2: not UTF-8 text"),
        (b"\x1f\x8bnonsense", "user-data: damaged gzip data: Error -3 while decompressing data: unknown compression method"),
        (gzip.compress(CONFIG.encode(), mtime=0)[:-9], "user-data: gzip data that ends too early"),
        (gzip.compress(b" " * (MAX_BYTES + 1), mtime=0), f"user-data: too large when unpacked (expected at most {MAX_BYTES} bytes)"),
        (b"#!/bin/sh\n", "user-data:1: a form of user-data that holds no configuration: #!/bin/sh (expected #cloud-config or MIME)"),
    ],
)  # fmt: skip
def test_what_holds_no_configuration_is_refused(data: bytes, problem: str) -> None:
    assert problems_of(data) == [problem]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid(example: Path) -> None:
    loaded = load_file(example)
    assert loaded.config.netcfg.zones
    assert all(warning.line > 0 for warning in loaded.warnings)


def test_the_acme_example_is_the_product_pages_gateway() -> None:
    config = load_file(EXAMPLES / "acme-user-data.yaml").config
    assert [str(plan.public_ip) for plan in config.netcfg.zones.values()] == ["4.5.6.10", "4.5.6.11"]
    assert [hop.weight for route in config.routes.values() for hop in route.next_hops.values()] == [2, 1]
    assert config.vpc_peerings["eu-west-marvelous"].policy == "accept"
    secret = config.ipsec["ACME Office"].pre_shared_key
    assert secret is not None
    assert secret.reveal() == 'k#9} "quoted" ünïcode'
