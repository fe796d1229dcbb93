"""The guard's resignation is keepalived's own, byte for byte."""

from __future__ import annotations

from appliance.system.guard.advert import checksum, resignation
from appliance.system.guard.facts import Instance


def test_resignation_is_what_keepalived_sends_when_it_stops() -> None:
    """The bytes were captured from keepalived 2.2.7 on its way down."""
    instance = Instance(1, (("10.50.201.252/24", "ens4"), ("4.5.6.10/26", "ens3")), (("fd00::1/64", "ens4"),))
    packet = resignation(instance, "10.50.201.11", "10.50.201.12", 0.3)
    assert packet.hex() == "31010002001e49a40a32c9fc0405060a"


def test_checksum_of_checksummed_data_is_zero() -> None:
    data = bytes(range(1, 20))
    assert checksum(data + b"\0" + checksum(data).to_bytes(2, "big")) == 0


def test_interval_fits_the_field() -> None:
    packet = resignation(Instance(7), "10.0.0.1", "10.0.0.2", 100.0)
    assert packet[1] == 7
    assert int.from_bytes(packet[4:6], "big") == 4095
