"""The gateways' proofs, by their properties: only a fresh proof by the right key for this pair opens a peering."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agents.consent_protocol import (
    AGREEMENT_LIFE,
    MESSAGE_SIZE,
    NONCE_LIFE,
    NONCE_SIZE,
    Conversation,
    Heard,
    Kind,
    Message,
    derive_key,
    seal,
    unseal,
)

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
ACME, MARVELOUS = ip_address("10.50.205.70"), ip_address("10.50.205.252")
nonces = st.binary(min_size=NONCE_SIZE, max_size=NONCE_SIZE)
messages = st.builds(Message, st.sampled_from(Kind), nonces, nonces)
addresses = st.ip_addresses()


def ends(key: bytes = KEY) -> tuple[Conversation, Conversation]:
    """Give acme's end, whose key is KEY, and marvelous'."""
    return Conversation(KEY, ACME, MARVELOUS), Conversation(key, MARVELOUS, ACME)


def agree(one: Conversation, other: Conversation, now: float) -> bytes:
    """Have `one` challenge and `other` prove; gives the proof."""
    _heard, proof = other.receive(one.challenge(now), now)
    assert proof is not None
    assert one.receive(proof, now) == (Heard.PROOF, None)
    return proof


def test_a_proof_opens_the_end_that_asked_for_it() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 100.0)
    assert acme.agreed(100.0)
    assert not marvelous.agreed(100.0)


def test_an_agreement_ends_without_further_proofs() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 100.0)
    assert acme.agreed(100.0 + AGREEMENT_LIFE - 0.01)
    assert not acme.agreed(100.0 + AGREEMENT_LIFE)


def test_another_key_proves_nothing() -> None:
    acme, marvelous = ends(OTHER_KEY)
    assert marvelous.receive(acme.challenge(1.0), 1.0) == (Heard.WRONG_KEY, None)
    assert marvelous.mistaken == 1.0
    assert not acme.agreed(1.0)


@given(messages, addresses, addresses)
def test_what_is_sealed_is_read_back_by_the_same_pair(message: Message, sender: object, receiver: object) -> None:
    data = seal(KEY, sender, receiver, message)  # type: ignore[arg-type]
    assert len(data) == MESSAGE_SIZE
    assert unseal(KEY, sender, receiver, data) == message  # type: ignore[arg-type]


@given(messages, st.integers(0, MESSAGE_SIZE - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(message: Message, at: int, change: int) -> None:
    data = bytearray(seal(KEY, ACME, MARVELOUS, message))
    data[at] ^= change
    assert unseal(KEY, ACME, MARVELOUS, bytes(data)) in {Heard.WRONG_KEY, Heard.NOTHING}


@given(messages, st.integers(0, MESSAGE_SIZE - 1))
def test_a_shortened_datagram_is_refused(message: Message, length: int) -> None:
    assert unseal(KEY, ACME, MARVELOUS, seal(KEY, ACME, MARVELOUS, message)[:length]) is Heard.NOTHING


@given(st.binary(max_size=2 * MESSAGE_SIZE))
def test_noise_is_refused(data: bytes) -> None:
    acme, _ = ends()
    heard, answer = acme.receive(data, 1.0)
    assert heard in {Heard.WRONG_KEY, Heard.NOTHING}
    assert answer is None
    assert not acme.agreed(1.0)


@given(messages, addresses, addresses, addresses)
def test_a_datagram_is_good_for_its_pair_and_direction_only(
    message: Message, sender: object, receiver: object, third: object
) -> None:
    data = seal(KEY, sender, receiver, message)  # type: ignore[arg-type]
    for pair in ((receiver, sender), (third, receiver), (sender, third)):
        if pair != (sender, receiver):
            assert unseal(KEY, *pair, data) is Heard.WRONG_KEY  # type: ignore[arg-type]


def test_our_own_challenge_sent_back_at_us_is_not_answered() -> None:
    acme, _ = ends()
    assert acme.receive(acme.challenge(1.0), 1.0) == (Heard.WRONG_KEY, None)


def test_our_own_proof_sent_back_at_us_proves_nothing() -> None:
    acme, marvelous = ends()
    _heard, proof = acme.receive(marvelous.challenge(1.0), 1.0)
    assert proof is not None
    acme.challenge(1.0)
    assert acme.receive(proof, 1.0)[0] is Heard.WRONG_KEY
    assert not acme.agreed(1.0)


def test_a_proof_counts_once() -> None:
    acme, marvelous = ends()
    proof = agree(acme, marvelous, 1.0)
    assert acme.receive(proof, 1.5) == (Heard.NOTHING, None)
    assert acme.proved == 1.0


@given(st.floats(NONCE_LIFE, 1000))
def test_a_proof_that_comes_late_counts_for_nothing(delay: float) -> None:
    acme, marvelous = ends()
    _heard, proof = marvelous.receive(acme.challenge(100.0), 100.0)
    assert proof is not None
    assert acme.receive(proof, 100.0 + delay) == (Heard.NOTHING, None)


def test_a_proof_for_an_earlier_life_of_ours_counts_for_nothing() -> None:
    acme, marvelous = ends()
    _heard, proof = marvelous.receive(acme.challenge(1.0), 1.0)
    again, _ = ends()
    again.challenge(1.0)
    assert proof is not None
    assert again.receive(proof, 1.0) == (Heard.NOTHING, None)


def test_a_goodbye_ends_the_agreement_at_once() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 1.0)
    _heard, late = marvelous.receive(acme.challenge(2.0), 2.0)
    heard = [acme.receive(datagram, 2.1)[0] for datagram in marvelous.goodbye()]
    assert Heard.GOODBYE in heard
    assert acme.withdrawn
    assert not acme.agreed(2.1)
    assert late is not None
    assert acme.receive(late, 2.2) == (Heard.NOTHING, None)


def test_a_goodbye_answers_a_challenge_that_was_proven_before() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 1.0)
    assert [acme.receive(datagram, 1.5)[0] for datagram in marvelous.goodbye()] == [Heard.GOODBYE]
    assert not acme.agreed(1.5)


def test_a_goodbye_is_good_even_after_old_challenges_were_played_to_its_sender_again() -> None:
    acme, marvelous = ends()
    old = acme.challenge(1.0)
    marvelous.receive(old, 1.0)
    agree(acme, marvelous, 9.0)
    newest = acme.challenge(9.5)
    for datagram in (newest, old):
        marvelous.receive(datagram, 9.5)
    assert Heard.GOODBYE in [acme.receive(datagram, 9.6)[0] for datagram in marvelous.goodbye()]


def test_a_goodbye_played_again_after_a_new_agreement_changes_nothing() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 1.0)
    marvelous.receive(acme.challenge(2.0), 2.0)
    farewell = marvelous.goodbye()
    for datagram in farewell:
        acme.receive(datagram, 2.0)
    agree(acme, ends()[1], 2.5)
    assert not acme.withdrawn
    assert {acme.receive(datagram, 2.6)[0] for datagram in farewell} == {Heard.NOTHING}
    assert acme.agreed(2.6)


def test_a_goodbye_by_another_key_changes_nothing() -> None:
    acme, marvelous = ends()
    agree(acme, marvelous, 1.0)
    challenge = unseal(KEY, ACME, MARVELOUS, acme.challenge(2.0))
    assert isinstance(challenge, Message)
    forged = seal(OTHER_KEY, MARVELOUS, ACME, Message(Kind.GOODBYE, bytes(16), challenge.nonce))
    assert acme.receive(forged, 2.0) == (Heard.WRONG_KEY, None)
    assert acme.agreed(2.0)


def test_no_datagram_contains_the_key() -> None:
    text = "acme and marvelous agree"
    key = derive_key(text)
    conversation = Conversation(key, ACME, MARVELOUS)
    sent = conversation.challenge(1.0)
    assert text.encode() not in sent
    assert key not in sent


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("key", "key "), ("e", "é")])
def test_different_texts_make_different_keys(one: str, other: str) -> None:
    assert derive_key(one) != derive_key(other)
    assert derive_key(one) == derive_key(one)


def test_challenges_never_repeat() -> None:
    acme, _ = ends()
    assert len({acme.challenge(1.0) for _ in range(1000)}) == 1000
