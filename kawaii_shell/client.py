"""HTTP and JSON over the daemon's unix socket, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from kawaii_shell.document import Document, Json, document, documents, integer, string, strings

TIMEOUT = 300.0  # seconds; a commit may wait for tunnels
HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "X-Kawaii-Way": "console"}
LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: a path of the configuration."""

    path: tuple[str, ...]
    text: str
    severity: str = "error"
    line: int | None = None
    found: str = ""
    accepted: str = ""


class Refused(Exception):
    """The daemon says no (RFC 9457 problem details): what, why, every problem, and a hint."""

    def __init__(self, status: int, answer: Document) -> None:
        """Read the problem document."""
        self.status = status
        self.title = string(answer.get("title")) or f"the daemon answered {status}"
        self.detail = string(answer.get("detail"))
        self.hint = string(answer.get("hint"))
        self.problems = parse_problems(answer.get("problems"))
        self.answer = answer
        super().__init__(self.title)


class Unreachable(Exception):
    """The daemon does not answer on its socket."""

    def __init__(self, path: str, reason: str) -> None:
        """Say which socket, and what went wrong."""
        super().__init__(f"the daemon does not answer on {path}: {reason}")


def parse_problems(source: Json) -> tuple[Problem, ...]:
    """Read a list of problems."""
    return tuple(
        Problem(
            strings(item.get("path")),
            string(item.get("text")),
            string(item.get("severity"), "error"),
            integer(item.get("line")),
            string(item.get("found")),
            string(item.get("accepted")),
        )
        for item in documents(source)
    )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the unix socket instead of a host (unix(7))."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def is_stale(self) -> bool:
        """Tell whether the daemon has closed the idle connection: nothing else makes it readable now."""
        return self.sock is not None and bool(select.select([self.sock], [], [], 0)[0])


class Client:
    """One kept connection to the daemon; made again where the daemon has closed it. Not for two threads."""

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        """Remember the socket's path and the seconds to wait for an answer; nothing is opened yet."""
        self.path, self.timeout = path, timeout
        self._connection: _UnixConnection | None = None

    def get(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Json:
        """Fetch a document. Raises Refused, Unreachable."""
        text = urlencode(list(query))
        return self._request("GET", f"{path}?{text}" if text else path)

    def post(self, path: str, body: Json = None, query: Iterable[tuple[str, str]] = ()) -> Document:
        """Ask for something to be done. Raises Refused, Unreachable."""
        text = urlencode(list(query))
        return document(self._request("POST", f"{path}?{text}" if text else path, {} if body is None else body))

    def delete(self, path: str) -> None:
        """Delete a resource. Raises Refused, Unreachable."""
        self._request("DELETE", path)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _request(self, method: str, target: str, body: Json = None) -> Json:
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        if self._connection and self._connection.is_stale():
            self.close()
        try:
            status, answer = self._exchange(method, target, raw)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(self.path, self._reason(error)) from error
        except BaseException:
            self.close()  # what is left of this answer must not be taken for the next one
            raise
        if status >= 400:
            raise Refused(status, document(answer))
        return answer

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self.timeout:.0f} seconds"
        return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__

    def _exchange(self, method: str, target: str, raw: bytes | None) -> tuple[int, Json]:
        if self._connection is None:
            self._connection = _UnixConnection(self.path, self.timeout)
        self._connection.request(method, target, body=raw, headers=HEADERS)
        answer = self._connection.getresponse()
        text = answer.read(LIMIT)
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, {"title": f"the daemon answered {answer.status} without a document"}


def url(*parts: str) -> str:
    """Spell a path of the API: each part quoted, slashes too."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
