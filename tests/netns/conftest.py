"""Labs for the packet tests: each module has its own, each worker its own names."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from appliance.lab.region import Lab
from appliance.lab.seeds import ACME
from tests.netns.node import serving

REGION = frozenset({"gw-a", "gw-b", "inst-a", "inst-b", "kiwi-1", "kiwi-2", "public-host", "internet"})
SERVERS = {
    "internet": ("tcp:25", "tcp:26", "tcp:443", "udp:443", "udp:25", "chatty:9000"),
    "public-host": ("tcp:443", "udp:443"),
    "inst-a": ("tcp:22", "tcp:80", "tcp:443", "udp:443", "tcp:8080", "udp:53"),
    "gw-a": ("tcp:22", "tcp:2222", "tcp:8443", "udp:5353"),
}
"""What listens where; a port nobody may reach has a listener too, so that a refusal cannot look like a drop."""


def lab_name() -> str:
    """Give a name no other lab has."""
    return f"t{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def populated(lab: Lab) -> Iterator[Lab]:
    """Bring a lab up with its servers."""
    with lab, contextlib.ExitStack() as stack:
        for node, specs in SERVERS.items():
            if node in lab.topology.nodes:
                stack.enter_context(serving(lab, node, *specs))
        yield lab


@pytest.fixture(scope="session")
def soon_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The acme example with pairs that come home after one second instead of five: tests wait for that often."""
    document = yaml.safe_load(ACME.read_text(encoding="utf-8"))
    document["kawaii"]["ha"] = {"preempt_delay": 1}
    path = tmp_path_factory.mktemp("region") / "acme-user-data.yaml"
    path.write_text("#cloud-config\n" + yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def region(soon_home: Path) -> Iterator[Lab]:
    """Two zones with everything between an instance and the Internet, shared by a module's tests."""
    with populated(Lab(lab_name(), config=soon_home, nodes=REGION, timeout=60)) as lab:
        yield lab


@pytest.fixture
def whole(region: Lab) -> Iterator[Lab]:
    """The region with both pairs at home, and again at home when the test is over."""
    region.wait_for(lambda: not region.missing(), 30, "both pairs at home before the test")
    yield region
    region.wait_for(lambda: not region.missing(), 30, "both pairs at home after the test")
