"""A node whose private NIC is the loopback, with a gateway in memory, and a client that speaks to its listeners."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

from appliance.engine.errors import ApplyFailed
from appliance.engine.ports import ServiceState
from appliance.ops.operation import Node
from appliance.schema.root import Config
from appliance.subsystems.view import NodeFacts, NodeView, build_view
from tests.unit.engine.world import Bench

ADDRESS = "127.0.0.1"


def free_port() -> int:
    """Give a TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def view_of(services: dict[str, Any], address: str = ADDRESS) -> NodeView:
    """Give a node with these services, whose private NIC has this address."""
    private = {"device": "lo", "subnet": "127.0.0.0/8", "address": address}
    return build_view(Config.model_validate({"interfaces": {"private": private}, "services": services}), NodeFacts())


def _broken(*_arguments: Any) -> NoReturn:
    raise ApplyFailed("nft: <not> installed")


def node_of(bench: Bench, view: NodeView | None = None) -> Node:
    """Bind what the operations look at; its nft does not work, all else is empty."""
    host = SimpleNamespace(
        nft=SimpleNamespace(list_table=_broken),
        vrrp=SimpleNamespace(instances=list, service=lambda: ServiceState(False)),
        netlink=SimpleNamespace(addresses=frozenset, links=dict, routes=frozenset),
        vici=SimpleNamespace(associations=list, connections=dict),
    )
    inspect: Any = SimpleNamespace(flow_count=lambda: (7, 100))
    given: Any = host
    return Node(bench.gateway, given, inspect, NodeFacts(), lambda: view, {}, lambda: ("<b>no & seed</b>",), "1.0")


def ask(
    port: int, path: str, *, token: str | None = None, tls: bool = False, data: dict[str, Any] | None = None
) -> tuple[int, dict[str, str], str]:
    """Ask a listener; gives status, headers by lower-case name and body; raises `OSError` where nobody listens."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(ADDRESS, port, timeout=5, context=context)
    headers = {} if token is None else {"Authorization": token}
    try:
        connection.request("POST" if data is not None else "GET", path, json.dumps(data) if data else None, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((ADDRESS, port)) == 0


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a condition; fails the test when it does not come to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.01)
