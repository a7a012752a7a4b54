"""Who is calling: the address a request came from, believing only your own proxies. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from, as far as it can be told."""

    address: IPAddress | None
    text: str = "unknown"
    """The address as it is kept with the callback."""
    hidden: bool = False
    """The caller itself cannot be seen: the header of the last trusted proxy is malformed, or the address is a private
    one that forwards for somebody else, hence a proxy of yours that `ingest_trusted_proxies` does not count."""


_LONGEST_ADDRESS = 64


def find_source(peer: str, forwarded_for: tuple[str, ...], trusted_proxies: int) -> Source:
    """Return the address that called the outermost of `trusted_proxies` proxies.

    `peer` is the address of the TCP connection, `forwarded_for` holds the values of all X-Forwarded-For headers in
    their order. Each proxy appends the address that called it, so one counts from the right: what a caller writes
    into the header itself is to the left of that and never believed. A chain shorter than the number of proxies was
    not forged (nobody outside wrote its first entry), so its first entry counts.
    """
    if not forwarded_for:
        return _read(peer, forwards=False)
    chain = [*(hop for line in forwarded_for for hop in line.split(",")), peer]
    position = max(0, len(chain) - 1 - trusted_proxies)
    return _read(chain[position].strip(), forwards=position > 0)


def _read(text: str, *, forwards: bool) -> Source:
    # What strangers write must not fill the cache with long texts.
    return _look_up(text, forwards) if len(text) <= _LONGEST_ADDRESS else Source(None, hidden=True)


@lru_cache(maxsize=4096)
def _look_up(text: str, forwards: bool) -> Source:
    address = parse_address(text)
    if address is None:
        return Source(None, hidden=True)
    return Source(address, str(address), hidden=forwards and not address.is_global)


def parse_address(text: str) -> IPAddress | None:
    """Read an address as proxies and sockets write it, or return None.

    Some proxies add a port (`203.0.113.7:4711`, `[2001:db8::1]:4711`), sockets a zone (`fe80::1%eth0`), and a
    dual-stack listener shows IPv4 callers as `::ffff:203.0.113.7`.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
