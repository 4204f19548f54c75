"""Which addresses a provider's name may lead to: a public name leads to no private one, and none to cloud metadata."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

PUBLIC, PRIVATE, METADATA = "public", "private", "metadata"
"""The sorts of addresses: of the internet, of a machine or network of one's own, of a cloud's metadata service."""

# Where clouds tell a machine its secrets, checked 2026-11-25: AWS (IMDS, and its IPv6 address), Azure's wire server,
# Google's IPv6 address, Alibaba, Oracle. All of 169.254/16 is link-local (RFC 3927) and holds most of the others.
_METADATA = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::254/128",
            "fd20:ce::254/128",
        ),
    )
)
# What `is_global` of Python 3.11 takes for public, wholly or in part: IANA's special-purpose registries, 2026-11-25.
_PRIVATE = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")
# Names that the public DNS never holds: RFC 6761, 6762 (and its appendix G), 8375; ICANN's .internal; Kubernetes' svc.
_OWN_SUFFIXES = (
    "localhost", "test", "local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private", "svc",
)  # fmt: skip


def sort_of(address: str) -> str:
    """PUBLIC, PRIVATE or METADATA; an IPv4 address inside an IPv6 one counts as itself. Raises `ValueError`."""
    found = _unwrapped(ip_address(address))
    if any(found in network for network in _METADATA):
        return METADATA
    if not found.is_global or any(found in network for network in _PRIVATE):
        return PRIVATE
    return PUBLIC


def is_literal(host: str) -> bool:
    """Whether a host is an address as it stands; `127.1` and the like are not."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_own(host: str) -> bool:
    """Whether a host is plainly of a network of one's own: an address, a name of one word or under such a suffix."""
    if is_literal(host):
        return True
    name = host.rstrip(".").lower()
    last = name.rpartition(".")[2]
    # What ends in a number is an address in disguise: 127.1, 0x7f000001.
    if not name.isascii() or last[:1].isdigit():
        return False
    return "." not in name or name.endswith(tuple(f".{suffix}" for suffix in _OWN_SUFFIXES))


def refused(host: str, address: str, private: bool | None) -> str | None:
    """Why a host may not lead to this address, for people; None when it may.

    `private` says whether it may be a private one; None leaves that to the name.
    """
    sort = sort_of(address)
    if sort == METADATA:
        return f"{host} leads to a cloud's metadata service"
    allowed = is_own(host) if private is None else private
    if sort == PRIVATE and not allowed:
        return f"{host} leads to a private address; set `private = true` for this provider if that is meant"
    return None


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
