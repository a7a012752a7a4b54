"""Which headers of a callback are kept with it. Pure.

Vibes puts general callback metadata into headers, under names it does not publish. So all `X-` headers are kept, but
for those of proxies.
"""

from collections.abc import Iterable
from functools import lru_cache

_ALWAYS = frozenset({"content-type", "content-encoding", "user-agent"})
_PROXY = ("x-forwarded-", "x-real-ip")
MAX_HEADERS = 20
MAX_CHARACTERS = 256


def worth_keeping(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return at most 20 headers, names in lower case, values cut at 256 characters; of a repeated one the last."""
    kept: dict[str, str] = {}
    room = MAX_HEADERS - len(_ALWAYS)
    for header, value in headers:
        name = _kept_as(header)
        if name is None:
            continue
        if name in _ALWAYS:
            kept[name] = _clean(value)
        elif room or name in kept:
            room -= name not in kept
            kept[name] = _clean(value)
    return kept


@lru_cache(maxsize=1024)
def _kept_as(header: str) -> str | None:
    """Return the name under which a header is kept; None: it is not."""
    name = header.lower()
    if name in _ALWAYS:
        return name
    return name[:MAX_CHARACTERS] if name.startswith("x-") and not name.startswith(_PROXY) else None


def _clean(text: str) -> str:
    # aiohttp shows bytes that are not UTF-8 as lone surrogates, which no JSON can hold.
    clean = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    return clean[:MAX_CHARACTERS]
