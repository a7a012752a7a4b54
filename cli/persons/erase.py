"""`vibes-pipeline persons erase`: erase a person at Vibes and everywhere here."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated
from uuid import UUID, uuid4

import typer

from cli.persons.erase_views import (
    described,
    erasure_json,
    print_erased,
    print_erasures,
    print_people,
    print_plan,
    reading,
)
from cli.printing import as_json
from cli.services import postgres
from cli.vibes_account import CompanyKey, choose_company, told
from runtime.companies import Companies, Company, load_companies
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS, create_pool, statement
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError, ServiceError
from vibes_api import VibesClient, VibesError
from workers.erasure import request
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, MDN, PERSON_ID, PERSON_KEY, Identifiers, Identity
from workers.erasure.mentions import Matcher
from workers.erasure.run import Eraser
from workers.erasure.search import Sources, find_people
from workers.person_sync.accounts import open_accounts
from workers.person_sync.calls import CallRecorder
from workers.person_sync.gate import SUBJECT, CompanyPausedError, Subject
from workers.person_sync.locks import open_locks

_POOL = 3

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def erase(
    external_id: Annotated[str | None, typer.Option(help="Your own id of the person.")] = None,
    person_key: Annotated[str | None, typer.Option(help="Vibes' key of the person.")] = None,
    person_id: Annotated[str | None, typer.Option(help="Vibes' deprecated id of the person.")] = None,
    mdn: Annotated[str | None, typer.Option(help="Mobile number, with + and country code.")] = None,
    resume: Annotated[UUID | None, typer.Option(metavar="ERASURE_ID", help="Carry on with this erasure.")] = None,
    company: CompanyKey = None,
    reason: Annotated[str | None, typer.Option(help="Kept for good: a ticket's number, no personal data.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Erase everybody the id or number may mean.")] = False,
    local_only: Annotated[bool, typer.Option("--local-only", help="Leave the person at Vibes as it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase a person: at Vibes, in every table here, and for good. See docs/erasure.md.

    Exit code 0: erased; 1: not, or not yet: run it again, or with --resume; 2: wrong use.
    """
    options = ((EXTERNAL_PERSON_ID, external_id), (PERSON_KEY, person_key), (PERSON_ID, person_id), (MDN, mdn))
    given = [(kind, value.strip()) for kind, value in options if value and value.strip()]
    if len(given) + (resume is not None) != 1:
        raise ConfigurationError("give one of --external-id, --person-key, --person-id, --mdn and --resume")
    if not (yes or dry_run) and (json or not sys.stdin.isatty()):
        raise ConfigurationError("nobody can be asked here: add --yes or --dry-run")
    settings = load_settings()
    configure_logging("WARNING", settings.log_format, "erase")
    chosen = choose_company(load_companies(settings.companies_file), company)
    if not (local_only or chosen.has_api):
        raise ConfigurationError(
            f"companies file, company {chosen.company_key}: no API credentials, so the person cannot be erased at "
            "Vibes; set api_username and its password, or erase here alone with --local-only"
        )
    command = _Command(settings, chosen, local_only=local_only, dry_run=dry_run, yes=yes, json=json)
    asyncio.run(command.resume(resume) if resume else command.erase(given[0], reason, everybody=everybody))


def list_erasures(company: CompanyKey = None, json: Json = False) -> None:
    """List the erasures, the latest first: what was asked for, how far it is, what was erased."""

    async def read() -> list[dict[str, object]]:
        async with postgres(load_settings()) as connection:
            return [erasure_json(dict(row)) for row in await connection.fetch(statement("erasure_list"), company)]

    rows = asyncio.run(read())
    if json:
        print(as_json(rows))
    else:
        print_erasures(rows)


class _Command:
    """One run of `persons erase`."""

    def __init__(
        self, settings: Settings, company: Company, *, local_only: bool, dry_run: bool, yes: bool, json: bool
    ) -> None:
        self._settings = settings
        self._company = company
        self._local_only = local_only
        self._dry_run = dry_run
        self._yes = yes
        self._json = json

    async def erase(self, asked: Identity, reason: str | None, *, everybody: bool) -> None:
        """Erase whoever an id or number means, or carry on where the same was begun before."""
        async with self._open() as (eraser, client):
            connection, key = eraser.connection, self._company.company_key
            unfinished = await request.list_unfinished(connection, key)
            begun = [each.erasure_id for each in unfinished if asked in each.person.identities()]
            if begun and not self._dry_run:
                for erasure_id in begun:
                    await self._carry_on(eraser, erasure_id)
                return
            people = await find_people(Sources(connection, key, self._company.default_country, client), asked)
            if len(people) > 1 and not everybody:
                self._ask_for_one(people)
            if reason and any(Matcher(one, None).names(reason) for one in people):
                raise ConfigurationError("--reason: it is kept for good, so it must not name the person")
            plans = [] if self._yes and not self._dry_run else [await self._plan(eraser, one) for one in people]
            if self._dry_run:
                self._show([{"person": described(one), "rows": plan} for one, plan in zip(people, plans, strict=True)])
                return
            if not (self._yes or _agreed()):
                raise ServiceError("nothing was erased")
            ids = [uuid4() for _ in people]
            # All at once: should this run be cut short, what is left to do is known.
            async with connection.transaction():
                for erasure_id, one in zip(ids, people, strict=True):
                    await request.record_request(connection, erasure_id, key, one, reason, local_only=self._local_only)
            for erasure_id in ids:
                await self._carry_on(eraser, erasure_id)

    async def resume(self, erasure_id: UUID) -> None:
        """Carry an erasure on."""
        async with self._open() as (eraser, _):
            begun = await request.load(eraser.connection, erasure_id)
            if begun is None or begun.company_key != self._company.company_key:
                raise ServiceError(
                    f"company {self._company.company_key} has no erasure {erasure_id}: "
                    "`vibes-pipeline persons erasures` lists them"
                )
            if self._dry_run:
                plan = await self._plan(eraser, begun.person)
                self._show([{"person": described(begun.person), "rows": plan}])
                return
            if not (self._yes or _agreed()):
                raise ServiceError("nothing was erased")
            await self._carry_on(eraser, erasure_id)

    async def _carry_on(self, eraser: Eraser, erasure_id: UUID) -> None:
        begun = await request.load(eraser.connection, erasure_id)
        if begun is not None and begun.local_only != self._local_only and begun.status == request.REQUESTED:
            option = "with --local-only" if begun.local_only else "without --local-only"
            raise ConfigurationError(f"erasure {erasure_id} was requested {option}: carry it on like that")
        try:
            with reading(quiet=self._json) as progress:
                await eraser.run(erasure_id, progress)
        except (VibesError, CompanyPausedError, ServiceError) as error:
            shown = str(told(error, self._company)) if isinstance(error, VibesError) else str(error)
            raise ServiceError(
                f"{shown}\nnothing was erased here that Vibes still holds; carry on with: "
                f"vibes-pipeline persons erase --resume {erasure_id}"
            ) from error
        row = await eraser.connection.fetchrow(statement("erasure_load"), erasure_id)
        assert row is not None  # noqa: S101 - it was carried on just now
        done = erasure_json(dict(row))
        if self._json:
            print(as_json(done))
        else:
            print_erased(done)

    async def _plan(self, eraser: Eraser, person: Identifiers) -> dict[str, int]:
        with reading(quiet=self._json) as progress:
            plan = await eraser.estimate(uuid4(), person, progress)
        if not self._json:
            print_plan(described(person), plan, at_vibes=not self._local_only)
        return plan

    def _show(self, plans: list[dict[str, object]]) -> None:
        if self._json:
            print(as_json({"dry_run": True, "people": plans}))
        else:
            print("nothing was changed: a dry run")

    def _ask_for_one(self, people: list[Identifiers]) -> None:
        if self._json:
            print(as_json({"ambiguous": True, "people": [described(one) for one in people]}))
        else:
            print_people([described(one) for one in people])
        raise ServiceError(
            f"this may mean {len(people)} persons, and nothing was erased: name one by --person-key, --person-id or "
            "--external-id, or erase all of them with --all"
        )

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Eraser, VibesClient | None]]:
        """Open what an erasure needs; Postgres' trouble becomes one clear line."""
        url = self._settings.database_url.get_secret_value()
        try:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(postgres(self._settings))
                locks = await stack.enter_async_context(open_locks(url))
                client = None
                if not self._local_only:
                    pool = await stack.enter_async_context(create_pool(url, "erase", min_size=0, max_size=_POOL))
                    recorder = CallRecorder(pool)
                    only = Companies(companies=(self._company,))
                    accounts = await stack.enter_async_context(open_accounts(only, self._settings, pool, recorder))
                    await stack.enter_async_context(recorder)
                    client = accounts[self._company.company_key].client
                    SUBJECT.set(Subject(uuid4(), None))
                yield Eraser(connection, self._company, locks, client), client
        except POSTGRES_ERRORS as error:
            raise ServiceError(
                f"DATABASE_URL: Postgres failed ({type(error).__name__}); the erasure is as far as "
                "`vibes-pipeline persons erasures` says: run the same command again"
            ) from error
        except CompanyPausedError as error:
            raise ServiceError(f"company {self._company.company_key}: {error}") from error
        except VibesError as error:
            raise told(error, self._company) from error


def _agreed() -> bool:
    try:
        return typer.confirm("Erase this for good?", err=True)
    except typer.Abort:
        return False
