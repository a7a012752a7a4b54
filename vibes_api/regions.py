"""Where the Vibes platform lives."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit


class Region(StrEnum):
    """The two public hosts. A member is its base URL, so it can be passed wherever a base URL is asked for.

    Vibes demands that user names differ between the regions: credentials of one never work at the other.
    The older host public-api.vibescmeurope.com was withdrawn in November 2020.
    """

    US = "https://public-api.vibescm.com"
    EU = "https://public-api.eu.vibes.com"


def checked_base_url(base_url: str) -> str:
    """Return `base_url` without its trailing slashes (Vibes' own documents print one).

    Raises ValueError when it is not a plain http(s) address. The text of the error does not repeat the value:
    an address with credentials in it is one of the mistakes caught here.
    """
    rule = f"base_url must look like {Region.US.value}"
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{rule}; the one given cannot be read as a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{rule}; the one given lacks http(s):// or a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{rule}; pass user name and password as arguments, not inside the URL")
    if parts.query or parts.fragment:
        raise ValueError(f"{rule}; the one given has a query or a fragment")
    return base_url.rstrip("/")
