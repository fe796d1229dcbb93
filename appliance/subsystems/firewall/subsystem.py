"""The firewall as the engine drives it: one table, one step, read back from the kernel."""

from __future__ import annotations

from appliance.engine.ports import Host
from appliance.engine.step import Difference, Phase, Step
from appliance.subsystems.firewall.compare import compare
from appliance.subsystems.firewall.delta import changed_parts, delta
from appliance.subsystems.firewall.render import closed_ruleset, render_ruleset
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE, Ruleset
from appliance.subsystems.view import NodeView


class Firewall:
    """Table ``inet kawaii``; `closed` is loaded where there is no configuration, or none to go back to."""

    name = "firewall"

    def __init__(self, closed: Ruleset | None = None) -> None:
        self._closed = closed_ruleset() if closed is None else closed

    def render(self, view: NodeView) -> Ruleset:
        """Give the table; a node without any NIC of the tree stays closed (semantics S11)."""
        if view.public is None and view.private is None:
            return self._closed
        return render_ruleset(view)

    def text(self, artefact: Ruleset) -> str:
        """Print the transaction that loads the whole table."""
        return artefact.text()

    def check(self, host: Host, artefact: Ruleset) -> None:
        """Load the table into an empty scratch kernel; raises `Refused`."""
        host.nft.canonical(artefact.text(), FAMILY, TABLE)

    def plan(self, old: Ruleset | None, new: Ruleset) -> tuple[Step, ...]:
        """Change what differs in one transaction; without knowledge of what is there, load all of it."""
        if old == new:
            return ()
        if old is None:
            forth, back = new.text(), self._closed.text()
            action, before, after = "load the firewall", None, forth
        else:
            forth, back = delta(old, new), delta(new, old)
            action, before, after = "change the firewall", changed_parts(new, old), changed_parts(old, new)
        step = Step(
            subsystem=self.name,
            action=action,
            phase=Phase.FIREWALL,
            apply=lambda host: host.nft.apply(forth),
            revert=lambda host: host.nft.apply(back),
            before=before,
            after=after,
        )
        return (step,)

    def observe(self, host: Host, wanted: Ruleset) -> Ruleset | None:
        """Give `wanted` if the kernel has exactly that; else the table is replaced."""
        return None if self.verify(host, wanted) else wanted

    def verify(self, host: Host, wanted: Ruleset) -> tuple[Difference, ...]:
        """Compare the kernel's listing with that of a fresh load, but for counts and dynamic elements."""
        return compare(
            wanted,
            host.nft.canonical(wanted.text(), FAMILY, TABLE),
            host.nft.list_table(FAMILY, TABLE),
        )
