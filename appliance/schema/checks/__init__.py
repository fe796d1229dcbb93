"""Every check across the tree: what no single value can tell about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from appliance.schema.problem import Problem
from appliance.schema.root import Config

Verdicts = Mapping[str, tuple[Problem, ...]]
"""What each check found, by its name."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule across the tree.

    `judges` are the sections whose entries it finds fault with one by one, so that it can be run while other entries
    are missing; `reads` are those it must know in full.
    """

    find: Callable[[Config], Iterable[Problem]]
    judges: tuple[str, ...]
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The check's name, as its function's."""
        return self.find.__name__


CHECKS: tuple[Check, ...] = ()


def run_checks(
    config: Config, previous: Config | None, known: Verdicts, damaged: frozenset[str] = frozenset()
) -> Verdicts:
    """Run every check whose sections changed since `previous`, and take over what is `known` of the others.

    Checks that must know a `damaged` section in full are left out.
    """
    verdicts: dict[str, tuple[Problem, ...]] = {}
    for check in CHECKS:
        if damaged.intersection(check.reads):
            continue
        sections = check.judges + check.reads
        same = previous is not None and all(getattr(config, name) is getattr(previous, name) for name in sections)
        verdicts[check.name] = known[check.name] if same and check.name in known else tuple(check.find(config))
    return verdicts
