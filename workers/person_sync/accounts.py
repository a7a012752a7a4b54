"""How to speak to Vibes for each company, and the calls an action means."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from runtime.companies import Companies, Company
from runtime.postgres import Pool
from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.facts import PersonIdentity, Profile
from vibes_api import NotFound, RetryPolicy, VibesClient
from workers.person_sync.answers import profile_of_answer
from workers.person_sync.calls import CallRecorder
from workers.person_sync.decide import Hydrate, Push
from workers.person_sync.gate import Gate
from workers.person_sync.rate import FleetRate


@dataclass(frozen=True, slots=True)
class Made:
    """What came of the calls of an action."""

    profile: Profile | None = None
    """The person as Vibes answered; None when it did not."""
    added: bool = False
    """Whether the person to change was unknown, and was added."""


@dataclass(frozen=True, slots=True)
class Account:
    """One company's access to the Person API."""

    company: Company
    client: VibesClient
    gate: Gate

    async def make(self, action: Hydrate | Push) -> Made:
        """Make the calls an action means.

        Raises VibesError, CompanyPausedError, LocksLostError, and MessageError for an answer that cannot be kept.
        """
        self.gate.check()
        if isinstance(action, Hydrate):
            return Made(await self._hydrate(action))
        return await self._push(action)

    async def _hydrate(self, action: Hydrate) -> Profile | None:
        persons = self.client.persons
        if action.address is not None:
            with suppress(NotFound):
                answered = await persons.get(_one_id(action.address))
                return profile_of_answer(answered, action.address, self.company.default_country)
        if action.external_person_id is None:
            return None
        with suppress(NotFound):
            answered = await persons.get_by_external_id(action.external_person_id)
            return profile_of_answer(answered, None, self.company.default_country)
        return None

    async def _push(self, action: Push) -> Made:
        persons = self.client.persons
        added = False
        try:
            if action.address is None:
                written = await persons.update_by_external_id(action.external_person_id, action.changes)
            else:
                written = await persons.update(_one_id(action.address), action.changes)
        except NotFound:
            if action.whole is None:
                raise
            written = await persons.add(action.whole)
            added = True
        if written.person is None:
            return Made(None, added)
        return Made(profile_of_answer(written.person, None, self.company.default_country), added)


@asynccontextmanager
async def open_accounts(
    companies: Companies, settings: Settings, pool: Pool, recorder: CallRecorder
) -> AsyncIterator[Mapping[str, Account]]:
    """Open the client of every company that has API credentials. Raises ConfigurationError."""
    async with AsyncExitStack() as stack:
        accounts = {}
        for company in companies.companies:
            if company.has_api:
                account = _account(company, settings, pool, recorder)
                await stack.enter_async_context(account.client)
                accounts[company.company_key] = account
        yield accounts


def _account(company: Company, settings: Settings, pool: Pool, recorder: CallRecorder) -> Account:
    gate = Gate(company.company_key, FleetRate(pool, company.company_key, company.api_requests_per_second))
    try:
        client = VibesClient(
            company.base_url,
            company.company_key,
            company.api_username or "",
            company.api_password().get_secret_value(),
            retry=RetryPolicy(attempts=settings.person_api_attempts, total=settings.person_api_retry_seconds),
            limiter=gate,
            timeout=settings.person_api_timeout_seconds,
            ssl_context=company.api_tls(),
            observer=recorder.observer(company.company_key),
        )
    except ValueError as error:
        raise ConfigurationError(f"companies file, company {company.company_key}: {error}") from error
    return Account(company, client, gate)


def _one_id(address: PersonIdentity) -> str:
    return address.person_key or address.person_id or ""
