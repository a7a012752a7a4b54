"""Ask Vibes about one person: the questions, and the patience with a company whose calls rest."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from runtime.lifecycle import wait_or_stop
from schemas.facts import PersonIdentity, Profile
from vibes_api import AccessDenied, NotFound, Person, Subscription
from workers.person_sync.accounts import Account
from workers.person_sync.answers import profile_of_answer
from workers.person_sync.gate import CompanyPausedError
from workers.person_sync.whom import is_same
from workers.reconcile.answer import Answer, Listing, read_listing

T = TypeVar("T")

Notice = Callable[[str], None]


class StoppedError(Exception):
    """The run is to end; the person is not dealt with."""


class VibesReader:
    """Asks for one company. `calls` counts the questions, `notice` is told why it waits."""

    def __init__(self, account: Account, notice: Notice, stop: asyncio.Event) -> None:
        self.calls = 0
        self._account = account
        self._notice = notice
        self._stop = stop
        self._answered = False
        self._denied: AccessDenied | None = None
        self._quiet_until = 0.0

    async def read_person(self, asked: PersonIdentity) -> Answer:
        """Return what Vibes has of the person with one of its own ids.

        All methods raise StoppedError, VibesError (AccessDenied only if Vibes never took the credentials before),
        ServiceError, and MessageError for an answer that no database can hold.
        """
        persons = self._account.client.persons
        answer = Answer(datetime.now(UTC), asked)
        person = await self._found(lambda: persons.get(asked.person_key or asked.person_id or ""))
        return await self._whole(answer, person)

    async def read_external(self, external_person_id: str) -> Answer:
        """Return what Vibes has of the person with an external id."""
        persons = self._account.client.persons
        answer = Answer(datetime.now(UTC))
        person = await self._found(lambda: persons.get_by_external_id(external_person_id))
        return await self._whole(answer, person)

    async def confirm(self, answer: Answer) -> Answer:
        """Return the answer with the stays that go on and are confirmed."""
        assert answer.profile is not None  # noqa: S101 - only a person who is there has stays in doubt
        confirmed = await self._listing(answer.profile.person, active_only=True)
        return answer.unknown() if confirmed is None else replace(answer, confirmed=confirmed)

    async def _whole(self, answer: Answer, person: Person | None) -> Answer:
        profile = self._profile(person, answer.asked) if person else None
        if profile is None:
            return answer
        listing = await self._listing(profile.person, active_only=False)
        if listing is None:
            return answer
        other = answer.asked is not None and not is_same(answer.asked, profile.person)
        return replace(answer, profile=profile, listing=listing, other_person=other)

    def _profile(self, person: Person, asked: PersonIdentity | None) -> Profile | None:
        return profile_of_answer(person, asked, self._account.company.default_country)

    async def _listing(self, person: PersonIdentity, *, active_only: bool) -> Listing | None:
        """Return the person's stays; None when they are gone meanwhile."""
        subscriptions = self._account.client.subscriptions
        one_id = person.person_key or person.person_id or ""
        listed: Sequence[Subscription] | None = await self._found(
            lambda: subscriptions.list(one_id, active_only=active_only)
        )
        return None if listed is None else read_listing(stay.raw for stay in listed)

    async def _found(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask; None when Vibes does not know the person."""
        self.calls += 1
        try:
            return await self._patiently(ask)
        except NotFound:
            return None

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, and wait while the company's calls rest."""
        while True:
            if self._stop.is_set():
                raise StoppedError
            try:
                self._account.gate.check()
                answer = await ask()
            except NotFound:
                self._answered = True
                raise
            except CompanyPausedError as pause:
                if self._denied is not None and not self._answered:
                    raise self._denied from None
                await self._wait(pause.seconds, str(pause))
            except AccessDenied as error:
                self._denied = error
                if not self._answered:
                    raise
                # It worked before, so it will be mended: from now on the gate lets nothing pass for a while.
                self._tell(str(error))
            else:
                self._answered = True
                return answer

    async def _wait(self, seconds: float, reason: str) -> None:
        self._tell(f"waiting {max(seconds, 1):.0f} s: {reason}", seconds)
        await wait_or_stop(self._stop, seconds)

    def _tell(self, what: str, seconds: float = 0.0) -> None:
        """Give notice, once for all persons that wait for the same."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + max(seconds, 1.0)
            self._notice(what)
