"""A database with persons, records and conflicts in it, and commands run in this process: they need nothing else."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from cli.main import main
from schemas.facts import PersonIdentity, Profile, Sighting
from schemas.values import read_timestamp
from tests.integration.person_sync.world import until
from workers.mirror import Mirror, write_mirror
from workers.mirror.identity import crm_record_uid

_SOMEBODY_WAITS = """
SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1
"""
COMPANY = "acme"
COMPANIES = f"""
[[companies]]
company_key = "{COMPANY}"
region = "US"
default_country = "US"
endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass
class Desk:
    """What an operator has in front of them: the commands. And what lies behind: the database."""

    database_url: str
    companies_file: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, *arguments: str) -> Result:
        """Run a command of `vibes-pipeline` for COMPANY's companies file."""
        self.monkeypatch.setenv("DATABASE_URL", self.database_url)
        self.monkeypatch.setenv("VIBES_PIPELINE_COMPANIES_FILE", str(self.companies_file))
        self.monkeypatch.setattr(sys, "argv", ["vibes-pipeline", *arguments])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self.capture.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run a command with --json; return what it printed."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == exit_code, result
        return json.loads(result.stdout)

    def sql(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Run a query."""

        async def fetch() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return [dict(row) for row in await connection.fetch(query, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def record(self, external: str, *, mdn: str | None = None, company: str = COMPANY, **custom_fields: Any) -> UUID:
        """Have a record of the CRM; return its uid in the outbox."""
        self.sql(
            "INSERT INTO crm_persons (company_key, external_person_id, mdn, mdn_e164, custom_fields, updated_at, "
            "field_times) VALUES ($1, $2, $3, $3, $4, '2026-01-01T00:00:00Z', $5)",
            company,
            external,
            mdn,
            json.dumps(custom_fields),
            json.dumps({f"custom_fields.{name}": "2026-01-01T00:00:00Z" for name in custom_fields}),
        )
        return crm_record_uid(company, external)

    def bind(self, external: str, person_key: str) -> None:
        """Have the record written to a person before."""
        self.sql("UPDATE crm_persons SET person_key = $2 WHERE external_person_id = $1", external, person_key)

    def bound_to(self, external: str) -> Any:
        """Return whom the record is bound to."""
        (row,) = self.sql("SELECT person_key FROM crm_persons WHERE external_person_id = $1", external)
        return row["person_key"]

    def conflict(
        self,
        uid: UUID,
        external: str | None = None,
        *,
        error: str = "PUT /persons/{person_key} was answered 409",
        status: int | None = 409,
        message: str | None = None,
        at: str = "2026-01-02T00:00:00Z",
        company: str = COMPANY,
    ) -> None:
        """Have a row of the outbox that is a conflict."""
        self.sql(
            "INSERT INTO person_sync (company_key, person_uid, external_person_id, status, desired_version, "
            "synced_version, next_attempt_at, last_error, last_status, last_route, last_message, finished_at, bulk) "
            "VALUES ($1, $2, $3, 'conflict', 3, 3, '2026-01-01', $4, $5, 'PUT /persons/{person_key}', $6, $7, true)",
            company,
            uid,
            external,
            error,
            status,
            message,
            read_timestamp(at),
        )

    def conflicting_record(self, external: str, **options: Any) -> UUID:
        """Have a record of the CRM that Vibes refused."""
        uid = self.record(external, mdn=options.pop("mdn", None), **options.pop("custom_fields", {}))
        self.conflict(uid, external, **options)
        return uid

    def row(self, uid: UUID) -> dict[str, Any]:
        """Return a row of the outbox."""
        (row,) = self.sql("SELECT *, next_attempt_at <= now() AS now FROM person_sync WHERE person_uid = $1", uid)
        return row

    def person(self, person_key: str, external: str | None = None, mdn: str | None = None, **fields: Any) -> UUID:
        """Have a person in the mirror, with a whole profile."""
        at = read_timestamp("2026-01-01T00:00:00Z")
        assert at is not None
        profile = Profile(
            person=PersonIdentity(None, person_key),
            at=at,
            event_date=at,
            external_person_id=external,
            mdn=mdn,
            mdn_e164=mdn,
            carrier_code=None,
            timezone=None,
            timezone_source=None,
            custom_fields=fields,
            created_at=None,
            updated_at=at,
        )
        return self.tell(profile)

    def tell(self, *facts: Any) -> UUID:
        """Fold facts about one person into the mirror; return their uid."""

        async def store() -> UUID:
            async def work(mirror: Mirror) -> UUID:
                return next(iter((await mirror.store(COMPANY, facts)).values()))

            connection = await asyncpg.connect(self.database_url)
            try:
                return await write_mirror(connection, [COMPANY], work)
            finally:
                await connection.close()

        return asyncio.run(store())

    def seen(self, person_key: str, mdn: str) -> UUID:
        """Have a person in the mirror of whom only a subscription told."""
        at = read_timestamp("2026-01-01T00:00:00Z")
        assert at is not None
        return self.tell(Sighting(PersonIdentity(None, person_key), at, None, mdn, mdn))

    @contextmanager
    def meanwhile(self, query: str, *arguments: object) -> Iterator[None]:
        """Hold a transaction with this query open until a command of the block waits for it, then commit it."""
        begun = threading.Event()

        async def hold() -> None:
            connection = await asyncpg.connect(self.database_url)
            looking = await asyncpg.connect(self.database_url)
            try:
                async with connection.transaction():
                    await connection.execute(query, *arguments)
                    begun.set()
                    await until(lambda: looking.fetchval(_SOMEBODY_WAITS), "a command that waits for the row")
            finally:
                await connection.close()
                await looking.close()

        thread = threading.Thread(target=lambda: asyncio.run(hold()))
        thread.start()
        assert begun.wait(30)
        yield
        thread.join()
