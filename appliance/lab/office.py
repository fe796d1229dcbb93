"""The far end of the acme tunnel: a plain charon with a swanctl.conf, sharing no code with the gateways' own."""

from __future__ import annotations

import socket
from pathlib import Path

import vici

from appliance.lab.charon import render_strongswan
from appliance.lab.daemons import DaemonSpec
from appliance.lab.seeds import Seeded
from appliance.lab.topology import OFFICE_GATEWAY
from appliance.schema.ipsec import Encryption, Integrity, IpsecConnection

OFFICE_VICI = "run/charon.vici"
MODP = {2: 1024, 5: 1536, 14: 2048, 15: 3072, 16: 4096, 17: 6144, 18: 8192}
OTHER_GROUPS = {
    19: "ecp256",
    20: "ecp384",
    21: "ecp521",
    22: "modp1024s160",
    23: "modp2048s224",
    24: "modp2048s256",
    25: "ecp192",
    26: "ecp224",
    27: "ecp224bp",
    28: "ecp256bp",
    29: "ecp384bp",
    30: "ecp512bp",
    31: "curve25519",
    32: "curve448",
}


def connections_to_office(seeded: Seeded) -> dict[str, IpsecConnection]:
    """Find the connections that the office is the far end of."""
    connections = seeded.config.ipsec.items()
    return {name: item for name, item in connections if item.remote_peer == str(OFFICE_GATEWAY.ip)}


def office_daemon(node: str, netns: str, root: Path, seeded: Seeded, *, esp: bool) -> DaemonSpec:
    """Write the office's configuration below `root` and give its daemon."""
    (root / "run").mkdir()
    vici, settings, connections = root / OFFICE_VICI, root / "strongswan.conf", root / "swanctl.conf"
    connections.write_text(render_swanctl(seeded), encoding="utf-8")
    connections.chmod(0o600)
    load = f"swanctl --load-all --noprompt --uri unix://{vici} --file {connections}"
    settings.write_text(render_strongswan(vici, esp=esp, start_script=load))
    environment = {"STRONGSWAN_CONF": str(settings)}
    return DaemonSpec(node, "charon", netns, ("charon-systemd",), environment=environment, notify=True)


def established(vici_socket: Path) -> list[str]:
    """Give the connections over which the office can send: their IKE SA and a child SA of it are up."""
    found: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(str(vici_socket))
        except OSError:
            return []
        for entry in vici.Session(connection).list_sas():
            for name, association in entry.items():
                children = association.get("child-sas", {}).values()
                if association["state"] == b"ESTABLISHED" and any(c["state"] == b"INSTALLED" for c in children):
                    found.append(name)
    return found


def render_swanctl(seeded: Seeded) -> str:
    """Render the office's side of its connections (swanctl.conf(5)); it answers, the gateways initiate."""
    connections, secrets = "", ""
    for number, item in enumerate(connections_to_office(seeded).values()):
        zones = seeded.config.netcfg.zones
        vip = (zones[item.zone] if item.zone is not None else next(iter(zones.values()))).public_ip
        private = seeded.config.interfaces.private
        inside = item.local_subnets or ((private.subnet,) if private is not None else ())
        behind = (*((item.remote_subnet,) if item.remote_subnet is not None else ()), *item.remote_subnets)
        theirs, ours = item.local_id or str(vip), item.remote_id or item.remote_peer
        connections += (
            f"  office-{number} {{\n"
            "    version = 2\n    mobike = no\n"
            f"    local_addrs = {item.remote_peer}\n"
            f"    remote_addrs = {vip}\n"
            f"    proposals = {_ike(item)}\n"
            f'    local {{\n      auth = psk\n      id = "{ours}"\n    }}\n'
            f'    remote {{\n      auth = psk\n      id = "{theirs}"\n    }}\n'
            "    children {\n      net {\n"
            f"        local_ts = {', '.join(map(str, behind))}\n"
            f"        remote_ts = {', '.join(map(str, inside))}\n"
            f"        esp_proposals = {_esp(item)}\n"
            "      }\n    }\n  }\n"
        )
        # Hexadecimal, so that no character of the secret can mean anything to the parser.
        secret = item.pre_shared_key.reveal().encode().hex() if item.pre_shared_key is not None else "00"
        secrets += f'  ike-{number} {{\n    id = "{theirs}"\n    secret = 0x{secret}\n  }}\n'
    return f"connections {{\n{connections}}}\nsecrets {{\n{secrets}}}\n"


def _aead(encryption: Encryption) -> bool:
    return encryption.value.endswith(("GCM16", "POLY1305"))


def _group(number: int) -> str:
    return f"modp{MODP[number]}" if number in MODP else OTHER_GROUPS[number]


def _ike(item: IpsecConnection) -> str:
    encryption, integrity = item.phase1_encryption_algorithm, item.phase1_integrity_algorithm
    prefix = "prf" if _aead(encryption) else ""
    return f"{_name(encryption)}-{prefix}{_name(integrity)}-{_group(item.phase1_dh_group_number)}"


def _esp(item: IpsecConnection) -> str:
    encryption, integrity = item.phase2_encryption_algorithm, item.phase2_integrity_algorithm
    middle = "" if _aead(encryption) else f"-{_name(integrity)}"
    return f"{_name(encryption)}{middle}-{_group(item.phase2_dh_group_number)}"


def _name(algorithm: Encryption | Integrity) -> str:
    return algorithm.value.lower()
