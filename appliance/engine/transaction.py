"""Apply a plan: all steps and verified, or none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.engine.errors import ApplyFailed, EngineError, VerifyFailed
from appliance.engine.ports import Host
from appliance.engine.step import AnySubsystem, Difference, Impact, Step

log = logging.getLogger(__name__)

Artefacts = Mapping[str, Any]
"""Rendered artefacts by subsystem name."""

IMPACTS = (Impact.NONE, Impact.FLOWS, Impact.TUNNEL, Impact.SERVICE)


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps from one set of artefacts to another; `changed` names the subsystems they concern."""

    steps: tuple[Step, ...]
    changed: tuple[str, ...]

    @property
    def impact(self) -> Impact:
        """The worst impact of any step."""
        return max((step.impact for step in self.steps), key=IMPACTS.index, default=Impact.NONE)


def make_plan(subsystems: Sequence[AnySubsystem], old: Artefacts, new: Artefacts) -> Plan:
    """Plan the way from `old` to `new`; a subsystem missing in `old` is replaced as a whole."""
    steps: list[Step] = []
    changed: list[str] = []
    for subsystem in subsystems:
        before, after = old.get(subsystem.name), new[subsystem.name]
        if before is after:
            continue
        own = subsystem.plan(before, after)
        if own:
            steps.extend(own)
            changed.append(subsystem.name)
    steps.sort(key=lambda step: step.phase)
    return Plan(tuple(steps), tuple(changed))


def verify(
    subsystems: Sequence[AnySubsystem], host: Host, artefacts: Artefacts, names: Sequence[str]
) -> list[Difference]:
    """Read back the named subsystems and compare them with what was rendered."""
    found: list[Difference] = []
    for subsystem in subsystems:
        if subsystem.name in names:
            found.extend(subsystem.verify(host, artefacts[subsystem.name]))
    return found


def execute(
    plan: Plan,
    host: Host,
    check: Callable[[], list[Difference]],
    progress: Callable[[Step], None] = lambda _step: None,
) -> None:
    """Apply a plan's steps and `check` them; on any failure revert the done ones in reverse and raise.

    Raises:
        ApplyFailed: a step failed; `VerifyFailed`: what was read back differs.
    """
    done: list[Step] = []
    try:
        for step in plan.steps:
            progress(step)
            done.append(step)
            step.apply(host)
        differences = check()
        if differences:
            raise VerifyFailed(
                "what was read back is not what was applied: " + "; ".join(d.text() for d in differences[:5]),
                "the commit was undone",
            )
    except EngineError as error:
        raise _undone(done, host, error) from error
    except Exception as error:
        raise _undone(done, host, error) from error


def _undone(done: list[Step], host: Host, cause: Exception) -> EngineError:
    failures = revert(done, host)
    if failures:
        return ApplyFailed(f"{cause}; and undoing failed: {'; '.join(failures)}", "run `show drift`")
    if isinstance(cause, EngineError):
        return cause
    failed = done[-1] if done else None
    return ApplyFailed(f"{failed.action if failed else 'reading back'}: {cause}")


def revert(done: Sequence[Step], host: Host) -> list[str]:
    """Undo steps in reverse, all of them even if one fails; gives what failed.

    The step that raised is reverted too: its change may be there in part, and reverting is idempotent.
    """
    failures: list[str] = []
    for step in reversed(done):
        try:
            step.revert(host)
        except Exception as error:  # noqa: BLE001  the step boundary: the other steps are still undone
            log.error("undoing %s failed: %s", step.action, error)
            failures.append(f"{step.action}: {error}")
    return failures
