"""nftables by its own program and, for the generation counter, by netlink (nft(8), nfnetlink)."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from appliance.engine.errors import ApplyFailed, MissingTool, Refused

TIMEOUT = 60.0

NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
NLMSG_ERROR = 2
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWGEN = 15
NFT_MSG_GETGEN = 16
NFTA_GEN_ID = 1
_HEADER = struct.Struct("=IHHII")
_NFGENMSG = struct.Struct("=BBH")
_ATTRIBUTE = struct.Struct("=HH")


class NftProgram:
    """The kernel's nftables of the network namespace that the process is in."""

    def check(self, text: str) -> None:
        """Check commands against the kernel without applying them; raises `Refused` with nft's own words."""
        result = _run(["nft", "-c", "-f", "-"], text)
        if result.returncode != 0:
            raise Refused(f"nft refuses the ruleset: {_words(result)}")

    def apply(self, text: str) -> None:
        """Apply commands as one transaction; raises `ApplyFailed`, and then nothing changed."""
        result = _run(["nft", "-f", "-"], text)
        if result.returncode != 0:
            raise ApplyFailed(
                f"nft could not change the ruleset: {_words(result)}",
                "if somebody else changed table inet kawaii, `show drift` says where",
            )

    def list_table(self, family: str, name: str) -> list[dict[str, Any]] | None:
        """Give the objects of a table as ``nft -j list table`` does, without handles; None if it is absent."""
        result = _run(["nft", "-j", "list", "table", family, name])
        if result.returncode != 0:
            if "No such file or directory" in result.stderr:
                return None
            raise ApplyFailed(f"nft could not list table {family} {name}: {_words(result)}")
        return parse_listing(result.stdout)

    def canonical(self, text: str, family: str, name: str) -> list[dict[str, Any]] | None:
        """Give what `list_table` would show had `text` been applied to an empty kernel.

        It is really loaded, in a network namespace that lives no longer than the call.  Raises `Refused`.
        """
        return _canonical(text, family, name)

    def generation(self) -> int:
        """Give the kernel's ruleset generation counter: it rises by one with every transaction of anybody."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
            netlink.settimeout(TIMEOUT)
            netlink.bind((0, 0))
            kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN
            body = _NFGENMSG.pack(socket.AF_UNSPEC, 0, 0)
            netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST, 1, 0) + body)
            return parse_generation(netlink.recv(65536))


def parse_listing(text: str) -> list[dict[str, Any]]:
    """Read the JSON of a listing; drops what says nothing of the ruleset: nft's version, handles."""
    objects = []
    for entry in json.loads(text)["nftables"]:
        for kind, attributes in entry.items():
            if kind != "metainfo":
                objects.append({kind: {key: value for key, value in attributes.items() if key != "handle"}})
    return objects


def parse_generation(message: bytes) -> int:
    """Read the answer to NFT_MSG_GETGEN; raises `OSError` for a netlink error."""
    _length, kind, _flags, _sequence, _port = _HEADER.unpack_from(message)
    if kind == NLMSG_ERROR:
        code = -struct.unpack_from("=i", message, _HEADER.size)[0]
        raise OSError(code, os.strerror(code))
    at = _HEADER.size + _NFGENMSG.size
    while at + _ATTRIBUTE.size <= len(message):
        length, attribute = _ATTRIBUTE.unpack_from(message, at)
        if attribute & 0x3FFF == NFTA_GEN_ID:
            return int.from_bytes(message[at + 4 : at + 8], "big")
        at += max(length + 3 & ~3, _ATTRIBUTE.size)
    raise OSError("the kernel's answer has no generation")


@lru_cache(maxsize=4)
def _canonical_text(text: str, family: str, name: str) -> str | None:
    script = 'nft -f - && exec nft -j list table "$1" "$2"'
    result = _run(["unshare", "--net", "--", "sh", "-c", script, "sh", family, name], text)
    if result.returncode == 0:
        return result.stdout
    if f"list table {family} {name}" in result.stderr and "No such file or directory" in result.stderr:
        return None
    raise Refused(f"nft refuses the ruleset: {_words(result)}")


def _canonical(text: str, family: str, name: str) -> list[dict[str, Any]] | None:
    listing = _canonical_text(text, family, name)
    return None if listing is None else parse_listing(listing)


def _run(argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment
        )
    except FileNotFoundError as error:
        raise MissingTool(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ApplyFailed(f"{' '.join(argv[:3])} did not end within {TIMEOUT:.0f} s") from error


def _words(result: subprocess.CompletedProcess[str]) -> str:
    """Give nft's complaints, without the carets under them."""
    lines = [line.strip() for line in result.stderr.splitlines()]
    return "; ".join(line for line in lines if line.strip("^~ "))[:2000] or f"exit code {result.returncode}"
