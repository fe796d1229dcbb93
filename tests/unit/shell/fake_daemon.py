"""A small daemon that keeps the console's contract over a plain tree: just what the API promises, no network."""

from __future__ import annotations

import copy
import itertools
import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.unit.shell.fake_grammar import CONFIG, OPERATIONS

MASK = "********"


class Problem(Exception):
    def __init__(self, status: int, title: str, *problems: tuple[list[str], str], detail: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.answer: dict[str, Any] = {
            "status": status,
            "title": title,
            "detail": detail,
            "problems": [{"path": path, "text": text, "severity": "error"} for path, text in problems],
        }


def node_of(path: list[str]) -> dict[str, Any]:
    node: dict[str, Any] = CONFIG
    for at, part in enumerate(path):
        if node["kind"] == "section":
            if part not in node["children"]:
                raise Problem(422, "Invalid configuration", (path[: at + 1], "unknown key"))
            node = node["children"][part]
        elif node["kind"] == "list":
            node = node["entry"]
    return node


def judge(path: list[str], node: dict[str, Any], value: Any) -> Any:
    if node["type"] == "ports" and not all(
        part.isdigit() and 1 <= int(part) <= 65535 for part in str(value).replace("-", ",").split(",")
    ):
        raise Problem(422, "Invalid configuration", (path, f'not a port (got "{value}", expected 1-65535)'))
    if node.get("enum"):
        found = [word for word in node["enum"] if word.casefold() == str(value).casefold()]
        if not found:
            raise Problem(422, "Invalid configuration", (path, f'got "{value}", expected {", ".join(node["enum"])}'))
        return found[0]
    return value


def flatten(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, dict) or not tree:
        return {path: tree}
    return {key: value for name, below in tree.items() for key, value in flatten(below, (*path, name)).items()}


def mask(tree: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(tree, dict):
        return {name: mask(below, (*path, name)) for name, below in tree.items()}
    return MASK if path and node_of(list(path)).get("secret") else tree


def spell(word: Any) -> str:
    text = word if isinstance(word, str) else json.dumps(word)
    return (
        text if text.isalnum() or set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-/,:") else json.dumps(text)
    )


def as_set(tree: Any, verb: str = "set", path: tuple[str, ...] = ()) -> list[str]:
    lines = []
    for place, value in flatten(tree, path).items():
        words = " ".join(spell(part) for part in place)
        for item in value if isinstance(value, list) else [value]:
            lines.append(f"{verb} {words}" if isinstance(item, dict) else f"{verb} {words} {spell(item)}")
    return lines


def as_yaml(tree: Any, indent: str = "") -> str:
    lines = []
    for name, below in tree.items():
        if isinstance(below, dict):
            lines.append(f"{indent}{name}:\n{as_yaml(below, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {json.dumps(below, ensure_ascii=False)}\n")
    return "".join(lines)


class FakeDaemon:
    """The state behind the socket, and the socket's server."""

    def __init__(self, path: Path, tree: dict[str, Any] | None = None, role: str = "configure") -> None:
        self.path, self.role = path, role
        self.revisions: list[dict[str, Any]] = [copy.deepcopy(tree or {})]
        self.running = copy.deepcopy(tree or {})
        self.sessions: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.deadline: float | None = None
        self.before: dict[str, Any] = {}
        self._ids = itertools.count(1)
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                status, answer = daemon.answer(self.command, self.path, body)
                raw = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if raw:  # an empty write to a client that has its answer and is gone fails
                    self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815  http.server names them so

            def log_message(self, *_: object) -> None:
                """Stay silent."""

            def address_string(self) -> str:
                return "unix"

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> FakeDaemon:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        split = urlsplit(target)
        parts = [unquote(part) for part in split.path.split("/")[2:]]
        query = parse_qsl(split.query)
        self.requests.append((method, split.path, body))
        self._expire()
        try:
            return 200, self._route(method, parts, query, body)
        except Problem as problem:
            return problem.status, problem.answer

    def _expire(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.running, self.deadline = self.before, None

    def _route(self, method: str, parts: list[str], query: list[tuple[str, str]], body: Any) -> Any:
        match method, parts:
            case "GET", ["grammar"]:
                return {"config": CONFIG, "operational": OPERATIONS, "schema_version": "1"}
            case "GET", ["whoami"]:
                left = None if self.deadline is None else round(self.deadline - time.monotonic())
                who = {"user": "kawaii", "uid": 1000, "role": self.role, "node": "gw-a", "zone": "eu-west-a"}
                return {**who, "vrrp": "MASTER", "confirm_seconds": left}
            case "POST", ["sessions"]:
                if self.role != "configure":
                    raise Problem(403, "Not allowed", detail=f"kawaii has role {self.role}, this needs configure")
                name = f"s{next(self._ids)}"
                self.sessions[name] = copy.deepcopy(self.running)
                return {"id": name, "base": len(self.revisions)}
            case "GET", ["config"]:
                return self._config(self.running, query)
            case "POST", ["confirm"]:
                if self.deadline is None:
                    raise Problem(409, "Conflict", detail="no commit waits to be confirmed")
                self.deadline = None
                return {"revision": len(self.revisions) - 1}
            case "GET", ["revisions"]:
                return {"revisions": [{"number": at, "user": "kawaii"} for at in range(len(self.revisions))]}
            case "GET", ["complete"]:
                return {"values": [{"value": "ens3", "help": "up"}, {"value": "ens4", "help": "down"}]}
            case _, ["op", *words]:
                return self._operate(words, dict(query))
            case _, ["sessions", name, *rest]:
                return self._session(method, name, rest, query, body)
        raise Problem(404, "Not found", detail="no such path")

    def _operate(self, words: list[str], query: dict[str, str]) -> Any:
        columns = [{"name": "zone", "title": "Zone"}, {"name": "state", "title": "State"}]
        match words:
            case ["show", "vip"]:
                rows = [{"zone": "eu-west-a", "state": "MASTER"}, {"zone": "eu-west-b", "state": "BACKUP"}]
                return {"title": "VIPs", "columns": columns, "rows": rows, "notes": ["as keepalived says"]}
            case ["show", "log"]:
                return {"text": "\n".join(f"entry {at}" for at in range(int(query.get("lines", "200"))))}
            case ["show", "evil"]:
                return {"text": "\x1b]0;owned\x07 plain"}
        return {"text": " ".join([*words, *(f"{name}={value}" for name, value in query.items())])}

    def _session(self, method: str, name: str, rest: list[str], query: list[tuple[str, str]], body: Any) -> Any:
        if name not in self.sessions:
            raise Problem(404, "Not found", detail=f"no session {name}")
        tree = self.sessions[name]
        match method, rest:
            case "DELETE", []:
                del self.sessions[name]
                return None
            case "GET", []:
                return {"id": name, "base": 1, "edited": tree != self.running}
            case "GET", ["config"]:
                return self._config(tree, query)
            case "POST", ["edit"]:
                edited = copy.deepcopy(tree)
                for op in body["ops"]:
                    edited = self._edit(edited, op)
                self.sessions[name] = edited
                return {"edited": edited != self.running, "warnings": []}
            case "GET", ["compare"]:
                return self._compare(tree, dict(query))
            case "POST", ["commit"]:
                return self._commit(name, body)
        raise Problem(404, "Not found", detail="no such path")

    def _config(self, tree: dict[str, Any], query: list[tuple[str, str]]) -> Any:
        path = [value for key, value in query if key == "path"]
        form = dict(query).get("format", "json")
        at: Any = tree if dict(query).get("secrets") == "1" else mask(tree)
        for part in path:
            at = at.get(part, {})
        if form == "json":
            return {"tree": at}
        if form == "set":
            return {"text": "".join(f"{line}\n" for line in as_set(at, path=tuple(path))) if at else ""}
        return {"text": as_yaml(at if isinstance(at, dict) else {path[-1]: at})}

    def _edit(self, tree: dict[str, Any], op: dict[str, Any]) -> dict[str, Any]:
        match op["op"]:
            case "discard":
                return copy.deepcopy(self.running)
            case "rollback":
                if op["revision"] >= len(self.revisions):
                    raise Problem(404, "Not found", detail=f"no revision {op['revision']}")
                return copy.deepcopy(self.revisions[op["revision"]])
            case "load":
                loaded: dict[str, Any] = json.loads(op["text"]) if op["format"] == "json" else {"loaded": op["text"]}
                return {**tree, **loaded} if op["mode"] == "merge" else loaded
        path = op["path"]
        node = node_of(path)
        above: Any = tree
        for part in path[:-1]:
            above = above.setdefault(part, {})
        name = path[-1]
        if op["op"] == "set" and node["kind"] == "leaflist":
            above[name] = [*above.get(name, []), judge(path, node, op["value"])]
        elif op["op"] == "set" and op.get("value") is None:
            above.setdefault(name, {})
        elif op["op"] == "set":
            above[name] = judge(path, node, op["value"])
        elif name not in above:
            raise Problem(422, "Invalid configuration", (path, "there is nothing here"))
        elif op["op"] == "delete" and op.get("value") is not None:
            above[name] = [item for item in above[name] if item != op["value"]]
        elif op["op"] == "delete":
            del above[name]
        else:
            above[op["to"][-1]] = above[name] if op["op"] == "copy" else above.pop(name)
        return tree

    def _compare(self, tree: dict[str, Any], query: dict[str, str]) -> Any:
        base = self.revisions[int(query["revision"])] if "revision" in query else self.running
        old, new = flatten(mask(base)), flatten(mask(tree))
        changes: list[dict[str, Any]] = [
            {"path": list(path), "before": old.get(path), "after": new.get(path)}
            for path in dict.fromkeys([*old, *new])
            if path and old.get(path) != new.get(path)
        ]
        lines = []
        for change in changes:
            words = " ".join(spell(part) for part in change["path"])
            lines += [f"- {words} {spell(change['before'])}"] if change["before"] is not None else []
            lines += [f"+ {words} {spell(change['after'])}"] if change["after"] is not None else []
        if query.get("format") == "set":
            lines = [line.replace("+ ", "set ", 1).replace("- ", "delete ", 1) for line in lines]
        return {"text": "\n".join(lines), "changes": changes}

    def _commit(self, name: str, body: dict[str, Any]) -> Any:
        tree = self.sessions[name]
        wrong = [
            (["ingress_rules", number, "ports"], "missing (expected a port list)")
            for number, rule in tree.get("ingress_rules", {}).items()
            if "ports" not in rule
        ]
        if wrong:
            raise Problem(422, "Invalid configuration", *wrong, detail="nothing was changed")
        changed = tree != self.running
        plan = [{"subsystem": "firewall", "action": "change", "before": "", "after": "", "impact": "none"}]
        answer: dict[str, Any] = {
            "revision": None,
            "plan": plan if changed else [],
            "impact": "none",
            "warnings": [],
            "seconds": 0.01,
        }
        if body["check"] or not changed:
            return {**answer, "not_applied": [], "confirm_seconds": None}
        self.before = self.running
        self.running = copy.deepcopy(tree)
        self.revisions.append(copy.deepcopy(tree))
        self.deadline = time.monotonic() + body["confirmed_seconds"] if body["confirmed_seconds"] else None
        answer |= {"revision": len(self.revisions) - 1, "confirm_seconds": body["confirmed_seconds"]}
        return {**answer, "not_applied": [], "comment": body["comment"]}
