"""The SSH keys each login may use: one file per login, where sshd_config(5) AuthorizedKeysFile points."""

from __future__ import annotations

from functools import partial

from appliance.engine.ports import Host
from appliance.engine.step import Difference, Impact, Phase, Step
from appliance.subsystems.view import NodeFacts, NodeView

DEFAULT_LOGIN = "kawaii"

LoginKeys = frozenset[tuple[str, str]]
"""(path, text) of every file of ours."""


def keys_of(facts: NodeFacts, configured: dict[str, tuple[str, ...]]) -> LoginKeys:
    """Give the key files: the configuration's keys, and the datasource's for the default login."""
    keys = {name: list(own) for name, own in configured.items()}
    keys.setdefault(DEFAULT_LOGIN, []).extend(facts.public_keys)
    return frozenset(
        (f"{facts.keys_directory}/{name}", "".join(f"{key}\n" for key in dict.fromkeys(own)))
        for name, own in keys.items()
        if own
    )


class Logins:
    """Writes the key files; removes those of logins that are gone."""

    name = "logins"

    def render(self, view: NodeView) -> LoginKeys:
        """Give the key files of a configuration."""
        return keys_of(view.facts, {name: user.keys for name, user in view.config.system.users.items()})

    def text(self, artefact: LoginKeys) -> str:
        """Print every file under its path."""
        return "".join(f"# {path}\n{text}" for path, text in sorted(artefact))

    def check(self, host: Host, artefact: LoginKeys) -> None:
        """Nothing refuses a key file: sshd(8) ignores a line it cannot read."""

    def plan(self, old: LoginKeys | None, new: LoginKeys) -> tuple[Step, ...]:
        """Write what is new or changed, remove what is gone."""
        before, after = dict(old or ()), dict(new)
        return tuple(
            Step(
                subsystem=self.name,
                action=f"{'write' if path in after else 'remove'} {path}",
                phase=Phase.SYSTEM,
                apply=partial(_put, path=path, text=after.get(path)),
                revert=partial(_put, path=path, text=before.get(path)),
                before=before.get(path),
                after=after.get(path),
                impact=Impact.NONE,
            )
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)
        )

    def observe(self, host: Host, wanted: LoginKeys) -> LoginKeys:
        """Read the wanted files as they are."""
        found = ((path, host.files.read(path)) for path, _text in wanted)
        return frozenset((path, text) for path, text in found if text is not None)

    def verify(self, host: Host, wanted: LoginKeys) -> tuple[Difference, ...]:
        """Compare the files with what they should say."""
        return tuple(
            Difference(self.name, path, text, host.files.read(path))
            for path, text in sorted(wanted)
            if host.files.read(path) != text
        )


def _put(host: Host, path: str, text: str | None) -> None:
    if text is None:
        host.files.remove(path)
    else:
        host.files.write(path, text, 0o644)
