"""What the kernel can do is tried, and every trial taken back."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.system.features import kernel_features

PROBE = "xfrm-probe"


class Kernel:
    """ip(8) over a kernel that has some features; a thing is found again by the words that name it."""

    def __init__(self, *features: str) -> None:
        self.features = features
        self.present: set[str] = set()

    def run(self, argv: list[str], **_options: Any) -> SimpleNamespace:
        words = " ".join(argv[1:])
        kind, name = ("esp", words.split(" mode ")[0]) if "xfrm state" in words else ("xfrm-interface", PROBE)
        name = name.replace(" add ", " ").replace(" delete ", " ")
        if " add " in words and kind in self.features:
            self.present.add(name)
            return SimpleNamespace(returncode=0)
        if " delete " in words and "if_id" not in words and name in self.present:
            self.present.remove(name)
            return SimpleNamespace(returncode=0)
        return SimpleNamespace(returncode=2)


@pytest.mark.parametrize(
    ("has", "found"),
    [
        (("esp", "xfrm-interface"), {"esp", "xfrm-interface"}),
        (("esp",), {"esp"}),
        (("xfrm-interface",), set()),
        ((), set()),
    ],
)
def test_features_are_found_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, has: tuple[str, ...], found: set[str]
) -> None:
    kernel = Kernel(*has)
    monkeypatch.setattr(subprocess, "run", kernel.run)
    assert kernel_features() == found
    assert kernel.present == set()


def test_without_ip_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_words: Any, **_options: Any) -> None:
        raise FileNotFoundError("ip")

    monkeypatch.setattr(subprocess, "run", missing)
    assert kernel_features() == frozenset()
