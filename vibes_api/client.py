"""The client: one object per company, with the routes in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from vibes_api.callbacks import Callbacks
from vibes_api.campaigns import Campaigns
from vibes_api.participants import Participants
from vibes_api.persons import Persons
from vibes_api.regions import checked_base_url
from vibes_api.retry import RetryPolicy
from vibes_api.routes import path_segment
from vibes_api.subscriptions import Subscriptions
from vibes_api.transport import Transport, TransportOptions, request_headers

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    import aiohttp

    from vibes_api.hooks import Limiter, Observer


class VibesClient:
    """Asynchronous client of the Vibes platform for one company, to be shared by the tasks of an event loop.

    Use it as `async with VibesClient(...) as vibes:`, or pass a `session` of your own, which is never closed
    here (its cookies apply, its redirect, status, timeout and middleware settings do not; it must not bring
    credentials of its own).

    Args:
        base_url: `Region.US`, `Region.EU` or another http(s) address.
        company_key: the company; part of every path.
        username: usually an e-mail address, other for each region.
        password: its password; neither shows up in any repr or error.
        session: see above.
        retry: when to try again.
        limiter: waited for before each attempt; share one between all clients of a company.
        timeout: seconds for one attempt, from connecting to the last byte.
        ssl_context: with the client certificate that Vibes issued, if your account demands one.
        observer: called with a Call after each attempt.

    Every call raises VibesError and nothing else for what Vibes or the network does. ValueError here and now
    for an argument that can never work.

    """

    persons: Persons
    callbacks: Callbacks
    participants: Participants
    subscriptions: Subscriptions
    campaigns: Campaigns

    def __init__(
        self,
        base_url: str,
        company_key: str,
        username: str,
        password: str,
        *,
        session: aiohttp.ClientSession | None = None,
        retry: RetryPolicy | None = None,
        limiter: Limiter | None = None,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        observer: Observer | None = None,
    ) -> None:
        if not username or ":" in username:
            raise ValueError("username must not be empty or contain a colon (HTTP Basic cannot carry one)")
        if not timeout > 0:
            raise ValueError("timeout must be more than 0 seconds")
        self._base_url = checked_base_url(base_url)
        self._company_key = company_key
        options = TransportOptions(
            root=f"{self._base_url}/companies/{path_segment('company_key', company_key)}",
            headers=request_headers(username, password),
            retry=retry or RetryPolicy(),
            limiter=limiter,
            timeout=timeout,
            ssl_context=ssl_context,
            observer=observer,
        )
        self._transport = Transport(options, session)
        self.persons = Persons(self._transport)
        self.callbacks = Callbacks(self._transport)
        self.participants = Participants(self._transport)
        self.subscriptions = Subscriptions(self._transport)
        self.campaigns = Campaigns(self._transport)

    async def __aenter__(self) -> Self:
        self._transport.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._transport.close()

    def __repr__(self) -> str:
        return f"VibesClient({self._base_url!r}, company_key={self._company_key!r})"
