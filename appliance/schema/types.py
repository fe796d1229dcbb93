"""The value types of the configuration: each parses its text, says what it accepts, and spells itself canonically."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from appliance.schema.value import MASK as MASK  # noqa: PLC0414
from appliance.schema.value import Choice, Text, is_storable, refuse
from appliance.schema.value import Secret as Secret  # noqa: PLC0414

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# -- addresses ---------------------------------------------------------------------------------------------------


def parse_address(value: Any) -> IPAddress:
    """Parse one IPv4 or IPv6 host address."""
    if isinstance(value, IPv4Address | IPv6Address):
        return value
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return ip_address(value.strip())
    except ValueError:
        raise refuse("not an address", "an IPv4 or IPv6 address, as 192.0.2.1") from None


def parse_network(value: Any) -> IPNetwork:
    """Parse an address or a CIDR; host bits must be zero (a lone address is its /32 or /128)."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str) or "%" in value:
        # A zone index (RFC 4007) means something on one node only.
        raise refuse("not an address or network", "an address or CIDR, as 192.0.2.0/24")
    try:
        return ip_network(value.strip())
    except ValueError:
        pass
    try:
        meant = ip_network(value.strip(), strict=False)
    except ValueError:
        raise refuse("not an address or network", "an address or CIDR, as 192.0.2.0/24") from None
    raise refuse("host bits set in a network", f"{meant} for the network, {value.split('/')[0]} for the host")


def spell_network(value: IPNetwork) -> str:
    """Spell a single-host network as the plain address, any other as CIDR."""
    return str(value.network_address) if value.prefixlen == value.max_prefixlen else str(value)


def parse_subnet(value: Any) -> IPNetwork:
    """Parse a subnet: a CIDR that is more than one host."""
    network = parse_network(value)
    if network.prefixlen == network.max_prefixlen:
        raise refuse("not a subnet", "a CIDR of more than one address, as 192.0.2.0/24")
    return network


class GroupName(str):
    """The name of an entry of `groups`, where an address or a port list may stand."""

    __slots__ = ()


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def parse_selector(value: Any) -> IPNetwork | GroupName:
    """Parse what selects addresses: an address, a CIDR, or the name of an address group."""
    if isinstance(value, GroupName | IPv4Network | IPv6Network):
        return value
    if isinstance(value, str) and _NAME.fullmatch(value.strip()) and not _looks_like_address(value.strip()):
        return GroupName(value.strip())
    return parse_network(value)


def _looks_like_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def spell_selector(value: IPNetwork | GroupName) -> str:
    """Spell a selector: the group's name, else the network."""
    return str(value) if isinstance(value, GroupName) else spell_network(value)


Address = Annotated[IPAddress, Text(parse_address, kind="address")]
Network = Annotated[IPNetwork, Text(parse_network, spell_network, kind="network")]
Subnet = Annotated[IPNetwork, Text(parse_subnet, kind="subnet")]
Selector = Annotated[IPNetwork | GroupName, Text(parse_selector, spell_selector, kind="selector")]


# -- ports -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PortList:
    """Destination ports as disjoint, sorted, inclusive ranges, each 1 to 65535."""

    ranges: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)

    def __contains__(self, port: int) -> bool:
        return any(low <= port <= high for low, high in self.ranges)

    def overlaps(self, other: PortList) -> bool:
        """Tell whether any port is in both lists."""
        return any(a <= d and c <= b for a, b in self.ranges for c, d in other.ranges)


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sort ranges and merge those that overlap or touch."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65535:
        raise refuse("not a port", "1-65535")
    return int(text)


def parse_ports(value: Any) -> PortList:
    """Parse a port list: ``N`` or ``A-B`` between commas, compared as integers, blanks tolerated."""
    if isinstance(value, PortList):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise refuse("not a port list", "ports 1-65535 as N or A-B between commas, as 80,443,8000-8080")
    ranges = []
    for item in value.split(","):
        low_text, dash, high_text = item.strip().partition("-")
        low = _parse_port(low_text.strip())
        high = _parse_port(high_text.strip()) if dash else low
        if high < low:
            raise refuse("a port range that ends before it begins", f"{high}-{low}")
        ranges.append((low, high))
    return PortList(merge_ranges(ranges))


def parse_port_selector(value: Any) -> PortList | GroupName:
    """Parse a port list or the name of a port group."""
    if isinstance(value, GroupName):
        return value
    if isinstance(value, str) and _NAME.fullmatch(value.strip()):
        return GroupName(value.strip())
    return parse_ports(value)


Ports = Annotated[PortList, Text(parse_ports, kind="ports")]
PortSelector = Annotated[PortList | GroupName, Text(parse_port_selector, kind="port-selector")]


# -- durations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A whole number of seconds, spelled with the largest unit that divides it: ``90s``, ``1h``, ``2d``."""

    seconds: int

    def __str__(self) -> str:
        for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
            if self.seconds and self.seconds % size == 0:
                return f"{self.seconds // size}{unit}"
        return f"{self.seconds}s"


_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")


def parse_duration(value: Any) -> Duration:
    """Parse ``<n>[smhd]``; a bare number is seconds."""
    if isinstance(value, Duration):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        raise refuse("not a duration", "<n>[smhd], as 30s, 10m, 1h or 2d")
    return Duration(int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])


DurationText = Annotated[Duration, Text(parse_duration, kind="duration", pattern="^[0-9]+[smhd]?$")]


# -- names -------------------------------------------------------------------------------------------------------


def _matcher(pattern: str, message: str, accepted: str) -> Callable[[Any], str]:
    compiled = re.compile(pattern)

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise refuse(message, accepted)
        return value

    return parse


def parse_mac(value: Any) -> str:
    """Parse a unicast MAC address and spell it in lower case with colons."""
    text = value.lower().replace("-", ":") if isinstance(value, str) else ""
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text) or int(text[1], 16) & 1:
        raise refuse("not a MAC address", "a unicast MAC address, as 52:54:00:12:34:56")
    return text


Name = Annotated[
    str,
    Text(
        _matcher(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "not a name", "letters, digits, '-', '_', '.', at most 63"),
        kind="name",
        pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
    ),
]
GroupKey = Annotated[
    str,
    Text(
        _matcher(_NAME.pattern, "not a group name", "a letter, then letters, digits, '-', '_', '.', at most 63"),
        kind="group-name",
        pattern=f"^{_NAME.pattern}$",
    ),
]
Device = Annotated[
    str,
    Text(
        _matcher(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}", "not a device name", "an interface name, as ens3, at most 15"),
        kind="device",
        pattern="^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$",
    ),
]
Mac = Annotated[str, Text(parse_mac, kind="mac")]
Hostname = Annotated[
    str,
    Text(
        _matcher(
            r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
            "not a host name",
            "a name after RFC 1123, as gw.example.org",
        ),
        kind="hostname",
    ),
]


def parse_text(value: Any) -> str:
    """Parse free text of at most 1024 characters, any but NUL."""
    if not isinstance(value, str) or not is_storable(value):
        raise refuse("not a text", "a text")
    if len(value) > 1024:
        raise refuse("too long", "at most 1024 characters")
    return value


def parse_title(value: Any) -> str:
    """Parse free text that names something, so that it may not be empty or blank."""
    text = parse_text(value)
    if not text.strip():
        raise refuse("an empty name", "a text of at least one character")
    return text


FreeText = Annotated[str, Text(parse_text)]
Title = Annotated[str, Text(parse_title, kind="title")]


class Policy(Choice):
    """What happens to traffic that no rule names, or, for egress `accept`, to all but the rules' traffic."""

    ACCEPT = "accept"
    DROP = "drop"


class Protocol(Choice):
    """The transport protocols a rule can name."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    ANY = "any"


PORT_PROTOCOLS = frozenset({Protocol.TCP, Protocol.UDP})


class Role(Choice):
    """What a user may do: read, act, or change the configuration."""

    VIEW = "view"
    OPERATE = "operate"
    CONFIGURE = "configure"


_LIMIT = re.compile(r"([1-9][0-9]{0,6})\s*/\s*(second|minute|hour|day)")


def parse_limit(value: Any) -> str:
    """Parse a rate, ``N/second``, ``N/minute``, ``N/hour`` or ``N/day``."""
    match = _LIMIT.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        raise refuse("not a rate", "N/second, N/minute, N/hour or N/day")
    return f"{match[1]}/{match[2]}"
