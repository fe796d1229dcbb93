"""From a document as it was written to the keyed tree: other spellings made canonical, lists keyed, lines kept.

Values are judged later, by the schema: whatever has the wrong type here is passed on as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticCustomError

from appliance.config.strict_yaml import Node
from appliance.config.tree import Tree
from appliance.schema.aliases import MOVED, SUMMARIES, canonical_key
from appliance.schema.problem import Path, Problem
from appliance.schema.shape import Keyed, Leaf, LeafList, Part, Shape, root_shape

# Kinds that are texts even where they look like a number: 0123 as a secret keeps its zero.
_TEXTUAL = frozenset({"text", "title", "secret", "name", "hostname", "device", "group-name"})


@dataclass(frozen=True, slots=True)
class Located:
    """A problem and its line; 0 where there is none to tell."""

    line: int
    problem: Problem


@dataclass(slots=True)
class Document:
    """A keyed tree whose values were not judged yet, the line of each path, and what was wrong with the form."""

    tree: Tree
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Located] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Give the line of a path, or of the nearest place above it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def read_document(root: Node) -> Document:
    """Bring a whole configuration into the tree's canonical form."""
    document = Document({})
    document.lines[()] = root.line
    if root.value is None:
        return document
    if not isinstance(root.value, dict):
        problem = Problem((), "not a configuration", describe(root), "a mapping of sections")
        document.problems.append(Located(root.line, problem))
        return document
    document.tree = _Reader(document, root).part(root, root_shape(), ())
    return document


def read_value(value: Any, shape: Shape, path: Path) -> tuple[Any, list[Problem]]:
    """Bring plain data for one place of the tree (an API request's body) into its canonical form."""
    node = to_node(value)
    document = Document({})
    return _Reader(document, node).read(node, shape, path), [located.problem for located in document.problems]


def to_node(value: Any) -> Node:
    """Wrap plain data as a document's value, without lines."""
    if isinstance(value, dict):
        return Node({str(key): to_node(child) for key, child in value.items()})
    if isinstance(value, list | tuple):
        return Node([to_node(child) for child in value])
    return Node(value, written=None if value is None or isinstance(value, str) else str(value))


def to_plain(node: Node) -> Any:
    """Unwrap a document's value."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(child) for child in node.value]
    return node.value


def describe(node: Node) -> str:
    """Name a value's form for an error."""
    if isinstance(node.value, dict):
        return "a mapping"
    return "a list" if isinstance(node.value, list) else "a single value"


class _Reader:
    """One pass over a document; collects lines and problems as it goes."""

    def __init__(self, document: Document, root: Node) -> None:
        self._lines = document.lines
        self._problems = document.problems
        self._root = root

    def read(self, node: Node, shape: Shape, path: Path) -> Any:
        if isinstance(shape, Part):
            return self.part(node, shape, path)
        if isinstance(shape, Keyed):
            return self._keyed(node, shape, path)
        if isinstance(shape, LeafList):
            if isinstance(node.value, list):
                return [_scalar(item, shape.item) for item in node.value]
            return to_plain(node)
        return _scalar(node, shape)

    def part(self, node: Node, shape: Part, path: Path) -> Any:
        if not isinstance(node.value, dict):
            return to_plain(node)
        self._lines.setdefault(path, node.line)
        result: Tree = {}
        came_as: dict[str, str] = {}
        summaries: list[tuple[Path, str, Node, int]] = []
        for spelled, key, child, line in self._children(node.value, node, shape, path):
            here = (*path, key)
            summary = SUMMARIES.get(shape.model, {}).get(key)
            if summary is not None:
                summaries.append((here, summary, child, line))
                continue
            if key in came_as:
                self._problem(here, f"given twice, as {came_as[key]} and as {spelled}", line)
                continue
            came_as[key] = spelled
            self._lines[here] = line
            attribute = shape.attributes.get(key)
            if child.value is None and attribute is not None:
                continue
            result[key] = self.read(child, attribute.shape, here) if attribute else to_plain(child)
        if summaries:
            self._summaries(result, summaries)
        return result

    def _children(
        self, children: dict[str, Node], node: Node, shape: Part, path: Path
    ) -> list[tuple[str, str, Node, int]]:
        """List a section's children as (as written, attribute or the same, value, line)."""
        found: list[tuple[str, str, Node, int]] = []
        for written, child in children.items():
            line = node.keys.get(written, node.line)
            moved = MOVED.get(shape.model, {}).get(written)
            if moved is None or not isinstance(child.value, dict):
                found.append((written, canonical_key(shape, written) or written, child, line))
                continue
            for inner, value in child.value.items():
                inner_line = child.keys.get(inner, line)
                if inner in moved:
                    found.append((f"{written} {inner}", moved[inner], value, inner_line))
                else:
                    self._problem((*path, written, inner), "unknown key", inner_line, ", ".join(moved))
        return found

    def _keyed(self, node: Node, shape: Keyed, path: Path) -> Any:
        if isinstance(node.value, dict) and _is_one_object(node.value, shape):
            return self._list([node], shape, path)
        if isinstance(node.value, list):
            return self._list(node.value, shape, path)
        if not isinstance(node.value, dict):
            return to_plain(node)
        result: Tree = {}
        for written, child in node.value.items():
            key = _spell_key(shape.key_leaf, written)
            self._enter(result, shape, (*path, key), child, node.keys.get(written, node.line))
        return _ordered(result, shape)

    def _list(self, items: list[Node], shape: Keyed, path: Path) -> Tree:
        result: Tree = {}
        for index, item in enumerate(items, 1):
            if not isinstance(item.value, dict) or not isinstance(shape.entry, Part):
                self._problem(path, f"entry {index} is {describe(item)}", item.line, "a mapping")
                continue
            if shape.key.numbered:
                self._enter(result, shape, (*path, str(index * 10)), item, item.line)
                continue
            name = item.value.get(shape.key.name)
            if name is None or isinstance(name.value, dict | list) or name.value is None:
                self._problem(path, f"entry {index} has no {shape.key.name}", item.line)
                continue
            rest = {key: child for key, child in item.value.items() if key != shape.key.name}
            key = _spell_key(shape.key_leaf, name.written if name.written is not None else str(name.value))
            self._enter(result, shape, (*path, key), Node(rest, item.line, keys=item.keys), item.line)
        return _ordered(result, shape)

    def _enter(self, result: Tree, shape: Keyed, here: Path, child: Node, line: int) -> None:
        if here[-1] in result:
            self._problem(here, f"the same {shape.key.name} a second time", line)
            return
        self._lines[here] = line
        if child.value is None and isinstance(shape.entry, Part):
            result[here[-1]] = {}
        else:
            result[here[-1]] = self.read(child, shape.entry, here)

    def _summaries(self, netcfg: Tree, given: list[tuple[Path, str, Node, int]]) -> None:
        """Compare the addresses given beside the zones with the zones', or make the one zone that they describe."""
        zones = netcfg.get("zones")
        made = not zones
        for path, attribute, node, line in given:
            items = node.value if isinstance(node.value, list) else [node]
            addresses = [to_plain(item) for item in items if item.value is not None]
            if made and addresses:
                self._make_zone(netcfg, path, attribute, addresses, line)
            elif isinstance(zones, dict):
                known = [zone.get(attribute) for zone in zones.values() if isinstance(zone, dict)]
                for address in addresses:
                    if address not in known:
                        told = ", ".join(str(item) for item in known if item is not None) or None
                        self._problem(path, "not in netcfg zones", line, told, str(address))

    def _make_zone(self, netcfg: Tree, path: Path, attribute: str, addresses: list[Any], line: int) -> None:
        system = self._root.value.get("system") if isinstance(self._root.value, dict) else None
        own = system.value.get("zone") if system and isinstance(system.value, dict) else None
        if len(addresses) != 1 or own is None or not isinstance(own.value, str):
            self._problem(path, "addresses without their zones", line, "netcfg zones with zone, vrid and addresses")
            return
        here = (*path[:-1], "zones", own.value)
        netcfg.setdefault("zones", {}).setdefault(own.value, {})[attribute] = addresses[0]
        self._lines.setdefault(here, line)
        self._lines[(*here, attribute)] = line

    def _problem(
        self, path: Path, message: str, line: int, accepted: str | None = None, found: str | None = None
    ) -> None:
        self._problems.append(Located(line, Problem(path, message, found, accepted)))


def _is_one_object(children: dict[str, Node], shape: Keyed) -> bool:
    """Tell a single entry, written without its list, from entries by key."""
    if not isinstance(shape.entry, Part):
        return False
    if not shape.key.numbered:
        key = children.get(shape.key.name)
        return key is not None and not isinstance(key.value, dict | list)
    return any(canonical_key(shape.entry, key) is not None for key in children)


def _scalar(node: Node, leaf: Leaf) -> Any:
    value = node.value
    if leaf.kind in _TEXTUAL and isinstance(value, int | float) and node.written is not None:
        return node.written
    return to_plain(node)


def _spell_key(leaf: Leaf, text: str) -> str:
    try:
        return str(leaf.spell(leaf.parse(text)))
    except PydanticCustomError:
        return text


def _ordered(entries: Tree, shape: Keyed) -> Tree:
    return dict(sorted(entries.items(), key=lambda item: shape.position(item[0]))) if shape.key.numbered else entries
