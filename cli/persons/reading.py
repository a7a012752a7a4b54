"""Read persons from Vibes into the mirror, now and whether or not they were read before.

The person workers read only persons nobody has told us about, so a command does this itself: as a worker would, in the
fleet's rate, recorded, and through the mirror, where the latest of Vibes' own times wins. It changes nothing at Vibes,
so it needs no lock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from cli.persons import lookup
from cli.vibes_account import told
from runtime.companies import Companies, Company
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS, Connection, create_pool
from runtime.settings import Settings
from schemas.errors import ConfigurationError, MessageError, ServiceError
from schemas.facts import PersonIdentity, Profile
from vibes_api import NotFound, VibesError
from workers.mirror import Mirror, write_mirror
from workers.mirror.identity import uid_of
from workers.person_sync.accounts import Account, open_accounts
from workers.person_sync.answers import profile_of_answer
from workers.person_sync.calls import CallRecorder
from workers.person_sync.gate import SUBJECT, CompanyPausedError, Subject


@asynccontextmanager
async def open_account(settings: Settings, company: Company) -> AsyncIterator[Account]:
    """Open a company's account as the person workers have it. Raises ConfigurationError without credentials."""
    if not company.has_api:
        raise ConfigurationError(f"companies file, company {company.company_key}: no API credentials are configured")
    configure_logging("ERROR", settings.log_format, "cli")
    url = settings.database_url.get_secret_value()
    async with create_pool(url, "cli", min_size=0, max_size=2) as pool, CallRecorder(pool) as recorder:
        only = Companies(companies=(company,))
        async with open_accounts(only, settings, pool, recorder) as accounts:
            yield accounts[company.company_key]


async def read_person(connection: Connection, account: Account, person_key: str) -> bool:
    """Read a person by person_key and store what Vibes tells; False: Vibes knows no such person.

    Raises ServiceError and ConfigurationError.
    """
    company = account.company
    SUBJECT.set(Subject(await _uid(connection, company.company_key, person_key), locks=None, bulk=False))
    try:
        account.gate.check()
        answered = await account.client.persons.get(person_key)
        profile = profile_of_answer(answered, PersonIdentity(None, person_key), company.default_country)
    except NotFound:
        return False
    except VibesError as error:
        raise told(error, company) from error
    except CompanyPausedError as pause:
        raise ServiceError(f"company {company.company_key}: {pause}") from pause
    except MessageError as problem:
        raise ServiceError(f"company {company.company_key}: Vibes' answer cannot be kept ({problem.reason})") from None
    if profile is not None:
        await _store(connection, company.company_key, profile)
    return True


async def _store(connection: Connection, company_key: str, profile: Profile) -> None:
    async def work(mirror: Mirror) -> None:
        await mirror.store(company_key, [profile])

    try:
        await write_mirror(connection, [company_key], work)
    except POSTGRES_ERRORS as error:
        raise ServiceError(f"Postgres cannot store the person now ({type(error).__name__}); run this again") from error


async def _uid(connection: Connection, company_key: str, person_key: str) -> UUID:
    """Return whom the call is recorded for: the person as the mirror has it, or would if it has no person_id."""
    uids = await lookup.find_person_uids(connection, company_key, person_key=person_key)
    return uids[0] if uids else uid_of(company_key, ("person_key", person_key))
