"""A database with dead letters in it, as bugs leave them behind, and the commands that deal with them."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.accounts import Account, ReceiptCheck, balance
from runtime.postgres import Pool, statement
from schemas.broker_message import CallbackMessage
from schemas.crm_change import CrmChange
from tests.support.applying import apply_message, message
from tests.support.commands import vibes_pipeline
from tests.support.crm import apply_changes
from workers.apply import crm_settle
from workers.mirror import store


@contextmanager
def bug() -> Iterator[None]:
    """Have a release with a bug: it can store no fact, and no change of the CRM."""

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "fold", fails)
        patch.setattr(crm_settle, "store", fails)
        yield


@dataclass
class World:
    """What the specifications act on."""

    pool: Pool
    database_url: str
    directory: Path

    async def apply(self, *bodies: bytes) -> CallbackMessage:
        """Apply callbacks as the code is; return the message they came in."""
        told = message(bodies)
        await apply_message(self.pool, told)
        return told

    async def fail(self, *bodies: bytes) -> CallbackMessage:
        """Apply callbacks with a release that has a bug; return the message they came in."""
        with bug():
            return await self.apply(*bodies)

    async def fail_changes(self, *changes: CrmChange) -> None:
        """Store changes of the CRM with a release that has a bug."""
        with bug():
            assert set(await apply_changes(self.pool, *changes)) == {"dead_lettered"}

    async def letters(self, where: str = "true") -> list[dict[str, Any]]:
        """Return dead letters with their status, in the order of their ids."""
        rows = await self.pool.fetch(
            f"SELECT dead_letter_status(l) AS status, l.* FROM dead_letters AS l WHERE {where} ORDER BY id"  # noqa: S608
        )
        return [dict(row) for row in rows]

    async def audit(self, *messages: CallbackMessage) -> tuple[dict[str, int], ReceiptCheck]:
        """Return how many callbacks came to each outcome, and what the receipts of those messages say.

        The figures of the messages and the sums the audit goes by have to agree.
        """
        query = (
            "SELECT company_key, ingest_id, acknowledged, applied, duplicates, quarantined, dead_lettered FROM ("
            "SELECT company_key, ingest_id, max(acknowledged) AS acknowledged, sum(applied)::int AS applied, "
            "sum(duplicates)::int AS duplicates, sum(quarantined)::int AS quarantined, "
            "sum(dead_lettered)::int AS dead_lettered FROM {} GROUP BY 1, 2) AS t"
        )
        told = [dict(row) for row in await self.pool.fetch(query.format("callback_messages"))]
        assert told == [dict(row) for row in await self.pool.fetch(query.format("callback_accounts"))]
        (account,) = balance(told) or [Account("acme")]
        receipts = [(each.message_id, place) for each in messages for place in range(len(each.callbacks))]
        check = ReceiptCheck()
        for row in await self.pool.fetch(
            statement("account_receipts"), [receipt[0] for receipt in receipts], [receipt[1] for receipt in receipts]
        ):
            check.add(dict(row))
        counts = {name: getattr(account, name) for name in ("applied", "duplicates", "quarantined", "dead_lettered")}
        return counts, check

    async def outcomes(self, told: CallbackMessage) -> str:
        """Return what became of the callbacks of a message, a letter each."""
        return str(
            await self.pool.fetchval("SELECT outcomes FROM callback_messages WHERE message_id = $1", told.message_id)
        )

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of ours

    @asynccontextmanager
    async def command(
        self, *arguments: str, group: str = "dead-letters", **environment: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run one of the `dead-letters` commands, or another, as a process; it is killed with the block."""
        companies = self.directory / "companies.toml"
        companies.write_text(
            '[[companies]]\ncompany_key = "acme"\nregion = "US"\ndefault_country = "US"\n'
            'api_username = "a@example.com"\napi_password_env = "PASSWORD"\n'
            f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
        )
        process = await asyncio.create_subprocess_exec(
            *vibes_pipeline(),
            group,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "PASSWORD": "secret",
                "DATABASE_URL": self.database_url,
                "VIBES_PIPELINE_COMPANIES_FILE": str(companies),
                **environment,
            },
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.communicate()

    async def output(self, *arguments: str, exit_code: int = 0) -> bytes:
        """Run a command to its end; return what it printed, or what it said when it did not work."""
        async with self.command(*arguments) as process:
            out, err = await process.communicate()
        assert process.returncode == exit_code, (out + err).decode()
        assert b"Traceback" not in err, err.decode()
        return out if exit_code != 2 else err

    async def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run a command with --json; return what it printed."""
        return json.loads(await self.output(*arguments, "--json", exit_code=exit_code))
