"""Checks of tunnels and of remote access."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from appliance.schema.checks.finding import Findings, error, warning
from appliance.schema.checks.overlap import remote_networks
from appliance.schema.ipsec import WEAK_DH_GROUPS, Integrity, RemoteAccessAuth
from appliance.schema.problem import Path
from appliance.schema.root import Config
from appliance.schema.types import IPAddress

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


def tunnel_complete(config: Config) -> Findings:
    """A connection has one secret, in the tree or in a file, and something behind it."""
    for name, connection in config.ipsec.items():
        path = ("ipsec", name)
        secrets = (connection.pre_shared_key, connection.pre_shared_key_file)
        if all(secret is None for secret in secrets):
            yield error((*path, "pre_shared_key"), "missing", accepted="a secret text, or pre_shared_key_file")
        if all(secret is not None for secret in secrets):
            yield error((*path, "pre_shared_key_file"), "a second secret beside pre_shared_key", accepted="one of both")
        networks = remote_networks(connection)
        if not networks:
            yield error((*path, "remote_subnet"), "missing", accepted="an address or CIDR")


def own_addresses(config: Config) -> dict[IPAddress, Path]:
    """Give the addresses of all our gateways, with where each stands."""
    found: dict[IPAddress, Path] = {}
    for zone, plan in config.netcfg.zones.items():
        for attribute in ("public_ip", "public_ip6", "private_ip", "private_ip6", "peer"):
            address = getattr(plan, attribute)
            if address is not None:
                found[address] = ("netcfg", "zones", zone, attribute)
    for role in ("public", "private"):
        interface = getattr(config.interfaces, role)
        for attribute in ("address", "address6") if interface is not None else ():
            address = getattr(interface, attribute)
            if address is not None:
                found[address] = ("interfaces", role, attribute)
    return found


def remote_peers(config: Config) -> Findings:
    """A remote peer is one host, by address or name, and not one of our own gateways."""
    ours = own_addresses(config)
    accepted = "one address, as 192.0.2.1, or a host name"
    for name, connection in config.ipsec.items():
        path = ("ipsec", name, "remote_peer")
        text = connection.remote_peer.strip()
        address = _address(text)
        if address is None:
            # What ends in digits would be taken for an address by whoever resolves it.
            if not _HOST_NAME.fullmatch(text) or text.rpartition(".")[2].isdigit():
                message = "a network, not one host" if _is_network(text) else "not a host"
                yield error(path, message, f'"{connection.remote_peer}"', accepted)
        elif address in ours:
            yield error(path, f"our own {' '.join(ours[address])}", address, "the address of the other end")
        elif address.is_unspecified or address.is_multicast or address.is_loopback:
            yield error(path, "not the address of a host elsewhere", address, accepted)


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def tunnel_ends(config: Config) -> Findings:
    """The zone that a tunnel ends in has a public VIP of the peer's family."""
    zones = config.netcfg.zones
    for name, connection in config.ipsec.items():
        zone = connection.zone or next(iter(zones), None)
        if zone is None:
            yield error(("ipsec", name, "zone"), "no zone to end in", accepted="an entry of netcfg zones")
            continue
        plan = zones.get(zone)
        peer = _address(connection.remote_peer.strip())
        if plan is None:
            continue
        ends = [plan.public_ip, plan.public_ip6] if peer is None else [getattr(plan, _end_of(peer))]
        if all(end is None for end in ends):
            family = f" of IPv{peer.version}" if peer is not None else ""
            yield error(("ipsec", name, "zone"), f"zone {zone} has no public VIP{family}", zone)


def _end_of(peer: IPAddress) -> str:
    return "public_ip" if peer.version == 4 else "public_ip6"


def weak_cryptography(config: Config) -> Findings:
    """SHA1 and the DH groups 2, 5, 22, 23 and 24 are weak (RFC 8247)."""
    for name, connection in config.ipsec.items():
        for phase in ("phase1", "phase2"):
            group = getattr(connection, f"{phase}_dh_group_number")
            if group in WEAK_DH_GROUPS:
                path = ("ipsec", name, f"{phase}_dh_group_number")
                yield warning(path, "a weak Diffie-Hellman group", group, "14-21 or 31")
            if getattr(connection, f"{phase}_integrity_algorithm") is Integrity.SHA1:
                path = ("ipsec", name, f"{phase}_integrity_algorithm")
                yield warning(path, "a weak integrity algorithm", "SHA1", "SHA256, SHA384, SHA512")


def rekey_in_time(config: Config) -> Findings:
    """A rekey time that was written is shorter than the child's life; else it is clipped."""
    for name, connection in config.ipsec.items():
        if "rekey" in connection.model_fields_set and connection.rekey >= connection.phase2_lifetime:
            life = connection.phase2_lifetime
            yield warning(
                ("ipsec", name, "rekey"), "clipped: the child SA's life ends before", connection.rekey, f"under {life}"
            )


def durations_positive(config: Config) -> Findings:
    """Lives and time-outs are more than no time."""
    attributes = ("phase1_lifetime", "phase2_lifetime", "rekey", "dpd_timeout")
    for name, connection in config.ipsec.items():
        for attribute in attributes:
            if getattr(connection, attribute).seconds == 0:
                yield error(("ipsec", name, attribute), "no time at all", "0s", "at least 1s")


def remote_access_complete(config: Config) -> Findings:
    """Remote access that is enabled has addresses to give, a zone, and users with passwords."""
    access = config.remote_access
    if not access.enabled:
        return
    if access.pool is None:
        yield error(("remote_access", "pool"), "missing", accepted="an address or CIDR")
    if access.zone is None and not config.netcfg.zones:
        yield error(("remote_access", "zone"), "no zone to answer in", accepted="an entry of netcfg zones")
    if access.auth is RemoteAccessAuth.EAP_MSCHAPV2:
        for name, user in access.users.items():
            if user.password is None:
                yield error(("remote_access", "users", name, "password"), "missing", accepted="a secret text")


def service_ports_apart(config: Config) -> Findings:
    """Two services that are enabled do not listen on one port."""
    services = config.services
    page_alone = services.status_page.enabled and not services.api.enabled
    listening = (
        ("metrics", services.metrics.port, services.metrics.enabled),
        ("api", services.api.port, services.api.enabled),
        ("status_page", services.status_page.port, page_alone),
    )
    taken = {22: "ssh"}
    for name, port, enabled in listening:
        if enabled and port in taken:
            yield error(("services", name, "port"), f"the port of services {taken[port]} too", port)
        elif enabled:
            taken[port] = name
