"""Loads connections into charon, one step per connection that changed, and reads back what charon has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from appliance.engine.errors import ApplyFailed, EngineError, MissingTool, Refused
from appliance.engine.ports import Host
from appliance.engine.step import Difference, Impact, Phase
from appliance.schema.types import IPNetwork
from appliance.schema.value import MASK
from appliance.subsystems.ipsec.connection import Connection, Tree, connections_of
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeView

log = logging.getLogger(__name__)

READY_WITHIN = 10.0
"""Seconds that charon gets to answer before a commit that needs it is refused: at boot it starts beside us."""
XFRM = "xfrm-interface"
XFRM_MTU = 1400
"""What an xfrm interface carries: 1500 less the most that ESP in UDP adds (RFC 4303, 3948)."""
SPECIAL = frozenset('#{}="\\, ')
"""What a value of strongswan.conf(5) has to be quoted for."""
NO_CHARON = ("charon does not answer", "see the log of strongswan.service; `show ipsec` says more")


class Ipsec(ItemSubsystem[Connection]):
    """Loads, changes and unloads single connections; of all others not an association is touched."""

    name = "ipsec"
    put_phase = Phase.IPSEC
    remove_phase = Phase.IPSEC
    impact = Impact.TUNNEL

    def render(self, view: NodeView) -> frozenset[Connection]:
        """Give the connections that are not disabled."""
        return frozenset(connections_of(view))

    def key(self, item: Connection) -> str:
        """A connection's name, as charon knows it."""
        return item.wire

    def spell(self, item: Connection) -> str:
        """Print a connection in one line, without its secret."""
        ends = f"{' '.join(item.local)} to {item.remote}"
        inside = f"{_list(item.local_networks)} to {_list(item.remote_networks)}"
        return f'"{item.name}" {ends} ({item.ike_proposal}), {inside} ({item.esp_proposal}) [{item.digest}]'

    def text(self, artefact: frozenset[Connection]) -> str:
        """Print what charon gets over VICI in the form of swanctl.conf(5), secrets masked."""
        ordered = sorted(artefact, key=lambda item: item.wire)
        if not ordered:
            return ""
        connections = {item.wire: item.tree(xfrm=True) for item in ordered}
        secrets = {
            f"ike-{item.if_id:08x}": {"id-local": item.local_id, "id-remote": item.remote_id, "secret": MASK}
            for item in ordered
        }
        return "\n".join([*_lines({"connections": connections, "secrets": secrets}, "")]) + "\n"

    def check(self, host: Host, artefact: frozenset[Connection]) -> None:
        """Have charon answer and the files of secrets be there."""
        for item in artefact:
            try:
                secret_of(host, item)
            except ApplyFailed as error:
                raise Refused(error.message, error.hint) from error
        if artefact and not host.vici.ready(READY_WITHIN):
            raise MissingTool(*NO_CHARON)

    def put(self, host: Host, item: Connection) -> None:
        """Load a connection; one of the same name is replaced, its associations live on."""
        if XFRM in host.features:
            host.netlink.add_xfrm(item.device, item.if_id)
            host.netlink.set_link(item.device, up=True, mtu=XFRM_MTU)
        host.vici.load_connection(item.wire, item.tree(xfrm=XFRM in host.features))
        # The secret comes last: its id says that this very connection is loaded.
        host.vici.load_secret(item.secret_id, secret_of(host, item), item.owners)
        for other in _ids_of(item.wire, host.vici.secrets()) - {item.secret_id}:
            host.vici.unload_secret(other)

    def remove(self, host: Host, item: Connection) -> None:
        """Unload a connection, its secret, its associations and its interface."""
        host.vici.unload_connection(item.wire)
        for other in _ids_of(item.wire, host.vici.secrets()):
            host.vici.unload_secret(other)
        host.vici.terminate(item.wire)
        if XFRM in host.features and item.if_id:
            host.netlink.delete_link(item.device)

    def _switch(self, host: Host, *, old: Connection | None, new: Connection | None) -> None:
        was_loaded = old is not None and new is not None and old.secret_id in host.vici.secrets()
        super()._switch(host, old=old, new=new)
        if was_loaded and new is not None:
            # What is up was agreed by the former settings.  It is not, where charon refused those in the first place.
            host.vici.terminate(new.wire)

    def observe(self, host: Host, wanted: frozenset[Connection]) -> frozenset[Connection]:
        """Read what charon has loaded; where it does not answer, the node's agent loads all once it does."""
        try:
            loaded = host.vici.connections()
            ids = host.vici.secrets()
        except MissingTool as error:
            if wanted:
                log.error("tunnels wait for charon: %s", error)
            return wanted
        links = host.netlink.links() if XFRM in host.features else None
        by_wire = {item.wire: item for item in wanted}
        found = set()
        for wire, report in loaded.items():
            item = by_wire.get(wire)
            same = item is not None and item.secret_id in ids and _agrees(item, report)
            if item is not None and same and (links is None or item.device in links):
                found.add(item)
            else:
                found.add(_reported(wire, report, item))
        return frozenset(found)

    def verify(self, host: Host, wanted: frozenset[Connection]) -> tuple[Difference, ...]:
        """Compare what charon reports with what it was given."""
        if wanted and not host.vici.ready(0):
            return (Difference(self.name, "charon", "running", "no answer"),)
        return super().verify(host, wanted)


def reload_forgotten(host: Host, wanted: Iterable[Connection]) -> tuple[str, ...]:
    """Load what charon does not have, as after a restart of it; gives the names; raises `MissingTool`."""
    loaded, ids = host.vici.connections(), host.vici.secrets()
    missing = [item for item in wanted if item.wire not in loaded or item.secret_id not in ids]
    done = []
    for item in missing:
        try:
            Ipsec().put(host, item)
            done.append(item.name)
        except MissingTool:
            raise
        except EngineError as error:
            log.error("connection %s: %s", item.name, error)
    return tuple(done)


def secret_of(host: Host, item: Connection) -> bytes:
    """Give the shared secret, a file's without the newline at its end; raises `ApplyFailed`."""
    if item.secret is not None:
        return item.secret.reveal().encode()
    text = host.files.read(item.secret_file) if item.secret_file else None
    secret = text.removesuffix("\n") if text else ""
    if not secret:
        raise ApplyFailed(f"connection {item.name}: no secret in {item.secret_file}", "pre_shared_key_file names it")
    return secret.encode()


def _ids_of(wire: str, ids: frozenset[str]) -> frozenset[str]:
    """Find the ids of a connection's secrets, whatever settings they came with."""
    return frozenset(item for item in ids if item.startswith("kawaii ") and item.split(" ", 2)[2:] == [wire])


def _agrees(item: Connection, report: Mapping[str, Any]) -> bool:
    """Compare a connection with what list-conns reports of it."""
    seen = _reported(item.wire, report, item)
    ends = (item.local, item.remote, set(item.local_networks), set(item.remote_networks), item.probe)
    return ends == (seen.local, seen.remote, set(seen.local_networks), set(seen.remote_networks), seen.probe)


def _reported(wire: str, report: Mapping[str, Any], item: Connection | None) -> Connection:
    """Give a connection as far as list-conns tells it; algorithms and secrets it does not."""
    child: Mapping[str, Any] = report.get("children", {}).get(wire, {})
    plain = Connection(
        name=item.name if item is not None else wire,
        wire=wire,
        zone="",
        local=tuple(report.get("local_addrs", ())),
        remote=" ".join(report.get("remote_addrs", ())),
        local_id=report.get("local-1", {}).get("id", ""),
        remote_id=report.get("remote-1", {}).get("id", ""),
        local_networks=_networks(child.get("local-ts", ())),
        remote_networks=_networks(child.get("remote-ts", ())),
        ike_proposal="unknown algorithms",
        esp_proposal="unknown algorithms",
        ike_life=0,
        child_life=0,
        child_rekey=0,
        probe=int(report.get("dpd_delay", 0)),
        if_id=0,
    )
    return plain if item is None else replace(plain, if_id=item.if_id)


def _networks(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            # "dynamic", or with a protocol and ports: nothing that we load
            continue
    return tuple(found)


def _list(networks: Iterable[IPNetwork]) -> str:
    return ", ".join(str(network) for network in networks) or "nothing"


def _lines(tree: Tree, indent: str) -> Iterable[str]:
    for key, value in tree.items():
        name = key if key.replace("_", "").replace("-", "").isalnum() else _quoted(key)
        if isinstance(value, dict):
            yield f"{indent}{name} {{"
            yield from _lines(value, indent + "  ")
            yield f"{indent}}}"
        else:
            texts = value if isinstance(value, list) else [value]
            yield f"{indent}{name} = {', '.join(_quoted(text) if set(text) & SPECIAL else text for text in texts)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
