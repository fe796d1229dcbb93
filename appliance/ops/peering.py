"""`show peering`: what each peering is made of here, and whether the other end agrees."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from appliance.agents.consent import ConsentAgent, Standing
from appliance.agents.consent_plan import addresses_of
from appliance.agents.consent_protocol import AGREEMENT_LIFE
from appliance.ops.firewall import Hits, read_hits
from appliance.ops.operation import Answer, Argument, Node, Operation, Scalar, Table, columns
from appliance.subsystems.firewall.scope import Peer, derive_scope
from appliance.subsystems.view import NodeView

Row = dict[str, Scalar]


def show_peering(node: Node, words: Mapping[str, str]) -> Answer:
    """The peerings: NIC, addresses held here, gateways, policy, packets let through; and each end's consent."""
    view = node.view()
    agent = node.agents.get(ConsentAgent.name)
    standing = agent.standing() if isinstance(agent, ConsentAgent) else ()
    wanted = words.get("peering")
    peers = [peer for peer in derive_scope(view).peers if wanted in {None, peer.view.name}] if view else []
    links = node.host.netlink.links()
    held = {str(item.address.ip) for item in node.host.netlink.addresses()}
    hits = read_hits(node) or {}
    rows: list[Row] = []
    consents: list[Row] = []
    for peer in peers:
        assert view is not None  # noqa: S101  without a view there are no peers
        rows.append(_peering(view, peer, links, held, hits))
        consents += _consents(peer, standing)
    titles = columns(
        peering="Peering", subnet="Subnet", device="NIC", nic="NIC is", held="Held here", gateways="Their gateways",
        policy="Policy", sent="Packets out", received="Packets in", dropped="Dropped",
    )  # fmt: skip
    lasting = f"an agreement outlives its last proof by {AGREEMENT_LIFE:.0f} s, for a restart of either end"
    notes = (lasting,) if any(peer.gated for peer in peers) else ()
    ends = columns(peering="Peering", local="Our end", remote="Their end", consent="Consent", since="Since")
    return Answer((Table("Peerings", titles, tuple(rows)), Table("Consent", ends, tuple(consents), notes)))


def _peering(view: NodeView, peer: Peer, links: Collection[str], held: Collection[str], hits: Hits) -> Row:
    peering = peer.view
    ours = [str(ip) for pair in view.pairs for _device, ip in addresses_of(peering, pair)]
    return {
        "peering": peering.name,
        "subnet": " ".join(str(network) for network in peering.networks),
        "device": peering.device,
        "nic": "present" if peering.device in links else "MISSING",
        "held": " ".join(address for address in ours if address in held),
        "gateways": " ".join(str(gateway) for gateway in peering.subnet.gateways),
        "policy": str(peering.peering.policy),
        "sent": _packets(hits, f"{peer.name}/out/", but="policy" if peering.peering.policy == "drop" else None),
        "received": _packets(hits, f"{peer.name}/in/", but="policy" if peering.peering.policy == "drop" else None),
        "dropped": _dropped(hits, peer),
    }


def _packets(hits: Hits, stem: str, but: str | None) -> int:
    """Count what the rules let through: the first packets of flows, for established ones pass before them."""
    return sum(packets for name, (packets, _bytes) in hits.items() if name.startswith(stem) and name != f"{stem}{but}")


def _dropped(hits: Hits, peer: Peer) -> int:
    names = [f"{peer.name}/no_consent", f"{peer.name}/dropped"]
    if peer.view.peering.policy == "drop":
        names += [f"{peer.name}/{side}/policy" for side in ("in", "out")]
    return sum(hits[name][0] for name in names if name in hits)


def _consents(peer: Peer, standing: tuple[Standing, ...]) -> list[Row]:
    name = peer.view.name
    if not peer.gated:
        words = "by structure: rules and routes of both ends" if peer.view.subnet.gateways else "the platform's NIC"
        return [{"peering": name, "local": "", "remote": "", "consent": words, "since": None}]
    found = [item for item in standing if item.peering == name]
    if not found:
        words = "no gateway of theirs is configured" if not peer.view.subnet.gateways else "no pair is held here"
        return [{"peering": name, "local": "", "remote": "", "consent": words, "since": None}]
    return [
        {
            "peering": name,
            "local": item.local,
            "remote": item.remote,
            "consent": item.words,
            "since": datetime.fromtimestamp(item.since, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if item.since else None,
        }
        for item in found
    ]


PEERING = Argument("peering", "one peering", "peerings")

OPERATIONS = (
    Operation(("show", "peering"), "Peerings, and whether the other end agrees", show_peering, arguments=(PEERING,)),
)
