"""Settings that are accepted and checked but that this version does not act on: named at every commit."""

from __future__ import annotations

from appliance.schema.root import Config


def not_applied(config: Config) -> tuple[str, ...]:
    """Give the parts of a configuration that nothing acts on yet, as console paths."""
    parts = {
        "ha track processes": bool(config.ha.track.processes),
        "remote_access": config.remote_access.enabled,
    }
    return tuple(name for name, used in parts.items() if used)
