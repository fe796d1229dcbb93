"""What the machine under the gateway is told of itself: name, time zone, resolvers, time servers, remote syslog."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.engine.errors import Refused
from appliance.engine.ports import Host
from appliance.engine.step import Phase
from appliance.schema.problem import InvalidConfig, Problem
from appliance.subsystems.items import ItemSubsystem
from appliance.subsystems.templating import TEMPLATES
from appliance.subsystems.view import NodeView

LONGEST_NAME = 64
"""What the kernel keeps of a host name (__NEW_UTS_LEN, uname(2))."""

SYSLOG_PORT = 514
TARGET = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """A setting and its value, as `Machine` knows them."""

    name: str
    value: str


def target_of(text: str) -> tuple[str, int]:
    """Split HOST or HOST:PORT, an IPv6 address in brackets (RFC 3986); raises `InvalidConfig`."""
    match = TARGET.fullmatch(text)
    port = int(match["port"] or SYSLOG_PORT) if match else 0
    if match is None or not 1 <= port <= 65535:
        accepted = "HOST, HOST:PORT or [ADDRESS6]:PORT"
        raise InvalidConfig([Problem(("system", "syslog"), "not a syslog target", found=text, accepted=accepted)])
    return match["six"] or match["host"], port


class Settings(ItemSubsystem[Setting]):
    """Sets what differs; a setting is always one of a fixed list, so nothing is left over from before."""

    name = "settings"
    put_phase = Phase.SYSTEM
    remove_phase = Phase.SYSTEM

    def render(self, view: NodeView) -> frozenset[Setting]:
        """Give the settings of a configuration; raises `InvalidConfig`."""
        system = view.config.system
        targets = [target_of(text) for text in system.syslog]
        if len(view.hostname) > LONGEST_NAME:
            accepted = f"at most {LONGEST_NAME} characters"
            raise InvalidConfig([Problem(("system", "hostname"), "too long", found=view.hostname, accepted=accepted)])
        texts = {
            "hosts": _fill("hosts.j2", hostname=view.hostname, domain=system.domain),
            "resolver": _fill("resolv.conf.j2", servers=[str(ip) for ip in system.dns], domain=system.domain),
            "time-sources": _fill("kawaii.sources.j2", servers=system.ntp),
        }
        items = {Setting(name, text) for name, text in texts.items()}
        items |= {Setting("hostname", view.hostname), Setting("timezone", system.timezone)}
        if targets:
            items.add(Setting("syslog", _fill("rsyslog.conf.j2", targets=targets)))
        return frozenset(items)

    def text(self, artefact: frozenset[Setting]) -> str:
        """Print every setting under its name."""
        return "".join(f"## {item.name}\n{item.value.rstrip()}\n" for item in sorted(artefact))

    def key(self, item: Setting) -> str:
        """A setting has one value."""
        return item.name

    def spell(self, item: Setting) -> str:
        """Print the value behind the name, a file's lines without its comments."""
        lines = [line.strip() for line in item.value.splitlines() if line.strip() and not line.startswith("#")]
        return f"{item.name} {'; '.join(lines) or 'none'}"

    def check(self, host: Host, artefact: frozenset[Setting]) -> None:
        """Refuse a time zone that the machine does not know."""
        zone = next(item.value for item in artefact if item.name == "timezone")
        if not host.machine.has_timezone(zone):
            raise Refused(f"system timezone {zone}: no such time zone", "a name as Europe/Paris, or UTC")

    def put(self, host: Host, item: Setting) -> None:
        """Set it."""
        host.machine.set(item.name, item.value)

    def remove(self, host: Host, item: Setting) -> None:
        """Take it back."""
        host.machine.set(item.name, None)

    def observe(self, host: Host, wanted: frozenset[Setting]) -> frozenset[Setting]:
        """Read every setting there may be."""
        names = {item.name for item in wanted} | {"syslog"}
        found = ((name, host.machine.get(name)) for name in names)
        return frozenset(Setting(name, value) for name, value in found if value is not None)


def _fill(template: str, **values: object) -> str:
    return TEMPLATES.get_template(template).render(**values)
