"""The engine's errors, each named by what the reader must do about it."""

from __future__ import annotations

from appliance.schema.problem import Path


class EngineError(Exception):
    """What went wrong, where, and a hint; subclasses say whose turn it is."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class Refused(EngineError):
    """A tool refused what was rendered (``nft -c``, ``keepalived -t``); nothing was touched."""


class MissingTool(EngineError):
    """A program this node needs is not installed or not running."""


class ApplyFailed(EngineError):
    """A step failed; everything done before it was undone."""


class VerifyFailed(EngineError):
    """The kernel or a daemon does not show what was applied; the commit was undone."""


class Denied(EngineError):
    """The caller's role does not allow this."""


class Conflict(EngineError):
    """Somebody else changed the same place meanwhile; `paths` names each."""

    def __init__(self, message: str, paths: tuple[Path, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.paths = paths
