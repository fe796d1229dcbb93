"""Names on offer: thousands of rules as well as three words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kawaii_shell.grammar import Choice, plain


def _unexplained(_name: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Names:
    """Words in order, and what each means: looked up for those that are shown, not for all there are."""

    words: Sequence[str] = ()
    explain: Callable[[str], str] = _unexplained

    def beginning(self, start: str) -> Names:
        """Give the names that begin with `start`, `-` and `_` alike; if none do, those that do in any case."""
        found = [word for word in self.words if word.startswith(start)]
        if not found or "_" in start or "-" in start:
            wanted = plain(start)
            found = [word for word in self.words if plain(word).startswith(wanted)]
        folded = start.casefold()
        return replace(self, words=found or [word for word in self.words if word.casefold().startswith(folded)])

    def common(self) -> str:
        """Give what all names begin with."""
        if not self.words:
            return ""
        low, high = min(self.words), max(self.words)
        differ = (at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
        return low[: next(differ, min(len(low), len(high)))]


NONE = Names()


def names_of(choices: Iterable[Choice]) -> Names:
    """Offer choices; hidden ones are not offered."""
    helps = {choice.word: choice.help for choice in choices if not choice.hidden}
    return Names(tuple(helps), lambda name: helps.get(name, ""))


def join(first: Names, second: Names) -> Names:
    """Offer both, each name once."""
    if not first.words or not second.words:
        return first if first.words else second
    words = tuple(dict.fromkeys((*first.words, *second.words)))
    return Names(words, lambda name: first.explain(name) or second.explain(name))
