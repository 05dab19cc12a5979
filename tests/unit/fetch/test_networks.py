"""Which addresses may be reached."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.fetch.networks import address_of, embedded, parse_networks, refusal

PUBLIC = ["93.184.215.14", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]
PRIVATE = [
    "0.0.0.0",  # noqa: S104 an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
CARRIERS = {
    "mapped": "::ffff:10.0.0.1",
    "compatible": "::10.0.0.1",
    "translated": "::ffff:0:10.0.0.1",
    "nat64": "64:ff9b::10.0.0.1",
    "local nat64": "64:ff9b:1::10.0.0.1",
    "local nat64 with a prefix of 48 bits": "64:ff9b:1:a00:0:100::",
    "6to4": "2002:a00:1::1",
    "teredo server": "2001:0:a00:1::1",
    "teredo client": "2001:0:102:304:0:0:f5ff:fffe",
    "isatap": "2606:4700::5efe:a00:1",
    "isatap, global": "2606:4700::200:5efe:a00:1",
}


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    assert refusal(ip_address(text)) is None


@pytest.mark.parametrize("text", [*PRIVATE, *METADATA])
def test_what_is_not_public_is_refused(text: str) -> None:
    assert refusal(ip_address(text)) is not None


@pytest.mark.parametrize("text", CARRIERS.values(), ids=CARRIERS.keys())
def test_an_address_inside_another_counts(text: str) -> None:
    address = IPv6Address(text)
    assert IPv4Address("10.0.0.1") in set(embedded(address))
    assert refusal(address) is not None


@pytest.mark.parametrize("text", METADATA)
def test_nothing_opens_metadata(text: str) -> None:
    everything = parse_networks(["0.0.0.0/0", "::/0"])
    reason = refusal(ip_address(text), allowed=everything)
    assert reason is not None
    assert "metadata" in reason


def test_the_operator_opens_networks() -> None:
    allowed = parse_networks(["10.1.0.0/16", "fd12::/16"])
    assert refusal(ip_address("10.1.2.3"), allowed=allowed) is None
    assert refusal(ip_address("fd12::1"), allowed=allowed) is None
    assert refusal(ip_address("::ffff:10.1.2.3"), allowed=allowed) is None
    assert refusal(ip_address("10.2.0.1"), allowed=allowed) is not None
    assert refusal(ip_address("2002:a01:203::"), allowed=allowed) is not None


def test_a_zone_id_is_no_address() -> None:
    with pytest.raises(ValueError, match="zone"):
        address_of("fe80::1%eth0")


@given(st.integers(0, 2**32 - 1))
def test_every_form_of_an_address_has_its_verdict(value: int) -> None:
    plain = IPv4Address(value)
    for prefix in (0xFFFF << 32, 0x64_FF9B << 96):
        assert (refusal(plain) is None) == (refusal(IPv6Address(prefix | value)) is None)
