"""Records docs/console.md's session and screenshots from a gateway of the lab: ``python -m tests.console.record``."""

from __future__ import annotations

import re
import tempfile
import uuid
from html import escape
from pathlib import Path

import pyte

from appliance.lab.region import Lab
from tests.unit.shell.terminal import Terminal

DOCS = Path(__file__).resolve().parents[2] / "docs"
CELL = (8, 17)  # pixels
COLOURS = {"default": "#d8dee9", "green": "#a3be8c", "red": "#bf616a", "brown": "#ebcb8b"}
SESSION = (
    ("show vip", "> "),
    ("configure", "# "),
    ("set ingress_rules 20 ports 9443", "*# "),
    ("set ingress_rules 20 prots 9443", "*# "),
    ("set ingress_rules 30 ports 70000", "*# "),
    ("compare", "*# "),
    ("show ingress_rules", "*# "),
    ("commit check", "*# "),
    ("commit confirmed 30s", "]# "),
    ("confirm", "# "),
    ("rollback 1", "*# "),
    ("commit comment 'as it was'", "# "),
    ("run show commits", "# "),
    ("exit", "> "),
)


def draw(screen: pyte.Screen) -> str:
    """Draw a terminal's screen as SVG: text in cells, colours and bold as the terminal would show them."""
    width, height = (screen.columns + 2) * CELL[0], (screen.lines + 1) * CELL[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        '<g font-family="monospace" font-size="13">',
        f'<rect width="{width}" height="{height}" rx="6" fill="#2e3440"/>',
    ]
    for row in range(screen.lines):
        cells = screen.buffer[row]
        at = 0
        while at < screen.columns:
            style = (cells[at].fg, cells[at].bold)
            end = at
            while end < screen.columns and (cells[end].fg, cells[end].bold) == style:
                end += 1
            text = "".join(cells[column].data for column in range(at, end)).rstrip()
            if text:
                weight = ' font-weight="bold"' if style[1] else ""
                place = f'x="{(at + 1) * CELL[0]}" y="{(row + 1) * CELL[1]}" textLength="{len(text) * CELL[0]}"'
                colour = COLOURS.get(style[0], COLOURS["default"])
                parts.append(f'<text {place} fill="{colour}"{weight} xml:space="preserve">{escape(text)}</text>')
            at = end
    return "\n".join([*parts, "</g></svg>", ""])


def record_session(api: Path, home: Path) -> str:
    """Type the session on a tall terminal and give what it showed."""
    with Terminal(api, home, size=(100, 160)) as terminal:
        terminal.prompt()
        for line, ending in SESSION:
            terminal.run(line, ending)
        return terminal.text.rsplit("\n", 2)[0]


def record_screens(api: Path, home: Path) -> dict[str, str]:
    """Give screenshots of 80 by 24: what `?` says, marks of changes, a pager, a watched answer."""
    shots = {}
    with Terminal(api, home) as terminal:
        terminal.prompt()
        terminal.run("configure", "# ")
        terminal.send("set ingress_rules ?")
        terminal.see("ports 8443")
        terminal.send("20 ?")
        terminal.see("<Enter>")
        shots["help"] = draw(terminal.screen)
        terminal.send("\x15")
        terminal.run("set ingress_rules 20 ports 9443", "*# ")
        terminal.run("delete egress_rules 10", "*# ")
        terminal.run("compare", "*# ")
        terminal.run("commit confirmed 30s", "]# ")
        shots["commit"] = draw(terminal.screen)
        terminal.run("rollback 1", "]# ")
        terminal.send("commit and-quit\r")
        terminal.prompt()
        terminal.send("show firewall\r")
        terminal.see("---(more")
        shots["pager"] = draw(terminal.screen)
        terminal.send("q")
        terminal.prompt()
        terminal.send("monitor vip\r")
        terminal.see("any key ends")
        shots["monitor"] = draw(terminal.screen)
        terminal.send("q")
        terminal.prompt()
    return shots


def main() -> None:
    """Bring a gateway up, record, write."""
    nodes = frozenset({"gw-a", "gw-b", "kiwi-1", "kiwi-2"})
    with tempfile.TemporaryDirectory() as home, Lab(f"d{uuid.uuid4().hex[:8]}", nodes=nodes, timeout=90) as lab:
        api = Path(lab.status()["nodes"]["gw-a"]["api"])
        session = record_session(api, Path(home))
        screens = record_screens(api, Path(home))
    (DOCS / "console").mkdir(exist_ok=True)
    for name, drawing in screens.items():
        (DOCS / "console" / f"{name}.svg").write_text(drawing, encoding="utf-8")
    page = DOCS / "console.md"
    text = page.read_text(encoding="utf-8")
    block = f"<!-- recorded -->\n```\n{session}\n```\n<!-- end of the recording -->"
    recorded = re.sub(r"<!-- recorded -->.*<!-- end of the recording -->", lambda _: block, text, flags=re.DOTALL)
    page.write_text(recorded, encoding="utf-8")


if __name__ == "__main__":
    main()
