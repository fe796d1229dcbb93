"""Walks the words of a command; what may stand at the cursor is what the parser asks for there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kawaii_shell.grammar import Choice, Choices, Value
from kawaii_shell.names import Names, join, names_of
from kawaii_shell.words import Word

NOTHING = Choices(())
Suggest = Callable[[], Names]


@dataclass(frozen=True, slots=True)
class Expected:
    """What may stand at one place: keywords, a word of the user's own with its live values, or the end.

    `known` tells that only what exists makes sense: what is deleted or shown, not what may be new.
    """

    choices: Choices = NOTHING
    value: Value | None = None
    suggest: Suggest | None = None
    end: bool = False
    known: bool = False

    def offers(self) -> Names:
        """Give the words known to fit, keywords first; asks the daemon where values are live."""
        fixed = names_of(self.choices.all)
        if self.value:
            fixed = join(fixed, names_of(self.value.enum.all))
        return join(fixed, self.suggest()) if self.suggest else fixed


class Expecting(Exception):
    """The parser has reached the word that is being completed."""

    def __init__(self, expected: Expected) -> None:
        """Carry what may stand there."""
        super().__init__("the word being completed")
        self.expected = expected


class WordError(Exception):
    """A word that cannot stand where it does; `word` None points behind the last one. Usage, unless a bad value."""

    def __init__(self, message: str, word: Word | None, expected: Expected | None = None, *, value: bool = False):
        """Say what is wrong with which word, and what would do."""
        super().__init__(message)
        self.message, self.word, self.expected, self.value = message, word, expected or Expected(), value


class Cursor:
    """The words of one command, taken one by one; the last one is being completed if `completing`."""

    def __init__(self, words: list[Word], *, completing: bool = False) -> None:
        """Start before the first word."""
        self.words, self.at, self.completing = words, 0, completing

    @property
    def left(self) -> int:
        """Count the words not taken yet."""
        return len(self.words) - self.at

    def keyword(self, choices: Choices) -> Choice:
        """Take a keyword.

        Raises WordError (unknown, ambiguous, missing) or, at the word being completed, Expecting.
        """
        expected = Expected(choices)
        return find(choices, self._word(expected), expected)

    def keyword_or_end(self, choices: Choices, *, end: bool = True) -> Choice | None:
        """Take a keyword; None at the end, where the command may `end` here."""
        return self.keyword(choices) if not self._may_end(Expected(choices, end=end)) else None

    def value(self, value: Value, suggest: Suggest | None = None) -> Word:
        """Take a word of the user's own."""
        return self._word(Expected(NOTHING, value, suggest))

    def value_or_end(
        self, value: Value, suggest: Suggest | None = None, *, end: bool = True, known: bool = False
    ) -> Word | None:
        """Take a word of the user's own; None at the end, where the command may `end` here."""
        expected = Expected(NOTHING, value, suggest, end, known)
        return None if self._may_end(expected) else self._word(expected)

    def either(self, choices: Choices, value: Value, suggest: Suggest | None = None) -> Choice | Word:
        """Take a keyword if the word is one, or the unique beginning of one, else a word of the user's own."""
        word = self._word(Expected(choices, value, suggest))
        if word.quoted:
            return word
        starting = choices.starting(word.text)
        return choices.exact(word.text) or (starting[0] if len(starting) == 1 else word)

    def either_or_end(
        self, choices: Choices, value: Value, suggest: Suggest | None = None, *, end: bool = True
    ) -> Choice | Word | None:
        """Take one or the other; None at the end, where the command may `end` here."""
        expected = Expected(choices, value, suggest, end)
        return self.either(choices, value, suggest) if not self._may_end(expected) else None

    def finish(self) -> None:
        """Check that no word is left over."""
        expected = Expected(end=True)
        if not self._may_end(expected):
            word = self._word(expected)
            raise WordError(f'"{word.text}" is one word too many', word, expected)

    def _may_end(self, expected: Expected) -> bool:
        """Tell whether the command ends here, and may."""
        if self.completing and self.left == 1:
            raise Expecting(expected)
        return expected.end and not self.left

    def _word(self, expected: Expected) -> Word:
        if self.completing and self.left == 1:
            raise Expecting(expected)
        if not self.left:
            raise WordError("the command is not complete", None, expected)
        word = self.words[self.at]
        if word.open:
            raise WordError("the quote that begins here is never closed", word)
        self.at += 1
        return word


def find(choices: Choices, word: Word, expected: Expected) -> Choice:
    """Find the keyword that `word` names or uniquely begins."""
    exact = choices.exact(word.text)
    if exact:
        return exact
    starting = choices.starting(word.text) if word.text else []
    shown = [choice for choice in starting if not choice.hidden] or starting
    if len(shown) == 1:
        return shown[0]
    if shown:
        meant = ", ".join(choice.word for choice in shown[:8])
        raise WordError(f'"{word.text}" is ambiguous: {meant}', word, expected)
    raise WordError(f'unknown word "{word.text}"', word, expected)
