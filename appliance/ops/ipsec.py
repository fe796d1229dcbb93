"""`show ipsec` and `reset ipsec`: tunnels as charon has them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from appliance.agents.tunnel import child_of
from appliance.agents.tunnels import TunnelAgent
from appliance.engine.errors import EngineError, MissingTool
from appliance.ops.operation import Answer, Argument, Node, Operation, Scalar, Table, columns
from appliance.schema.problem import InvalidConfig, Problem
from appliance.schema.types import Role
from appliance.subsystems.ipsec.connection import Connection, connections_of, zone_of

Associations = dict[str, list[dict[str, Any]]]
TITLES = columns(
    name="Name", zone="Zone", peer="Peer", state="State", reason="Why", owner="Owner here", local="Local",
    remote="Remote", spi_in="SPI in", spi_out="SPI out", bytes_in="Bytes in", bytes_out="Bytes out", since="Since",
)  # fmt: skip


def show_ipsec(node: Node, words: Mapping[str, str]) -> Answer:
    """The connections with what is up of them."""
    view = node.view()
    configured = view.config.ipsec if view else {}
    wanted = {words["name"]: configured[words["name"]]} if _known(node, words) else configured
    loaded = {item.name: item for item in connections_of(view)} if view else {}
    try:
        found, names = _associations(node), set(node.host.vici.connections())
        notes: tuple[str, ...] = ()
    except MissingTool as error:
        found, names, notes = {}, set(), (str(error),) if configured else ()
    held = {str(item.address.ip) for item in node.host.netlink.addresses()}
    rows: list[dict[str, Scalar]] = []
    for name, given in wanted.items():
        item = loaded.get(name)
        row: dict[str, Scalar] = {
            "name": name,
            "zone": zone_of(given, view.config.netcfg.zones) if view else "",
            "peer": given.remote_peer,
            "owner": item is not None and bool(held & set(item.local)),
        }
        if item is None:
            row |= {"state": "disabled", "reason": ""}
        else:
            row |= _state(node, item, found.get(item.wire, []), owner=bool(row["owner"]))
            if item.wire not in names:
                row |= {"state": "down", "reason": "charon does not have it"}
        rows.append({column.name: row.get(column.name) for column in TITLES})
    return Answer((Table("IPsec connections", TITLES, tuple(rows), notes),))


def _state(node: Node, item: Connection, associations: list[dict[str, Any]], *, owner: bool) -> dict[str, Scalar]:
    inside = {
        "local": " ".join(str(network) for network in item.local_networks),
        "remote": " ".join(str(network) for network in item.remote_networks),
    }
    for association in reversed(associations):
        child = child_of(association)
        if child is not None:
            return {
                **inside,
                "state": "established",
                "reason": "",
                "spi_in": child.get("spi-in"),
                "spi_out": child.get("spi-out"),
                "bytes_in": int(child.get("bytes-in", 0)),
                "bytes_out": int(child.get("bytes-out", 0)),
                "since": _since(int(child.get("install-time", 0))),
            }
    reason = _note(node, item)
    if not owner and not associations:
        return {**inside, "state": "elsewhere", "reason": f"another gateway holds {' '.join(item.local)}"}
    if any(association["state"] == "CONNECTING" for association in associations):
        return {**inside, "state": "connecting", "reason": reason or "waiting for the peer's answer"}
    return {**inside, "state": "down", "reason": reason or "nobody has started it"}


def _note(node: Node, item: Connection) -> str:
    agent = node.agents.get(TunnelAgent.name)
    return agent.note(item.wire) if isinstance(agent, TunnelAgent) else ""


def _since(seconds: int) -> str:
    """Give the time so many seconds ago, UTC."""
    return datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _associations(node: Node) -> Associations:
    found: Associations = {}
    for wire, association in node.host.vici.associations():
        found.setdefault(wire, []).append(association)
    return found


def _known(node: Node, words: Mapping[str, str]) -> bool:
    """Tell whether a connection is named; raises `InvalidConfig` for one that does not exist."""
    name = words.get("name")
    if name is None:
        return False
    view = node.view()
    names = view.config.ipsec if view else {}
    if name not in names:
        accepted = ", ".join(names) or "an entry of ipsec"
        raise InvalidConfig([Problem(("ipsec", name), "no such connection", found=name, accepted=accepted)])
    return True


def reset_ipsec(node: Node, words: Mapping[str, str]) -> Answer:
    """Take a connection down; where its VIP is here, it is started again at once."""
    view = node.view()
    if not _known(node, words) or view is None:
        raise InvalidConfig([Problem(("ipsec",), "no connection named", accepted="the name of one")])
    item = next((item for item in connections_of(view) if item.name == words["name"]), None)
    if item is None:
        raise EngineError(f"connection {words['name']} is disabled")
    node.host.vici.terminate(item.wire)
    agent = node.agents.get(TunnelAgent.name)
    if isinstance(agent, TunnelAgent):
        agent.again(item.wire)
    held = {str(address.address.ip) for address in node.host.netlink.addresses()}
    state = "being started again" if held & set(item.local) else f"on the gateway that holds {' '.join(item.local)}"
    row = {"name": item.name, "state": state}
    return Answer((Table("IPsec connection", columns(name="Name", state="State"), (row,)),))


NAME = Argument("name", "Name of the connection", values="tunnels")

OPERATIONS = (
    Operation(("show", "ipsec"), "IPsec connections: state, peers, traffic", show_ipsec, arguments=(NAME,)),
    Operation(
        ("reset", "ipsec"),
        "Take an IPsec connection down and start it again",
        reset_ipsec,
        role=Role.OPERATE,
        arguments=(Argument("name", "Name of the connection", values="tunnels", optional=False),),
        changes=True,
    ),
)
