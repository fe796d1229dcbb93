"""The netlink port against the kernel: what is put is what is read, twice as well as once (semantics S10, R02, R04)."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import SELF_TABLE, AddressOn, Hop, PolicyRule, RouteTo
from appliance.system.namespace import CLONE_NEWNET, enter
from appliance.system.netlink import Rtnetlink

pytestmark = pytest.mark.netns
MAC = "02:00:00:00:00:07"


def ip(*words: str) -> list[dict[str, Any]]:
    """Ask iproute2, as an independent witness."""
    text = subprocess.run(["ip", "-json", "-details", *words], capture_output=True, text=True, check=True).stdout
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found


@pytest.fixture
def port() -> Iterator[Rtnetlink]:
    """A port in a namespace of its own, with two NICs ens3 and ens4 whose far ends are up."""
    name = f"n{uuid.uuid4().hex[:8]}"
    before = os.open(f"/proc/{os.getpid()}/ns/net", os.O_RDONLY)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        enter(name)
        for device in ("ens3", "ens4"):
            pair = ["ip", "link", "add", device, "type", "veth", "peer", "name", f"{device}-far"]
            subprocess.run(pair, check=True)
            subprocess.run(["ip", "link", "set", f"{device}-far", "up"], check=True)
        netlink = Rtnetlink()
        for device in ("ens3", "ens4"):
            netlink.set_link(device, up=True)
        yield netlink
        netlink.close()
    finally:
        _back(before)
        subprocess.run(["ip", "netns", "del", name], check=True)


def _back(descriptor: int) -> None:
    import ctypes

    assert ctypes.CDLL(None).setns(descriptor, CLONE_NEWNET) == 0
    os.close(descriptor)


def on(device: str, address: str) -> AddressOn:
    return AddressOn(device, ip_interface(address))


def to(destination: str, *hops: Hop, metric: int = 0, table: int = 254, source: str | None = None) -> RouteTo:
    return RouteTo(ip_network(destination), hops, metric, table, ip_address(source) if source else None)


def via(gateway: str | None, device: str = "ens4", weight: int = 1, *, onlink: bool = False) -> Hop:
    return Hop(ip_address(gateway) if gateway else None, device, weight, onlink)


def test_link_state_and_mtu(port: Rtnetlink) -> None:
    port.set_link("ens3", up=False, mtu=1400)
    assert (port.links()["ens3"].up, port.links()["ens3"].mtu) == (False, 1400)
    port.set_link("ens3", up=True)
    assert port.links()["ens3"].up
    assert ip("link", "show", "ens3")[0]["mtu"] == 1400


def test_missing_device_is_named(port: Rtnetlink) -> None:
    with pytest.raises(ApplyFailed, match="there is no interface ens9"):
        port.set_link("ens9", up=True)
    with pytest.raises(ApplyFailed, match="ens9"):
        port.add_address(on("ens9", "10.0.0.1/24"))


def test_macvlan_is_made_once_replaced_when_different_and_removed(port: Rtnetlink) -> None:
    port.add_macvlan("vip2", "ens4", MAC)
    first = port.links()["vip2"]
    assert (first.kind, first.parent, first.mac) == ("macvlan", "ens4", MAC)
    assert ip("link", "show", "vip2")[0]["linkinfo"]["info_data"]["mode"] == "bridge"
    port.add_macvlan("vip2", "ens4", MAC)
    assert port.links()["vip2"].index == first.index
    port.add_macvlan("vip2", "ens3", MAC)
    assert port.links()["vip2"].parent == "ens3"
    port.delete_link("vip2")
    port.delete_link("vip2")
    assert "vip2" not in port.links()


def test_addresses_of_both_families_come_and_go(port: Rtnetlink) -> None:
    items = {on("ens4", "10.50.201.11/24"), on("ens4", "10.50.201.252/32"), on("ens4", "fd00:50::11/64")}
    for item in items:
        port.add_address(item)
        port.add_address(item)
    assert port.addresses() == items
    for item in items:
        port.delete_address(item)
        port.delete_address(item)
    assert port.addresses() == frozenset()


def test_an_address_that_is_refused_says_which(port: Rtnetlink) -> None:
    with pytest.raises(ApplyFailed, match=r"ff02::5.*ens4"):
        port.add_address(on("ens4", "ff02::5/64"))


def test_routes_are_read_as_they_were_put(port: Rtnetlink) -> None:
    port.add_address(on("ens4", "10.50.201.11/24"))
    port.add_address(on("ens4", "fd00:50::11/64"))
    wanted = {
        to("10.8.0.0/16", via("10.50.201.1")),
        to("10.9.0.0/16", via(None), metric=5, source="10.50.201.11"),
        to("0.0.0.0/0", via("10.50.201.1"), table=SELF_TABLE),
        to("198.51.100.0/24", via("4.5.6.62", "ens3", onlink=True), metric=7),
        to("10.10.0.0/16", via("10.50.201.1", weight=2), via("10.50.201.2", weight=1)),
        to("203.0.113.0/24", via("4.5.6.62", "ens3", 2, onlink=True), via("4.5.6.61", "ens3", onlink=True)),
        to("fd00:8::/32", via("fd00:50::1"), metric=1024),
        to("fd00:9::/32", via("fd00:50::1", weight=3), via("fd00:50::2", weight=1), metric=1024),
    }
    for route in wanted:
        port.replace_route(route)
        port.replace_route(route)
    assert port.routes() == wanted
    for route in wanted:
        port.delete_route(route)
        port.delete_route(route)
    assert port.routes() == frozenset()


def test_changed_weight_replaces_and_other_metrics_stay(port: Rtnetlink) -> None:
    port.add_address(on("ens4", "10.50.201.11/24"))
    spare = to("10.10.0.0/16", via("10.50.201.3"), metric=20)
    port.replace_route(spare)
    port.replace_route(to("10.10.0.0/16", via("10.50.201.1"), via("10.50.201.2"), metric=10))
    heavier = to("10.10.0.0/16", via("10.50.201.1", weight=3), via("10.50.201.2"), metric=10)
    port.replace_route(heavier)
    assert port.routes() == {spare, heavier}
    port.delete_route(heavier)
    assert port.routes() == {spare}


def test_foreign_routes_are_neither_seen_nor_removed(port: Rtnetlink) -> None:
    port.add_address(on("ens4", "10.50.201.11/24"))
    subprocess.run(["ip", "route", "add", "10.20.0.0/16", "via", "10.50.201.1", "proto", "static"], check=True)
    assert port.routes() == frozenset()
    port.delete_route(to("10.20.0.0/16", via("10.50.201.1")))
    assert [route["dst"] for route in ip("route", "show", "proto", "static")] == ["10.20.0.0/16"]


def test_unreachable_gateway_is_refused_with_the_route(port: Rtnetlink) -> None:
    with pytest.raises(ApplyFailed, match=r"10\.8\.0\.0/16.*10\.99\.0\.1"):
        port.replace_route(to("10.8.0.0/16", via("10.99.0.1")))


def test_rules_come_once_and_go(port: Rtnetlink) -> None:
    wanted = {
        PolicyRule(33000, SELF_TABLE, 4, "lo"),
        PolicyRule(33000, SELF_TABLE, 6, "lo"),
        PolicyRule(100, 300, 4, None, 7),
    }
    for rule in wanted:
        port.add_rule(rule)
        port.add_rule(rule)
    assert port.rules() == wanted
    assert [rule["iif"] for rule in ip("rule", "show", "pref", "33000")] == ["lo"]
    for rule in wanted:
        port.delete_rule(rule)
        port.delete_rule(rule)
    assert port.rules() == frozenset()


def test_own_traffic_only_uses_the_self_table(port: Rtnetlink) -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for device in ("all", "ens3"):
        Path(f"/proc/sys/net/ipv4/conf/{device}/rp_filter").write_text("0")
    port.add_address(on("ens4", "10.50.201.11/24"))
    port.replace_route(to("0.0.0.0/0", via("10.50.201.1"), table=SELF_TABLE))
    port.add_rule(PolicyRule(33000, SELF_TABLE, 4, "lo"))
    assert ip("route", "get", "198.51.100.10")[0]["gateway"] == "10.50.201.1"
    forwarded = ["ip", "route", "get", "198.51.100.10", "from", "10.50.201.20", "iif", "ens4"]
    result = subprocess.run(forwarded, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "unreachable" in result.stderr.lower()


def test_thousands_of_routes(port: Rtnetlink) -> None:
    port.add_address(on("ens4", "10.50.201.11/24"))
    routes = [to(f"10.{128 + n // 250}.{n % 250}.0/24", via("10.50.201.1")) for n in range(2000)]
    began = time.monotonic()
    for route in routes:
        port.replace_route(route)
    put = time.monotonic() - began
    assert port.routes() == set(routes)
    for route in routes:
        port.delete_route(route)
    assert port.routes() == frozenset()
    print(f"2,000 routes put in {put:.2f} s")
