"""How much of the internet a list of allowed addresses lets in."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A registry gives no single organisation more than this at once: anything broader is "everybody".
_MIN_IPV6_PREFIX = 19
_HALF = 2**31


@lru_cache(maxsize=4096)
def parse_range(text: str) -> Network | None:
    """The addresses that a firewall entry allows: an address, a CIDR range or `first-last`; None if it is neither.

    A `first-last` entry is read as the smallest CIDR range around it.
    """
    first, dash, last = text.strip().partition("-")
    try:
        if not dash:
            return _unmapped(ipaddress.ip_network(first, strict=False))
        return _around(ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip()))
    except ValueError:
        return None


def _unmapped(network: Network) -> Network:
    """An IPv4 range written as IPv6 (`::ffff:0.0.0.0/96`) as what it is."""
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        return ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _around(first: Address, last: Address) -> Network | None:
    if first.version != last.version:
        return None
    differing = (int(first) ^ int(last)).bit_length()
    return ipaddress.ip_network((first, first.max_prefixlen - differing), strict=False)


def internet_like(texts: Sequence[str], min_ipv4_prefix: int) -> frozenset[str]:
    """The entries that make the list as good as no list.

    Each range broader than the minimum, each entry that cannot be read, and, while what is left still covers half of
    all IPv4 addresses (`0.0.0.0/1` and `128.0.0.0/1` cut smaller), the broadest ones of it.
    """
    parsed = [(text, parse_range(text)) for text in texts]
    wide = {text for text, network in parsed if network is None or _is_broad(network, min_ipv4_prefix)}
    rest = sorted(
        (
            (text, network)
            for text, network in parsed
            if isinstance(network, ipaddress.IPv4Network) and text not in wide
        ),
        key=lambda entry: entry[1].prefixlen,
    )
    while rest and _coverage([network for _, network in rest]) >= _HALF:
        broadest = rest[0][1].prefixlen
        wide |= {text for text, network in rest if network.prefixlen == broadest}
        rest = [entry for entry in rest if entry[1].prefixlen > broadest]
    return frozenset(wide)


def holding(texts: Iterable[str], addresses: Iterable[str]) -> frozenset[str]:
    """The entries that let one of the addresses in, whichever way both are written. What cannot be read holds none."""
    sought = [form for address in addresses for form in _forms(address)]
    return frozenset(
        text
        for text in texts
        if (network := parse_range(text)) is not None and any(address in network for address in sought)
    )


def _forms(text: str) -> Iterator[Address]:
    """The address, and if it is an IPv4 one, how an IPv6 range names it."""
    network = parse_range(text)
    if network is None or network.prefixlen < network.max_prefixlen:
        return  # a range is nobody's address
    yield network.network_address
    if network.version == 4:
        yield ipaddress.IPv6Address(f"::ffff:{network.network_address}")


def _is_broad(network: Network, min_ipv4_prefix: int) -> bool:
    return network.prefixlen < (min_ipv4_prefix if network.version == 4 else _MIN_IPV6_PREFIX)


def _coverage(networks: list[ipaddress.IPv4Network]) -> int:
    if sum(network.num_addresses for network in networks) < _HALF:
        return 0  # cannot reach half, whatever the overlaps
    return sum(network.num_addresses for network in ipaddress.collapse_addresses(networks))
