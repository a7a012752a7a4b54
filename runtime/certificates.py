"""When certificates end, as a metric."""

import os
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from math import nan
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from runtime import metrics
from runtime.settings import Settings

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_EXPLICIT_VERSION, _UTC_TIME = 0xA0, 0x17
_UTC_TIME_CENTURY = 50
"""RFC 5280: years below are of the 21st century."""


def show_expiry(file_of: str, path: Path) -> None:
    """Show when the certificate ends that a file holds now: for one that is read once, and used until the end."""
    metrics.TLS_CERTIFICATE_EXPIRY.labels(file_of).set(_expiry(path))


def show_expiry_of_clients(settings: Settings, *, database: bool = True) -> None:
    """Show when the certificates end that the URLs of the services name.

    Their files are read with each new connection, and so for each scrape. `database`: whether the part uses it.
    """
    named = {"rabbitmq": _named_in(settings.amqp_url.get_secret_value(), "certfile")}
    if database:
        query = _named_in(settings.database_url.get_secret_value(), "sslcert")
        named["postgres"] = query or os.environ.get("PGSSLCERT")
    for file_of, path in named.items():
        if path:
            metrics.TLS_CERTIFICATE_EXPIRY.labels(file_of).set_function(partial(_expiry, Path(path)))


def _named_in(url: str, parameter: str) -> str | None:
    return next(iter(parse_qs(urlsplit(url).query).get(parameter, [])), None)


def _expiry(path: Path) -> float:
    """Return the time as a metric shows it; NaN when the file tells none."""
    try:
        return min(map(datetime.timestamp, expiries(path.read_text(encoding="ascii"))), default=nan)
    except (OSError, ValueError, IndexError):
        return nan


def expiries(pem: str) -> Iterator[datetime]:
    """Return when each certificate in a PEM text ends. Pure. Raises ValueError or IndexError for what is none.

    The standard library tells that only of certificates that a connection has verified.
    """
    return (_not_after(ssl.PEM_cert_to_DER_cert(found[0])) for found in _PEM.finditer(pem))


def _not_after(der: bytes) -> datetime:
    """Walk to it: Certificate, tbsCertificate, past [version], serial number, algorithm and issuer, to validity."""
    _, at, _ = _element(der, 0)
    _, at, _ = _element(der, at)
    tag, _, after = _element(der, at)
    if tag == _EXPLICIT_VERSION:
        at = after
    for _ in ("serial number", "algorithm", "issuer"):
        _, _, at = _element(der, at)
    _, at, _ = _element(der, at)
    _, _, at = _element(der, at)
    tag, begin, end = _element(der, at)
    text = der[begin:end].decode("ascii")
    if tag == _UTC_TIME:
        text = f"{'20' if int(text[:2]) < _UTC_TIME_CENTURY else '19'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of the element that begins there, where its content begins, and where that ends."""
    tag, length, begin = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[begin : begin + size], "big")
        begin += size
    return tag, begin, begin + length
