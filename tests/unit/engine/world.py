"""A world of settings that the engine can change, break and crash: every port call is a chance to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from appliance.config.store import Store
from appliance.engine.errors import ApplyFailed, Refused
from appliance.engine.gateway import Gateway, Model, Valid
from appliance.engine.step import Difference, Phase, Step
from appliance.schema.problem import InvalidConfig, Problem
from appliance.schema.root import Config


class Crash(BaseException):
    """The process dies here: nothing that follows runs, not even a handler of Exception."""


@dataclass
class Faults:
    """Counts the calls to the ports and fails or dies at a chosen one."""

    calls: int = 0
    writes: int = 0
    fail_at: int | None = None
    die_at: int | None = None
    lie: bool = False

    def pass_by(self) -> None:
        self.calls += 1
        if self.calls == self.die_at:
            raise Crash
        if self.calls == self.fail_at:
            raise ApplyFailed(f"injected failure at call {self.calls}")


class MemoryDisk:
    """Files in memory, written whole or not at all; a full disk raises before anything changes."""

    def __init__(self, faults: Faults) -> None:
        self.files: dict[str, str] = {}
        self.faults = faults

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self._spend()
        self.files[path] = text
        self._spend()

    def remove(self, path: str) -> None:
        self._spend()
        self.files.pop(path, None)

    def names(self, directory: str) -> list[str]:
        return sorted(path.rsplit("/", 1)[1] for path in self.files if path.rsplit("/", 1)[0] == directory)

    def _spend(self) -> None:
        self.faults.writes += 1
        try:
            self.faults.pass_by()
        except ApplyFailed as error:
            raise OSError(28, "No space left on device") from error


@dataclass
class World:
    """What the subsystems drive: settings by name.  It stands in for a `Host`."""

    faults: Faults
    settings: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str | None) -> None:
        self.faults.writes += 1
        self.faults.pass_by()
        if value is None:
            self.settings.pop(name, None)
        else:
            self.settings[name] = value
        self.faults.pass_by()


Settings = Mapping[str, str]


class Part:
    """A subsystem whose artefact is the settings that begin with its name."""

    def __init__(self, name: str, phase: Phase) -> None:
        self.name = name
        self.phase = phase

    def render(self, view: Config) -> Settings:
        rules = {f"{self.name}.{number}": str(rule.ports) for number, rule in view.ingress_rules.items()}
        return {**rules, f"{self.name}.policy": str(view.egress_policy)}

    def text(self, artefact: Settings) -> str:
        return str(artefact)

    def check(self, host: Any, artefact: Settings) -> None:
        if artefact.get(f"{self.name}.10") == "666":
            raise Refused("the tool refuses port 666")

    def plan(self, old: Settings | None, new: Settings) -> tuple[Step, ...]:
        before = old or {}
        names = sorted(name for name in {*before, *new} if before.get(name) != new.get(name))
        return tuple(
            Step(
                self.name,
                f"set {name}",
                self.phase,
                partial(_set, name=name, value=new.get(name)),
                partial(_set, name=name, value=before.get(name)),
            )
            for name in names
        )

    def observe(self, host: Any, wanted: Settings) -> Settings:
        return {name: value for name, value in host.settings.items() if name.startswith(f"{self.name}.")}

    def verify(self, host: Any, wanted: Settings) -> tuple[Difference, ...]:
        if host.faults.lie:
            return (Difference(self.name, "everything", "as rendered", "something else"),)
        found = self.observe(host, wanted)
        return () if found == wanted else (Difference(self.name, "settings", str(wanted), str(found)),)


def _set(host: Any, name: str, value: str | None) -> None:
    host.set(name, value)


PARTS = (Part("links", Phase.LINKS), Part("firewall", Phase.FIREWALL), Part("vips", Phase.VIPS))


def validate(tree: dict[str, Any], previous: Valid | None) -> Valid:
    if "broken" in tree:
        raise InvalidConfig([Problem(("broken",), "unknown key")])
    return Valid(tree, Config.model_validate(tree))


MODEL = Model(
    PARTS,
    validate,
    lambda config: {part.name: part.render(config) for part in PARTS},
    lambda config: (),
)


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A gateway over a world, that can be killed and started again."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.disk = MemoryDisk(self.faults)
        self.world = World(self.faults)
        self.clock = Clock()
        self.gateway = self.boot()

    def boot(self) -> Gateway:
        store = Store(self.disk, "/state")
        return Gateway(self.world, store, MODEL, self.clock)  # type: ignore[arg-type]

    def restart(self) -> Gateway:
        self.faults.fail_at = self.faults.die_at = None
        self.gateway = self.boot()
        self.gateway.start()
        return self.gateway

    def snapshot(self) -> tuple[dict[str, str], int | None, dict[str, Any]]:
        pointer = self.gateway.pointer
        return dict(self.world.settings), pointer.revision if pointer else None, self.gateway.running.valid.tree
