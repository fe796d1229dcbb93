"""The read-only status page: what the operational commands show, as HTML without scripts or outside assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape

from appliance.engine.errors import EngineError
from appliance.ops.ipsec import show_ipsec
from appliance.ops.nexthops import show_next_hops
from appliance.ops.operation import Answer, Node, Scalar, Table
from appliance.ops.peering import show_peering
from appliance.ops.show import show_commits, show_vip

REFRESH = 10
"""Seconds between two loads of the page."""
LAST_COMMITS = 10

STYLE = """
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif }
body { margin: 0 auto; max-width: 70rem; padding: 1rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin: 1.5rem 0 .4rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; min-width: 100% }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left; white-space: nowrap }
.good { color: #17803d } .bad { color: #c22 } .problem { border-left: 4px solid #c22; padding-left: .6rem }
"""

GOOD = frozenset({"MASTER", "established", "alive", "present", "running", "agreed"})
BAD = frozenset({"FAULT", "not running", "down", "DEAD", "MISSING", "partly"})

SECTIONS: tuple[Callable[[Node, Mapping[str, str]], Answer], ...] = (
    show_vip,
    show_ipsec,
    show_peering,
    show_next_hops,
    show_commits,
)


def render_page(node: Node) -> str:
    """Render the whole page; a part that cannot be read says why in its place."""
    view = node.view()
    name = view.hostname if view else "kawaii"
    zone = (view.zone if view else node.facts.zone) or "none"
    problems = "".join(f'<p class="problem">{escape(text)}</p>' for text in node.problems())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" '
        f'content="{REFRESH}"><title>{escape(name)}</title><style>{STYLE}</style></head><body>'
        f"<h1>{escape(name)}</h1><p>Zone {escape(zone)}, Kawaii {escape(node.version)}</p>{problems}"
        f"{''.join(_section(node, show) for show in SECTIONS)}</body></html>"
    )


def _section(node: Node, show: Callable[[Node, Mapping[str, str]], Answer]) -> str:
    try:
        tables = show(node, {}).tables
    except (EngineError, OSError) as error:
        return f'<p class="problem">{escape(str(error))}</p>'
    if show is show_commits:
        tables = tuple(replace(table, rows=table.rows[:LAST_COMMITS]) for table in tables)
    return "".join(render_table(table) for table in tables)


def render_table(table: Table) -> str:
    """Render a table of an operation; without rows only its notes, or a dash."""
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    heading = f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        return heading + (notes or "<p>none</p>")
    titles = "".join(f"<th>{escape(column.title)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(_cell(row.get(column.name)) for column in table.columns)}</tr>" for row in table.rows)
    return f'{heading}<div class="wide"><table><tr>{titles}</tr>{rows}</table></div>{notes}'


def _cell(value: Scalar) -> str:
    text = {None: "", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)
    kind = "good" if text in GOOD else "bad" if text in BAD else ""
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"
