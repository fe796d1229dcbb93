"""Operational commands: typed functions that return data, and the registry the console and the API learn them from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.agents.agent import Agent
from appliance.engine.gateway import Gateway
from appliance.engine.ports import Host
from appliance.schema.types import Role
from appliance.subsystems.view import NodeFacts, NodeView

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name for machines, its title for people."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Table:
    """What an operation answers with: rows of scalars by column name, notes for people."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Scalar], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One or more tables, or a text where the thing itself is a text (a configuration)."""

    tables: tuple[Table, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """A word an operation takes; `values` names the live values it completes from."""

    name: str
    help: str
    values: str | None = None
    optional: bool = True


class Inspect(Protocol):
    """Reads what the kernel has, ours or not, for people to see; changes nothing but conntrack entries."""

    def links(self) -> list[dict[str, Any]]: ...

    def routes(self, family: int, table: str = "all") -> list[dict[str, Any]]: ...

    def neighbours(self) -> list[dict[str, Any]]: ...

    def flows(self, limit: int) -> list[dict[str, Scalar]]: ...

    def flow_count(self) -> tuple[int, int]: ...

    def flush_flows(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Node:
    """What operations look at: the engine, the host's ports, and what the node knows of itself."""

    gateway: Gateway
    host: Host
    inspect: Inspect
    facts: NodeFacts
    view: Callable[[], NodeView | None]
    agents: Mapping[str, Agent]
    """The daemon's agents by name, for what they know."""
    problems: Callable[[], tuple[str, ...]]
    """What is wrong since start, in plain words: a refused seed, a revision that no longer applies."""
    version: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A command of the operational mode."""

    words: tuple[str, ...]
    help: str
    run: Callable[[Node, Mapping[str, str]], Answer]
    role: Role = Role.VIEW
    arguments: tuple[Argument, ...] = ()
    changes: bool = False


def columns(**titles: str) -> tuple[Column, ...]:
    """Make columns of ``name="Title"`` pairs."""
    return tuple(Column(name, title) for name, title in titles.items())
