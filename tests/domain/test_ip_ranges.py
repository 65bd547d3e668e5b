"""How much of the internet an allow-list lets in."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ip_ranges import holding, internet_like, parse_range

ipv4 = st.ip_addresses(v=4)
cidrs = st.builds(
    lambda address, prefix: str(ipaddress.ip_network((address, prefix), strict=False)), ipv4, st.integers(0, 32)
)
entries = st.lists(cidrs | ipv4.map(str) | st.ip_addresses(v=6).map(str) | st.text(max_size=8), max_size=8)


@pytest.mark.parametrize(
    "text, network",
    [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.0/24 ", "203.0.113.0/24"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("255.255.255.255", "255.255.255.255/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("203.0.113.4-203.0.113.7", "203.0.113.4/30"),
        ("203.0.113.4 - 203.0.113.9", "203.0.113.0/28"),
        ("203.0.113.9-203.0.113.4", "203.0.113.0/28"),
        ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
        ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        ("2001:db8::-2001:db8::ff", "2001:db8::/120"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
    ],
)
def test_parse_range(text: str, network: str) -> None:
    assert str(parse_range(text)) == network


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "everyone",
        "*",
        "203.0.113",
        "203.0.113.7/33",
        "203.0.113.7/",
        "203.0.113.7-",
        "203.0.113.7-::1",
        "1-2-3",
        "203.0.113.0/24-203.0.113.9",
        "203.0.113.007",
        "\x00",
        "1" * 100_000,
    ],
)
def test_what_is_no_range(text: str) -> None:
    assert parse_range(text) is None


@given(st.text() | st.builds("{}-{}".format, st.ip_addresses(), st.ip_addresses() | st.text()))
def test_any_text_is_a_range_or_none(text: str) -> None:
    network = parse_range(text)
    assert network is None or network.prefixlen <= network.max_prefixlen


@given(ipv4, ipv4)
def test_a_span_lies_within_its_range(first: ipaddress.IPv4Address, last: ipaddress.IPv4Address) -> None:
    network = parse_range(f"{first}-{last}")
    assert isinstance(network, ipaddress.IPv4Network)
    assert first in network
    assert last in network
    halves = list(network.subnets()) if network.prefixlen < 32 else []
    assert not any(first in half and last in half for half in halves), "a smaller range would have done"


@pytest.mark.parametrize(
    "texts, wide",
    [
        ([], []),
        (["203.0.113.0/24"], []),
        (["10.0.0.0/8"], []),
        (["10.0.0.0/7"], ["10.0.0.0/7"]),
        (["0.0.0.0/0", "203.0.113.7"], ["0.0.0.0/0"]),
        (["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/1", "128.0.0.0/1"]),
        (["::/0"], ["::/0"]),
        (["2000::/3"], ["2000::/3"]),
        (["2001::/18"], ["2001::/18"]),
        (["2001::/19"], []),
        (["2001:db8::/32"], []),
        (["everyone"], ["everyone"]),
        ([""], [""]),
        (["0.0.0.0-255.255.255.255"], ["0.0.0.0-255.255.255.255"]),
        ([f"{first}.0.0.0/8" for first in range(127)], []),
        ([f"{first}.0.0.0/8" for first in range(128)], [f"{first}.0.0.0/8" for first in range(128)]),
        # A range named often covers no more than once.
        ([f"10.{second}.0.0/8" for second in range(200)], []),
        (
            ["203.0.113.7", *(f"{first}.0.0.0/8" for first in range(200)), "198.51.100.0/24"],
            [f"{first}.0.0.0/8" for first in range(200)],
        ),
    ],
)
def test_internet_like(texts: list[str], wide: list[str]) -> None:
    assert internet_like(texts, 8) == frozenset(wide)


@pytest.mark.parametrize("prefix, wide", [(1, False), (16, False), (24, False), (25, True), (32, True)])
def test_the_minimum_is_a_choice(prefix: int, wide: bool) -> None:  # noqa: FBT001 # a column of the table
    assert bool(internet_like(["203.0.113.0/24"], prefix)) is wide


@given(entries, st.integers(1, 32))
def test_what_stays_is_not_wide(texts: list[str], prefix: int) -> None:
    wide = internet_like(texts, prefix)
    assert wide <= set(texts)
    kept = [text for text in texts if text not in wide]
    assert internet_like(kept, prefix) == frozenset()
    networks = [network for text in kept if isinstance(network := parse_range(text), ipaddress.IPv4Network)]
    assert sum(network.num_addresses for network in ipaddress.collapse_addresses(networks)) < 2**31


@given(entries, st.integers(1, 31))
def test_a_stricter_minimum_never_lets_more_in(texts: list[str], prefix: int) -> None:
    assert internet_like(texts, prefix) <= internet_like(texts, prefix + 1)


@pytest.mark.parametrize(
    "address, held",
    [
        ("198.51.100.7", ["198.51.100.7"]),
        ("198.51.100.7", ["198.51.100.0/24"]),
        ("198.51.100.7", ["198.51.100.200/24"]),
        ("198.51.100.7", ["198.51.100.0/255.255.255.0"]),
        ("198.51.100.7", ["198.51.100.4-198.51.100.9"]),
        ("198.51.100.7", ["0.0.0.0/0"]),
        ("198.51.100.7", ["::ffff:198.51.100.7"]),
        ("198.51.100.7", ["::ffff:198.51.100.0/120"]),
        ("198.51.100.7", ["::ffff:0:0/90"]),
        ("198.51.100.7", ["::/0"]),
        ("::ffff:198.51.100.7", ["198.51.100.0/24"]),
        ("::ffff:198.51.100.7", ["::ffff:198.51.100.0/120"]),
        (" 198.51.100.7 ", ["198.51.100.7/32"]),
        ("2001:db8::7", ["2001:db8::/32"]),
        ("2001:db8:0::0007", ["2001:DB8::7"]),
        ("2001:db8::7", ["::/0"]),
        ("198.51.100.7", []),
        ("2001:db8::7", []),
        ("", []),
        ("everyone", []),
        ("0.0.0.0/0", []),
        ("::/0", []),
        ("\x00", []),
    ],
)
def test_holding(address: str, held: list[str]) -> None:
    others = ["203.0.113.0/24", "198.51.101.0/24", "2001:db9::/32", "", "everyone", "198.51.100.7-", "\x00"]
    assert holding([*others, *held], [address]) == frozenset(held)


def test_each_address_counts() -> None:
    texts = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"]
    assert holding(texts, ["203.0.113.9", "x", "192.0.2.1"]) == {"203.0.113.0/24", "192.0.2.0/24"}
    assert holding(texts, []) == frozenset()


@given(entries, st.lists(st.ip_addresses().map(str) | st.text(max_size=8), max_size=3))
def test_what_stays_holds_none(texts: list[str], addresses: list[str]) -> None:
    held = holding(texts, addresses)
    assert held <= set(texts)
    assert holding([text for text in texts if text not in held], addresses) == frozenset()
