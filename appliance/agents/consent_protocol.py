"""How two projects' gateways prove to each other that they know the same consent key (semantics S4, Consent).

Each end challenges the other about once a second with a fresh nonce and takes a proof only for a nonce that it sent
a moment ago, and only once.  Every datagram carries an HMAC over all of it and both addresses, so that it is good for
this pair of gateways, this direction and this purpose alone.  The key itself never leaves the node.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import lru_cache

from appliance.schema.types import IPAddress

AGREEMENT_LIFE = 30.0
"""Seconds that an agreement outlives its last proof, so that one end may restart meanwhile."""

NONCE_LIFE = 3.0
"""Seconds that a challenge waits for its proof."""

MAGIC = b"KWCA"
VERSION = 1
NONCE_SIZE = 16
KEY_SIZE = 32
_NO_NONCE = bytes(NONCE_SIZE)
_BODY = struct.Struct(f"!4sBB{NONCE_SIZE}s{NONCE_SIZE}s")
MESSAGE_SIZE = _BODY.size + hashlib.sha256().digest_size
_REMEMBERED = 4
_SALT = b"kawaii peering consent 1"


class Kind(IntEnum):
    """What a datagram is for."""

    CHALLENGE = 1
    PROOF = 2
    GOODBYE = 3


class Heard(Enum):
    """What came of a datagram."""

    NOTHING = "not ours, late, or heard before"
    WRONG_KEY = "not made with our key for these two addresses"
    CHALLENGE = "the other end asks for a proof"
    PROOF = "the other end has proved that it knows the key"
    GOODBYE = "the other end has withdrawn its key"


@dataclass(frozen=True, slots=True)
class Message:
    """A datagram's content: the sender's own nonce, and the one of the receiver's that it answers (zeros: none)."""

    kind: Kind
    nonce: bytes
    answers: bytes = _NO_NONCE


@lru_cache(maxsize=64)
def derive_key(text: str) -> bytes:
    """Make the HMAC key of a consent key's text by scrypt (RFC 7914; N 16384, r 8, p 1): about 50 ms, kept."""
    return hashlib.scrypt(text.encode(), salt=_SALT, n=16384, r=8, p=1, dklen=KEY_SIZE)


def seal(key: bytes, sender: IPAddress, receiver: IPAddress, message: Message) -> bytes:
    """Write a message as a datagram from `sender` to `receiver`."""
    body = _BODY.pack(MAGIC, VERSION, message.kind, message.nonce, message.answers)
    return body + _tag(key, sender, receiver, body)


def unseal(key: bytes, sender: IPAddress, receiver: IPAddress, data: bytes) -> Message | Heard:
    """Read a datagram that came from `sender`: its message, or why it is none."""
    if len(data) != MESSAGE_SIZE or not data.startswith(MAGIC):
        return Heard.NOTHING
    body, tag = data[: _BODY.size], data[_BODY.size :]
    if not hmac.compare_digest(tag, _tag(key, sender, receiver, body)):
        return Heard.WRONG_KEY
    _magic, version, kind, nonce, answers = _BODY.unpack(body)
    if version != VERSION or kind not in set(Kind):
        return Heard.NOTHING
    return Message(Kind(kind), nonce, answers)


def _tag(key: bytes, sender: IPAddress, receiver: IPAddress, body: bytes) -> bytes:
    ends = b"".join(bytes([address.version]) + address.packed for address in (sender, receiver))
    return hmac.digest(key, ends + body, "sha256")


@dataclass(slots=True)
class Conversation:
    """One of our addresses and one of the other project's gateways; times are seconds of a monotonic clock."""

    key: bytes
    local: IPAddress
    remote: IPAddress
    proved: float | None = None
    """When the other end's last proof came."""
    began: float | None = None
    """When it began to agree."""
    mistaken: float | None = None
    """When something made with another key came last."""
    withdrawn: bool = False
    """The other end has taken its key back, and not proved itself since."""
    _asked: dict[bytes, float] = field(default_factory=dict)
    """Our last challenges' nonces, and when they were sent: what a goodbye may answer, and a proof once."""
    _proven: set[bytes] = field(default_factory=set)
    _theirs: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def challenge(self, now: float) -> bytes:
        """Ask the other end for a proof."""
        self._forget(now)
        nonce = secrets.token_bytes(NONCE_SIZE)
        self._asked[nonce] = now
        return self._seal(Message(Kind.CHALLENGE, nonce))

    def receive(self, data: bytes, now: float) -> tuple[Heard, bytes | None]:
        """Take in a datagram from the other end; gives what it was, and the answer to send back."""
        message = unseal(self.key, self.remote, self.local, data)
        if isinstance(message, Heard):
            if message is Heard.WRONG_KEY:
                self.mistaken = now
            return message, None
        if message.kind is Kind.CHALLENGE:
            if message.nonce not in self._theirs:
                self._theirs.append(message.nonce)
            return Heard.CHALLENGE, self._answer(Kind.PROOF, message.nonce)
        self._forget(now)
        if message.answers not in self._asked:
            return Heard.NOTHING, None
        if message.kind is Kind.GOODBYE:
            # Nothing that was on its way before it may undo it.
            self._asked.clear()
            self.proved, self.began, self.withdrawn = None, None, True
            return Heard.GOODBYE, None
        if message.answers in self._proven:
            return Heard.NOTHING, None
        self._proven.add(message.answers)
        if not self.agreed(now):
            self.began = now
        self.proved, self.withdrawn = now, False
        return Heard.PROOF, None

    def goodbye(self) -> list[bytes]:
        """Say that our key is withdrawn: one datagram for each of the last challenges, the latest of which is young."""
        return [self._answer(Kind.GOODBYE, nonce) for nonce in self._theirs]

    def agreed(self, now: float) -> bool:
        """Tell whether the other end's agreement stands."""
        return self.remaining(now) > 0

    def remaining(self, now: float) -> float:
        """Give the seconds that the agreement lasts without another proof."""
        return 0.0 if self.proved is None else max(0.0, self.proved + AGREEMENT_LIFE - now)

    def _answer(self, kind: Kind, nonce: bytes) -> bytes:
        return self._seal(Message(kind, secrets.token_bytes(NONCE_SIZE), nonce))

    def _seal(self, message: Message) -> bytes:
        return seal(self.key, self.local, self.remote, message)

    def _forget(self, now: float) -> None:
        self._asked = {nonce: asked for nonce, asked in self._asked.items() if asked > now - NONCE_LIFE}
        self._proven &= self._asked.keys()
