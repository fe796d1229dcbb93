"""The region's router pair: plain keepalived for the addresses they share, and what they forward."""

from __future__ import annotations

from pathlib import Path

from appliance.lab.daemons import DaemonSpec
from appliance.lab.topology import OFFICE_UPLINK, TRANSIT, NodePlan, Topology

VRIDS = {"public": 200, "private": 201, "transit": 202}


def shared_addresses(topology: Topology) -> dict[str, tuple[str, ...]]:
    """Give what the pair holds together, by NIC: every side's next hop."""
    return {
        "public": (f"{topology.kiwi_public}/{topology.public.prefixlen}",),
        "private": (f"{topology.kiwi_private}/{topology.private.prefixlen}",),
        "transit": (f"{TRANSIT[1]}/{TRANSIT.prefixlen}", f"{OFFICE_UPLINK[1]}/{OFFICE_UPLINK.prefixlen}"),
    }


def render_keepalived(topology: Topology, node: NodePlan, other: NodePlan) -> str:
    """Render a Kiwi's keepalived.conf: kiwi-1 first, and no address where a link is down (keepalived.conf(5))."""
    first = node.name == "kiwi-1"
    links = "".join(f"    {segment}\n" for segment in VRIDS)
    blocks = [f"global_defs {{\n  router_id {node.name}\n  vrrp_version 3\n  vrrp_garp_master_delay 1\n}}"]
    for segment, held in shared_addresses(topology).items():
        source, peer = (plan.nics[plan.nic_on(segment)].addresses[0].ip for plan in (node, other))
        addresses = "".join(f"    {address}\n" for address in held)
        blocks.append(
            f"vrrp_instance {segment} {{\n"
            f"  state {'MASTER' if first else 'BACKUP'}\n"
            f"  interface {segment}\n"
            f"  virtual_router_id {VRIDS[segment]}\n"
            f"  priority {200 if first else 100}\n"
            "  advert_int 0.3\n"
            f"  unicast_src_ip {source}\n"
            f"  unicast_peer {{\n    {peer}\n  }}\n"
            f"  track_interface {{\n{links}  }}\n"
            f"  virtual_ipaddress {{\n{addresses}  }}\n"
            "}"
        )
    return "\n".join(blocks) + "\n"


def keepalived_daemon(node: str, netns: str, directory: Path) -> DaemonSpec:
    """Give the daemon of a Kiwi whose keepalived.conf is in `directory`."""
    pids = [str(directory / f"{name}.pid") for name in ("keepalived", "vrrp", "bfd")]
    argv = ("keepalived", "-n", "-l", "-D", "-G", "-P", "-f", str(directory / "keepalived.conf"))
    flags = tuple(word for pair in zip(("-p", "-r", "-b"), pids, strict=True) for word in pair)
    return DaemonSpec(
        node,
        "keepalived",
        netns,
        (*argv, *flags),
        environment={"TMPDIR": str(directory)},
        before=("rm", "-f", *pids),
    )


RULESET = """
table ip kiwi {
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "private" ct state != { established, related } drop
    iifname "private" meta mark set 1
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark 1 masquerade
  }
}
"""
"""Nothing new enters the private subnet past its gateways; what leaves it here has the Kiwi's address."""
