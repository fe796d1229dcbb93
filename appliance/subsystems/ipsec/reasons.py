"""charon's words of a tunnel that does not come up, in an operator's words."""

from __future__ import annotations

import re

REASONS = (
    (
        r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA|received NO_PROPOSAL_CHOSEN notify.*CHILD_SA",
        "the peer takes none of our phase 2 algorithms",
    ),
    (r"received NO_PROPOSAL_CHOSEN", "the peer takes none of our phase 1 algorithms"),
    (r"no acceptable proposal found|received proposals unacceptable", "we take none of the peer's algorithms"),
    (r"received AUTHENTICATION_FAILED", "the peer refuses our key or our identity"),
    (r"MAC mismatched", "the peer's key is another than ours"),
    (r"no shared key found", "there is no key for these two identities"),
    (r"received TS_UNACCEPTABLE", "the peer refuses our subnets"),
    (r"traffic selectors .* unacceptable", "we refuse the peer's subnets"),
    (r"constraint check failed|IDr '.*' does not match", "the peer's identity is not the one we expect"),
    (r"giving up after \d+ retransmits|retransmit \d+ of request|peer not responding", "the peer does not answer"),
    (r"unable to resolve|resolving .* failed|address family for hostname", "the peer's name has no address"),
    (r"received DELETE for IKE_SA|received DELETE for ESP CHILD_SA", "the peer closed it"),
)
"""(pattern, what it means), the first that matches counts."""


def reason(message: str) -> str | None:
    """Translate a line of charon's log, None where it says nothing about why a tunnel is down."""
    return next((meaning for pattern, meaning in REASONS if re.search(pattern, message)), None)
