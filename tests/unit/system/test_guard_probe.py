"""The upstream probe: what is asked, what counts as an answer, and when the verdict changes."""

from __future__ import annotations

import pytest

from appliance.system.guard.probe import Verdict, is_answer, request

MAC = bytes.fromhex("020000000001")
GATEWAY = "4.5.6.62"
REPLY = bytes.fromhex("00010800060400020200000000fe0405063e02000000000100000000")


def test_a_probe_gives_no_sender_address_away() -> None:
    """RFC 5227, section 1.1: the sender's address is zero, so no cache learns anything."""
    assert request(MAC, GATEWAY).hex() == "0001080006040001020000000001000000000000000000000405063e"


def test_only_the_gateway_answers() -> None:
    assert is_answer(REPLY, GATEWAY)
    assert is_answer(REPLY + bytes(18), GATEWAY)
    assert not is_answer(REPLY, "4.5.6.61")
    assert not is_answer(request(MAC, GATEWAY), GATEWAY)
    assert not is_answer(REPLY[:27], GATEWAY)


@pytest.mark.parametrize(("fall", "rise"), [(1, 1), (3, 2), (2, 5)])
def test_verdict_follows_runs_of_outcomes(fall: int, rise: int) -> None:
    verdict = Verdict(fall, rise)
    assert verdict.alive
    assert [verdict.count(answered=False) for _ in range(fall)] == [False] * (fall - 1) + [True]
    assert not verdict.alive
    assert [verdict.count(answered=True) for _ in range(rise)] == [False] * (rise - 1) + [True]
    assert verdict.alive


def test_one_answer_between_losses_keeps_it_alive() -> None:
    verdict = Verdict(3, 3)
    for answered in (False, False, True) * 20:
        assert not verdict.count(answered=answered)
    assert verdict.alive
