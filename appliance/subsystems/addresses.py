"""The node's fixed addresses; the virtual ones are keepalived's."""

from __future__ import annotations

from appliance.engine.ports import AddressOn, Host
from appliance.engine.step import Impact, Phase
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.view import NodeView


class Addresses(ItemSubsystem[AddressOn]):
    """Adds and removes the addresses the configuration states, and no other."""

    name = "addresses"
    put_phase = Phase.ADDRESSES
    remove_phase = Phase.REMOVE_ADDRESSES
    impact = Impact.SERVICE

    def render(self, view: NodeView) -> frozenset[AddressOn]:
        """Give the fixed addresses of the public and the private NIC."""
        nics = [nic for nic in (view.public, view.private) if nic is not None]
        return frozenset(AddressOn(nic.device, address) for nic in nics for address in nic.addresses)

    def key(self, item: AddressOn) -> str:
        """An address has one place per device."""
        return f"{item.device} {item.address}"

    def spell(self, item: AddressOn) -> str:
        """Print as ip-address(8) words."""
        return f"{item.address} dev {item.device}"

    def put(self, host: Host, item: AddressOn) -> None:
        """Add the address."""
        host.netlink.add_address(item)

    def remove(self, host: Host, item: AddressOn) -> None:
        """Remove the address, and put back those of our routes that the kernel took along with it."""
        before = host.netlink.routes()
        host.netlink.delete_address(item)
        for route in before - host.netlink.routes():
            host.netlink.replace_route(route)

    def observe(self, host: Host, wanted: frozenset[AddressOn]) -> frozenset[AddressOn]:
        """Read which of the wanted addresses are there; others may be the VIPs' or somebody else's."""
        return host.netlink.addresses() & wanted
