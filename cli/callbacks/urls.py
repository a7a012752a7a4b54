"""Callback URLs: which ones may be registered, and how they are shown. Pure.

The last path segment is the endpoint key, a secret: no message here repeats it.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

_LONGEST: Final = 1024
_EXAMPLE: Final = "https://callbacks.acme.com/callbacks/${ENDPOINT_KEY}"
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NOT_IN_URLS: Final = re.compile(r"""[^!-~]|[<>"{}|\\^`$]""")
_PLACEHOLDERS: Final = ("google.com", "example.com", "example.net", "example.org", "your.host", "yourdomain.com")
_NEVER_PUBLIC: Final = ("example", "invalid", "internal", "local", "localhost", "test")


def expand(url: str, environment: Mapping[str, str]) -> str:
    """Put environment variables in the place of `${NAME}`. Raises ValueError for one that is not set."""

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if not found:
            raise ValueError(f"url names the environment variable {match[1]}, which is not set")
        return found

    return _VARIABLE.sub(value, url)


def check_url(url: str, *, allow_insecure: bool) -> None:
    """Raise ValueError unless Vibes could and should deliver to this URL.

    Vibes takes at most 1,024 characters, delivers over public networks only, and counts every callback it cannot
    deliver as an error; a made-up URL costs events. `allow_insecure` lets http and local or made-up hosts pass, for
    trials with the simulator.
    """
    if len(url) > _LONGEST:
        raise ValueError(f"url has {len(url)} characters; Vibes takes at most {_LONGEST}")
    if _NOT_IN_URLS.search(url):
        raise ValueError(
            f"url has a space or another character that no URL has (a placeholder left?). Example: {_EXAMPLE}"
        )
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise ValueError(f"url cannot be read. Example: {_EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"url must be a whole https URL. Example: {_EXAMPLE}")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("url must not have a user name, a password or a #fragment: callbacks come without them")
    if not allow_insecure:
        _check_public(parts.scheme, host)


def _check_public(scheme: str, host: str) -> None:
    trial = "; --allow-insecure lets it pass, for local trials"
    if scheme != "https":
        raise ValueError(f"url must be https: callbacks hold personal data, and their key is in the URL{trial}")
    if any(host == name or host.endswith(f".{name}") for name in _PLACEHOLDERS):
        raise ValueError(f"url has the placeholder host {host}: name the host where ingest answers{trial}")
    if not _is_public(host):
        raise ValueError(f"url has the host {host}, which Vibes cannot reach from the internet{trial}")


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:  # a name, not an address
        return "." in host and host.rsplit(".", 1)[1] not in _NEVER_PUBLIC


def mask_url(url: str | None) -> str:
    """Return a URL fit to be shown: the last path segment becomes the start of its SHA-256, a query is left out.

    The companies file holds the whole SHA-256 of each key (key_sha256), so a person can still tell two keys apart.
    """
    parts = _split(url)
    if parts is None:
        return "***"
    before, key = _cut(parts)
    shown = f"***{key_hash(url)[:8]}" if key else ""
    return f"{before}{shown}{'?***' if parts.query else ''}"


def key_hash(url: str | None) -> str:
    """Return the SHA-256 of the last path segment, in hex; that of nothing for a URL that has none."""
    parts = _split(url)
    return sha256(_cut(parts)[1].encode() if parts else b"").hexdigest()


def secrets_of(url: str | None) -> list[str]:
    """Return what must not be shown of a URL."""
    parts = _split(url)
    return [secret for secret in (*_cut(parts)[1:], parts.query) if secret] if parts else []


def same_place(one: str | None, other: str | None) -> bool:
    """Tell whether two URLs differ in nothing but their key."""
    first, second = _split(one), _split(other)
    return first is not None and second is not None and _cut(first)[0] == _cut(second)[0]


def is_ingest_url(url: str) -> bool:
    """Tell whether the URL has the path of an endpoint of ours, `/callbacks/{key}`."""
    parts = _split(url)
    return parts is not None and bool(re.search(r"/callbacks/[^/]+$", parts.path))


def _split(url: str | None) -> SplitResult | None:
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return parts if parts.netloc else None


def _cut(parts: SplitResult) -> tuple[str, str]:
    """Return what may be shown (to the last slash), and the key."""
    before, _, key = parts.path.rstrip("/").rpartition("/")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, f"{before}/", "", "")), key
