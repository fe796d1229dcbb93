"""The templates of the text that daemons read (Jinja2: undefined names are errors, nothing is escaped)."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  configuration files, not pages: escaping would corrupt them
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
