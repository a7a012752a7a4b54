"""Does anybody answer at a URL? Asked before callbacks are sent there."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

_SECONDS = 5.0
_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of a request to a URL: whether callbacks may be sent there, and what it answered."""

    live: bool
    said: str


async def probe_all(urls: Iterable[str]) -> dict[str, Probe]:
    """Send a GET to each URL, and tell which of them are live."""
    wanted = list(dict.fromkeys(urls))
    connector = aiohttp.TCPConnector(limit=_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return dict(zip(wanted, await asyncio.gather(*(_probe(session, url) for url in wanted)), strict=True))


async def _probe(session: aiohttp.ClientSession, url: str) -> Probe:
    """Ask with a GET: it is no callback, so nothing is stored.

    An endpoint refuses a GET (405), or refuses us because we are not Vibes (403): either shows that something is there.
    A 404 shows that nothing is, and Vibes takes a redirect for a failed delivery. A server whose certificate is not
    from a public authority is refused by Vibes too.
    """
    try:
        async with session.get(url, allow_redirects=False) as response:
            return judge(response.status)
    except TimeoutError:
        return Probe(live=False, said=f"no answer within {_SECONDS:g} s")
    except aiohttp.ClientSSLError:
        return Probe(live=False, said="TLS failed; Vibes needs a certificate of a public authority")
    except (aiohttp.ClientError, OSError) as error:
        return Probe(live=False, said=f"no connection ({type(error).__name__})")


def judge(status: int) -> Probe:
    """Tell what the status of an answer means."""
    if status == 404:
        return Probe(live=False, said="answers 404: nothing there takes callbacks")
    if 300 <= status < 400:
        return Probe(live=False, said=f"redirects ({status}), which Vibes takes for a failed delivery")
    return Probe(live=True, said=f"answers {status}")
