"""Flow state shared among the zones' gateways by conntrackd, so that a take-over cuts no connection (semantics S8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from appliance.engine.ports import Host
from appliance.engine.step import Difference, Impact, Phase, Step
from appliance.subsystems.templating import TEMPLATES
from appliance.subsystems.view import NodeView

PORT = 3780
GROUP = "225.0.0.50"
"""Where three and more gateways share state; the firewall takes it from peers' addresses only."""


@dataclass(frozen=True, slots=True)
class StateSyncConf:
    """conntrackd's file; `text` None: nothing to share, no conntrackd."""

    text: str | None


class StateSyncSubsystem:
    """Renders conntrackd's file; the daemon is started anew only when its text changed.

    Two gateways talk to each other reliably (FTFW over UDP).  That protocol knows one peer, so three and more send to a
    multicast group without acknowledgements.
    """

    name = "state_sync"

    def render(self, view: NodeView) -> StateSyncConf:
        """Give the file of a node that has peers to share with."""
        private = view.private
        peers = [str(neighbour.address) for neighbour in view.neighbours if neighbour.address.version == 4]
        if private is None or not peers or not view.config.ha.conntrack_sync:
            return StateSyncConf(None)
        source = next((str(item.ip) for item in private.addresses if item.version == 4), None)
        if source is None:
            return StateSyncConf(None)
        text = TEMPLATES.get_template("conntrackd.conf.j2").render(
            reliable=len(peers) == 1,
            source=source,
            peers=peers,
            port=PORT,
            group=GROUP,
            device=private.device,
            runtime=str(PurePosixPath(view.facts.vrrp_directory).parent),
            ignored=[source, *peers],
        )
        return StateSyncConf(text)

    def text(self, artefact: StateSyncConf) -> str:
        """Print conntrackd's file."""
        return artefact.text or ""

    def check(self, host: Host, artefact: StateSyncConf) -> None:
        """Have conntrackd read the file."""
        if artefact.text is not None:
            host.state_sync.check(artefact.text)

    def plan(self, old: StateSyncConf | None, new: StateSyncConf) -> tuple[Step, ...]:
        """Replace the file and start conntrackd anew if its text changed."""
        before = old.text if old is not None else None
        if old is not None and before == new.text:
            return ()
        return (
            Step(
                subsystem=self.name,
                action="stop sharing flow state" if new.text is None else "share flow state by a new configuration",
                phase=Phase.STATE_SYNC,
                apply=partial(_configure, text=new.text),
                revert=partial(_configure, text=before),
                before=before,
                after=new.text,
                impact=Impact.NONE,
            ),
        )

    def observe(self, host: Host, wanted: StateSyncConf) -> StateSyncConf:
        """Read the file that is there; one that conntrackd does not run is as good as none."""
        text = host.state_sync.configured()
        running = host.state_sync.service().running
        return StateSyncConf(text if running else None)

    def verify(self, host: Host, wanted: StateSyncConf) -> tuple[Difference, ...]:
        """Compare the file, and see that conntrackd runs exactly when there is one."""
        found: list[Difference] = []
        if host.state_sync.configured() != wanted.text:
            found.append(Difference(self.name, "conntrackd.conf", "as rendered", "another text"))
        running = host.state_sync.service().running
        if running != (wanted.text is not None):
            words = {True: "running", False: "not running"}
            found.append(Difference(self.name, "conntrackd", words[not running], words[running]))
        return tuple(found)


def _configure(host: Host, *, text: str | None) -> None:
    host.state_sync.configure(text)
