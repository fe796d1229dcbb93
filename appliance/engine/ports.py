"""What the engine asks of a host: typed ports, implemented by `appliance.system` and by the tests' fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Protocol

from appliance.schema.types import Role
from appliance.schema.value import Secret

Address = IPv4Address | IPv6Address
HostAddress = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

ROUTE_PROTOCOL = 250
"""The protocol number that marks our routes and rules (rtnetlink(7)); no other is ever touched."""

AGENT_PROTOCOL = 251
"""Marks the routes that the daemon's agents set between commits, which no commit verifies."""

MAIN_TABLE = 254
SELF_TABLE = 251
"""The table that serves the gateway's own traffic only (semantics S3)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as the kernel shows it; `kind` is empty for a NIC, `parent` the lower device's name."""

    name: str
    index: int
    mac: str
    up: bool
    carrier: bool
    mtu: int
    kind: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class AddressOn:
    """An address with its prefix length on a device."""

    device: str
    address: HostAddress


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    """A next hop; `weight` counts from 1."""

    gateway: Address | None
    device: str
    weight: int = 1
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class RouteTo:
    """A route of ours: one per (table, destination, metric)."""

    destination: Network
    hops: tuple[Hop, ...]
    metric: int = 0
    table: int = MAIN_TABLE
    source: Address | None = None


@dataclass(frozen=True, slots=True, order=True)
class PolicyRule:
    """A routing policy rule of ours (ip-rule(8)); `family` is 4 or 6."""

    priority: int
    table: int
    family: int = 4
    incoming: str | None = None
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Whether a daemon runs, and its process id."""

    running: bool
    pid: int | None = None


class Nft(Protocol):
    """nftables by its text (apply, check) and JSON (list) interfaces, nft(8)."""

    def check(self, text: str) -> None:
        """Check commands without applying them; raises `Refused` with nft's own words."""

    def apply(self, text: str) -> None:
        """Apply commands as one transaction; raises `ApplyFailed`, and then nothing changed."""

    def list_table(self, family: str, name: str) -> list[dict[str, Any]] | None:
        """Give the objects of a table as ``nft -j list table`` does (without handles' noise), None if absent."""

    def canonical(self, text: str, family: str, name: str) -> list[dict[str, Any]] | None:
        """Give what `list_table` would show had `text` been applied to an empty kernel (a scratch namespace)."""

    def generation(self) -> int:
        """Give the kernel's ruleset generation counter (NFT_MSG_GETGEN)."""


class Netlink(Protocol):
    """Links, addresses, routes and rules by rtnetlink(7); every change is idempotent and raises `ApplyFailed`."""

    def links(self) -> dict[str, Link]:
        """Give all interfaces by name."""

    def addresses(self) -> frozenset[AddressOn]:
        """Give all addresses but link-local ones and loopback's."""

    def routes(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[RouteTo]:
        """Give the routes marked with a protocol number, of all tables."""

    def rules(self, protocol: int = ROUTE_PROTOCOL) -> frozenset[PolicyRule]:
        """Give the policy rules marked with a protocol number."""

    def set_link(self, device: str, *, up: bool | None = None, mtu: int | None = None) -> None: ...

    def add_macvlan(self, name: str, parent: str, mac: str) -> None: ...

    def add_xfrm(self, name: str, if_id: int) -> None: ...

    def delete_link(self, name: str) -> None: ...

    def add_address(self, item: AddressOn) -> None: ...

    def delete_address(self, item: AddressOn) -> None: ...

    def replace_route(self, route: RouteTo, protocol: int = ROUTE_PROTOCOL) -> None: ...

    def delete_route(self, route: RouteTo, protocol: int = ROUTE_PROTOCOL) -> None: ...

    def add_rule(self, rule: PolicyRule) -> None: ...

    def delete_rule(self, rule: PolicyRule) -> None: ...


class Sysctl(Protocol):
    """Kernel parameters, sysctl(8) names with dots between components, a device's own dots as slashes."""

    def get(self, name: str) -> str | None:
        """Give the value, None where the kernel has no such parameter."""

    def set(self, name: str, value: str) -> None:
        """Set it; raises `ApplyFailed` where it cannot be set."""


class Vrrp(Protocol):
    """keepalived behind its guard."""

    def check(self, text: str) -> None:
        """Check a configuration (``keepalived -t``); raises `Refused`."""

    def configured(self) -> str | None:
        """Give the configuration file's text, None if there is none."""

    def configure(self, text: str | None) -> None:
        """Install a checked configuration and have keepalived read it, or (None) stop it; raises `ApplyFailed`."""

    def service(self) -> ServiceState:
        """Tell whether keepalived runs."""

    def instances(self) -> list[dict[str, Any]]:
        """Give keepalived's own view (``--signum=JSON``), one entry per VRRP instance."""

    def contest(self, vrid: int) -> None:
        """Tell whoever holds a pair that this node held it too until now, as after a split; raises `OSError`."""

    def generation(self) -> int:
        """Count the reloads asked for since the daemon's start."""


class StateSync(Protocol):
    """conntrackd, which shares flow state among gateways."""

    def check(self, text: str) -> None:
        """Have conntrackd parse a file; raises `Refused`."""

    def configured(self) -> str | None:
        """Give the file's text, None if there is none."""

    def configure(self, text: str | None) -> None:
        """Install a file and start conntrackd anew with it, or (None) stop it; raises `ApplyFailed`."""

    def service(self) -> ServiceState:
        """Tell whether conntrackd runs."""


class Files(Protocol):
    """Files of ours, written atomically with fsync, owner root."""

    def read(self, path: str) -> str | None: ...

    def write(self, path: str, text: str, mode: int = 0o644) -> None: ...

    def remove(self, path: str) -> None:
        """Remove a file durably; a missing one is fine."""

    def names(self, directory: str) -> list[str]:
        """Give the names in a directory, sorted; a missing one is empty."""


class Machine(Protocol):
    """What the machine under the gateway is told of itself: settings by name, each a text.

    ``hostname`` and ``timezone`` are the words themselves; ``hosts``, ``resolver``, ``time-sources`` and ``syslog`` the
    text of a file that a library or a daemon reads.
    """

    def get(self, setting: str) -> str | None:
        """Give what is set, None where nothing is."""

    def set(self, setting: str, value: str | None) -> None:
        """Set it, or (None) take it back, and tell whoever reads it; raises `ApplyFailed`."""

    def has_timezone(self, name: str) -> bool:
        """Tell whether the machine knows a time zone of this name."""


@dataclass(frozen=True, slots=True)
class Account:
    """A login with its role; no password: none but a key opens it."""

    name: str
    role: Role
    password_hash: Secret | None = None


class Accounts(Protocol):
    """Logins: those in one of the groups of the roles are ours, all others are not touched."""

    def ours(self) -> frozenset[Account]:
        """Give our logins as they are."""

    def foreign(self, name: str) -> bool:
        """Tell whether a user or a group that is not ours has this name."""

    def put(self, account: Account) -> None:
        """Make a login, or give it this role and password; raises `ApplyFailed`."""

    def remove(self, name: str) -> None:
        """Remove a login and end its sessions; a missing one is fine; raises `ApplyFailed`."""


class Vici(Protocol):
    """charon by VICI: connections and secrets one by one, messages as nested mappings of texts (README.vici).

    Names and identities are printable ASCII.  Everything raises `MissingTool` where charon does not answer, and
    `ApplyFailed` with charon's words where it refuses.
    """

    def ready(self, within: float) -> bool:
        """Tell whether charon answers, at the latest after so many seconds."""

    def connections(self) -> dict[str, dict[str, Any]]:
        """Give the loaded connections by name, as list-conns reports them."""

    def secrets(self) -> frozenset[str]:
        """Give the ids of the loaded secrets."""

    def load_connection(self, name: str, tree: Mapping[str, Any]) -> None: ...

    def unload_connection(self, name: str) -> None:
        """Unload a connection; a missing one is fine, its associations stay."""

    def load_secret(self, identifier: str, secret: bytes, owners: Sequence[str]) -> None: ...

    def unload_secret(self, identifier: str) -> None:
        """Forget a secret; a missing one is fine."""

    def associations(self) -> list[tuple[str, dict[str, Any]]]:
        """Give the IKE associations with their connection's name, as list-sas reports them, oldest first."""

    def initiate(self, name: str) -> None:
        """Start a connection's child association, and its IKE association where needed; returns at once."""

    def terminate(self, name: str, uniqueid: str | None = None) -> None:
        """Destroy a connection's associations, or one of them, without waiting for the peer; none is fine."""

    def install(self, name: str) -> None:
        """Have packets for the far side start the connection."""

    def uninstall(self, name: str) -> None:
        """Take that back; where it is not so is fine."""

    def follow(self, tell: Callable[[str | None, str], None], stopped: Callable[[], bool]) -> None:
        """Tell what charon says of connections by name (None: of none) until stopped; an empty text: one came or went.

        Returns when stopped; raises `MissingTool` when charon goes.
        """


@dataclass(frozen=True, slots=True)
class Host:
    """All ports of one node."""

    nft: Nft
    netlink: Netlink
    sysctl: Sysctl
    vrrp: Vrrp
    state_sync: StateSync
    files: Files
    vici: Vici
    machine: Machine
    accounts: Accounts
    features: frozenset[str] = field(default_factory=frozenset)
    """Kernel features found at start: "xfrm-interface", "esp", "nexthop", "flowtable"."""
