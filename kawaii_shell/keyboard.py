"""Keys of the line editor: Tab, `?`, Ctrl-D, pasted lines."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.application.current import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.input.base import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys

from kawaii_shell.answer import Answer, plain_answer
from kawaii_shell.client import Refused, Unreachable
from kawaii_shell.console import Console
from kawaii_shell.cursor import WordError
from kawaii_shell.listing import complete, explain
from kawaii_shell.screen import Page
from kawaii_shell.words import words_of

LEAVE = "\x04"


def bind_keys(console: Console, page: Callable[[], Page]) -> KeyBindings:
    """Make the keys that the console adds to those of Emacs."""
    keys = KeyBindings()
    empty = Condition(lambda: not get_app().current_buffer.text)

    def tell(line: str, ask: Callable[[], Answer]) -> None:
        """Print an answer below the line it is about; the prompt comes again behind it."""
        try:
            text = ask().text(page())
        except (Refused, Unreachable) as error:
            text = str(error)
        except WordError as error:
            text = error.message
        shown = console.prompt().rpartition("\n")[2] + line
        run_in_terminal(lambda: print(f"{shown}\n{text}"))

    @keys.add("tab")
    def _complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        before = buffer.document.text_before_cursor
        try:
            completion = complete(before, console.context())
        except WordError as error:
            message = error.message
            tell(before, lambda: plain_answer(message))
            return
        if completion.line != before:
            buffer.delete_before_cursor(len(before))
            buffer.insert_text(completion.line)
        listing = completion.listing
        if listing:
            tell(before, lambda: listing)

    @keys.add("?")
    def _explain(event: KeyPressEvent) -> None:
        before = event.current_buffer.document.text_before_cursor
        words = words_of(before)
        if words and words[-1].open:
            event.current_buffer.insert_text("?")
            return
        tell(before + "?", lambda: explain(before, console.context()))

    @keys.add("c-d", filter=empty)
    def _leave(event: KeyPressEvent) -> None:
        event.app.exit(result=LEAVE)

    @keys.add("c-z")
    def _nothing(event: KeyPressEvent) -> None:
        """A login shell has nowhere to go back to."""

    @keys.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        buffer = event.current_buffer
        if "\n" not in text:
            buffer.insert_text(text)
        else:
            event.app.exit(result=buffer.document.text_before_cursor + text + buffer.document.text_after_cursor)

    return keys


def lines_ahead(source: Input) -> list[str]:
    """Take the whole lines that were typed ahead, up to a key that edits; a terminal that pastes without brackets."""
    keys: list[KeyPress] = get_typeahead(source)
    lines: list[str] = []
    line = ""
    taken = 0
    for at, press in enumerate(keys):
        if press.key in (Keys.ControlM, Keys.ControlJ):
            lines.append(line)
            line, taken = "", at + 1
        elif len(press.key) == 1 and press.key != "?":
            line += press.key
        else:
            break
    store_typeahead(source, keys[taken:])
    return lines
