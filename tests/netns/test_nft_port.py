"""The nftables port against the kernel's own nftables."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from appliance.engine.errors import ApplyFailed, MissingTool, Refused
from appliance.subsystems.firewall.compare import compare
from appliance.subsystems.firewall.ruleset import FAMILY, TABLE
from appliance.subsystems.firewall.subsystem import Firewall
from appliance.system.nft import NftProgram
from tests.netns.scratch import scratch_namespace
from tests.unit.subsystems.firewall_cases import CASES, GOLDEN, view_of

pytestmark = pytest.mark.netns

GOOD = "table inet kawaii { chain c { tcp dport 80 accept; }; }"
BAD = "table inet kawaii { chain c { tcp dport eighty-thousand accept; }; }"


@pytest.fixture
def nft() -> Iterator[NftProgram]:
    with scratch_namespace():
        yield NftProgram()


def listing() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_check_touches_nothing(nft: NftProgram) -> None:
    nft.check(GOOD)
    assert listing() == ""


def test_refusal_gives_nfts_own_words(nft: NftProgram) -> None:
    with pytest.raises(Refused, match="eighty-thousand"):
        nft.check(BAD)
    with pytest.raises(Refused, match="eighty-thousand"):
        nft.canonical(BAD, FAMILY, TABLE)


def test_failed_transaction_changes_nothing(nft: NftProgram) -> None:
    nft.apply(GOOD)
    before = listing()
    with pytest.raises(ApplyFailed):
        nft.apply(f"flush chain {FAMILY} {TABLE} c\nadd rule {FAMILY} {TABLE} missing accept\n")
    assert listing() == before


def test_table_that_is_absent_is_none(nft: NftProgram) -> None:
    assert nft.list_table(FAMILY, TABLE) is None
    assert nft.canonical("table ip other { }", FAMILY, TABLE) is None


def test_listing_has_counters_and_no_handles(nft: NftProgram) -> None:
    nft.apply("table inet kawaii { counter hits { }; chain c { }; }")
    found = nft.list_table(FAMILY, TABLE)
    assert found is not None
    assert {"counter": {"family": FAMILY, "name": "hits", "table": TABLE, "packets": 0, "bytes": 0}} in found
    assert not any("handle" in attributes for entry in found for attributes in entry.values())


def test_canonical_load_leaves_this_kernel_alone_and_shows_what_a_load_would(nft: NftProgram) -> None:
    wanted = nft.canonical(GOOD, FAMILY, TABLE)
    assert listing() == ""
    nft.apply(GOOD)
    assert nft.list_table(FAMILY, TABLE) == wanted


def test_generation_rises_by_one_with_every_transaction(nft: NftProgram) -> None:
    first = nft.generation()
    nft.apply(GOOD)
    assert nft.generation() == first + 1
    nft.check(GOOD)
    nft.list_table(FAMILY, TABLE)
    nft.canonical(GOOD, FAMILY, TABLE)
    assert nft.generation() == first + 1


def test_missing_program_is_named(nft: NftProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingTool, match="nft"):
        nft.apply(GOOD)


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_takes_every_golden_ruleset_and_shows_it_as_wanted(nft: NftProgram, name: str) -> None:
    tree, zone = CASES[name]
    firewall = Firewall()
    ruleset = firewall.render(view_of(tree, zone))
    text = (GOLDEN / f"{name}.nft").read_text(encoding="utf-8")
    nft.check(text)
    nft.apply(text)
    wanted = nft.canonical(firewall.text(ruleset), FAMILY, TABLE)
    assert wanted
    assert compare(ruleset, wanted, nft.list_table(FAMILY, TABLE)) == ()
