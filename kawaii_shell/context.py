"""What the parser needs to know of where the user is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kawaii_shell.commands import Path
from kawaii_shell.grammar import Choices, Grammar, Keyed, Leaf, Node, Section
from kawaii_shell.names import Names


class Known(Protocol):
    """What exists, asked for only while a word is being completed."""

    def values(self, source: str) -> Names:
        """Give live values: interfaces, zones, tunnels, whatever the daemon offers under `source`."""

    def keys(self, path: Path) -> Names:
        """Give the names under `path` in the candidate: settings given, keys of a list, items of a leaf-list."""

    def revisions(self) -> Names:
        """Give the revisions that can be loaded."""

    def files_saved(self) -> Names:
        """Give the user's own saved files."""


@dataclass(frozen=True, slots=True)
class Context:
    """The grammar, the mode, the level being edited, the role, and what exists."""

    grammar: Grammar
    known: Known
    role: str = "configure"
    configuring: bool = False
    path: Path = ()

    def node(self) -> Node:
        """Give the node of the level being edited."""
        return node_at(self.grammar.config, self.path)

    def present(self, section: Section, path: Path) -> Choices:
        """Give those settings of a section that the candidate has; all of them where it has none."""
        given = set(self.known.keys(path).words)
        return Choices(choice for choice in section.choices.all if choice.word in given) if given else section.choices


def node_at(root: Section, path: Path) -> Node:
    """Find the node that a path leads to; a path that the grammar does not know ends where it left it."""
    node: Node = root
    for word in path:
        if isinstance(node, Keyed):
            node = node.entry
        elif isinstance(node, Section) and word in node.children:
            node = node.children[word]
        elif isinstance(node, Leaf):
            break
    return node
