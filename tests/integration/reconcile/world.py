"""A simulated Vibes whose callbacks may get lost, a mirror, and reconciliations of the two."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from runtime.companies import Company, load_companies
from runtime.postgres import Pool
from runtime.settings import load_settings
from schemas.values import read_timestamp
from simulator.app import create_app
from tests.integration.simulator.world import PERSONS, Receiver, Vibes, config
from tests.support.applying import apply_bodies
from tests.support.commands import vibes_pipeline
from workers.person_sync.accounts import open_accounts
from workers.person_sync.calls import CallRecorder
from workers.reconcile import runs
from workers.reconcile.run import Finding, Reconciler
from workers.reconcile.runs import Run
from workers.reconcile.targets import Options, Targets

CAMPAIGN = "/companies/acme/campaigns/acquisition/ACQ1000S/participants"
"""Whoever is signed up there is on LIST at once."""
LIST = "1234"


@asynccontextmanager
async def serve_simulator(url: str, **more: Any) -> AsyncIterator[tuple[Vibes, str]]:
    """Run a simulator whose callbacks go to `url`; return it with its own address."""
    server = TestServer(create_app(config(url, **more)))
    await server.start_server(shutdown_timeout=0.1)
    async with aiohttp.ClientSession() as session:
        yield Vibes(server, session), str(server.make_url("/")).rstrip("/")
    await server.close()


@dataclass
class Seen:
    """Keeps what a run told its watcher."""

    notices: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    finished: list[bool] = field(default_factory=list)
    """After each person: whether the run counted as finished."""

    def notice(self, what: str) -> None:
        self.notices.append(what)

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def progress(self, run: Run) -> None:
        self.finished.append(run.finished)


class World:
    """Does what people, Vibes and operators do, and looks at what came of it."""

    def __init__(
        self, pool: Pool, simulator: tuple[Vibes, str], receiver: Receiver, database_url: str, companies_file: Path
    ) -> None:
        self.pool = pool
        self.vibes, self.url = simulator
        self.receiver = receiver
        self.seen = Seen()
        self.stop = asyncio.Event()
        self._database_url = database_url
        self._companies_file = companies_file

    # --- what happens at Vibes, and what arrives of it

    async def sign_up(self, number: int) -> dict[str, Any]:
        """Have somebody join LIST; return the person as the participant names them."""
        body = {
            "external_person_id": f"ex{number}",
            "mobile_phone": {"mdn": f"+1206555{number:04}", "carrier_code": "104"},
            "custom_fields": {"first_name": "Steve"},
        }
        status, participant = await self.vibes.call("POST", CAMPAIGN, body)
        assert status == 201
        return dict(participant["person"])

    async def leave(self, person: dict[str, Any]) -> None:
        """Have somebody leave LIST."""
        assert (await self.vibes.call("DELETE", f"{PERSONS}/{person['person_key']}/subscriptions/{LIST}"))[0] == 204

    async def change(self, person: dict[str, Any], **custom_fields: str) -> None:
        """Change somebody at Vibes."""
        status, _ = await self.vibes.call("PUT", f"{PERSONS}/{person['person_key']}", {"custom_fields": custom_fields})
        assert status == 200

    async def arrived(self, count: int) -> list[bytes]:
        """Wait for so many callbacks; return their bodies, none of them applied."""
        await self.receiver.wait_for(count)
        return list(self.receiver.bodies)

    async def apply(self, bodies: Sequence[bytes]) -> None:
        """Apply callbacks."""
        await apply_bodies(self.pool, bodies)

    async def faults(self, **settings: Any) -> None:
        """Have Vibes' API misbehave."""
        assert (await self.vibes.call("PUT", "/_simulator/faults", settings))[0] == 200

    async def asked(self) -> int:
        """Return how many calls of the API arrived at Vibes."""
        _, calls = await self.vibes.call("GET", "/_simulator/api-calls")
        return int(calls["total"])

    # --- reconciling

    def write_companies(self, rate: float = 1000.0, **changes: str) -> None:
        settings = {
            "company_key": "acme",
            "region": "US",
            "api_base_url": self.url,
            "api_username": "me@example.com",
            "api_password_env": "PASSWORD",
            **changes,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items() if value]
        lines += [f"api_requests_per_second = {rate}", f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]']
        self._companies_file.write_text("\n".join(["[[companies]]", *lines, ""]))

    async def reconcile(
        self, options: Options | None = None, *, limit: int | None = None, restart: bool = False
    ) -> Run:
        """Reconcile in this process; `seen` keeps what was told meanwhile."""
        options = options or Options()
        self.seen = Seen()
        settings = load_settings(database_url=self._database_url, person_api_attempts=2)
        async with CallRecorder(self.pool) as recorder:
            companies = load_companies(self._companies_file)
            async with open_accounts(companies, settings, self.pool, recorder) as accounts:
                run = await runs.begin(self.pool, "acme", options, restart=restart)
                targets = Targets(self.pool, "acme", options, run.started_at)
                reconciler = Reconciler(self.pool, accounts["acme"], options, self.seen, self.stop)
                await reconciler.run(run, targets.after(run.cursor), concurrency=8, limit=limit)
                return run

    def company(self) -> Company:
        return load_companies(self._companies_file).companies[0]

    async def start_command(self, *arguments: str, **settings: object) -> asyncio.subprocess.Process:
        """Start `vibes-pipeline persons reconcile`."""
        return await asyncio.create_subprocess_exec(
            *vibes_pipeline(),
            "persons",
            "reconcile",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "DATABASE_URL": self._database_url,
                "VIBES_PIPELINE_COMPANIES_FILE": str(self._companies_file),
                **{f"VIBES_PIPELINE_{name.upper()}": str(value) for name, value in settings.items()},
            },
        )

    async def command(self, *arguments: str, **settings: object) -> tuple[int, str, str]:
        """Run `vibes-pipeline persons reconcile`; return its exit code and what it printed."""
        process = await self.start_command(*arguments, **settings)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    # --- looking

    async def found(self) -> list[str]:
        """Return the differences the last run told, sorted."""
        return sorted(drift.kind for finding in self.seen.findings for drift in finding.drifts)

    async def here(self) -> tuple[dict[str, Any], dict[tuple[str, str, Any], Any]]:
        """Return the profiles by person_id, and the ends of the stays by person_id, list and start."""
        persons = await self.pool.fetch("SELECT * FROM persons WHERE profile_at IS NOT NULL")
        stays = await self.pool.fetch("SELECT * FROM subscriptions JOIN persons USING (person_uid)")
        return (
            {row["person_id"]: (row["external_person_id"], row["mdn_e164"], row["custom_fields"]) for row in persons},
            {
                (row["person_id"], row["list_id"], row["opt_in_date"]): (row["opt_out_date"], row["opt_out_reason"])
                for row in stays
            },
        )

    async def at_vibes(self) -> tuple[dict[str, Any], dict[tuple[str, str, Any], Any]]:
        """Return the same of Vibes."""
        lines = await self.vibes.lines("mobiledb?company_key=acme")
        persons = [line for line in lines if line["kind"] == "person"]
        stays = [line for line in lines if line["kind"] == "stay"]
        return (
            {
                person["person_id"]: (person["external_person_id"], person["mdn"], person["custom_fields"])
                for person in persons
            },
            {
                (stay["person_id"], stay["list_id"], read_timestamp(stay["opt_in_date"])): (
                    read_timestamp(stay["opt_out_date"]),
                    stay["opt_out_reason"],
                )
                for stay in stays
            },
        )

    async def known_persons(self) -> set[str]:
        """Return the person_ids of everybody in the mirror."""
        return {row["person_id"] for row in await self.pool.fetch("SELECT person_id FROM persons")}

    async def subscribed(self) -> int:
        """Return how many subscriptions are current here."""
        return int(await self.pool.fetchval("SELECT count(*) FROM current_subscriptions"))

    async def row(self) -> dict[str, Any]:
        """Return the latest run as the database has it."""
        row = await self.pool.fetchrow("SELECT * FROM reconciliations ORDER BY started_at DESC LIMIT 1")
        assert row is not None
        return dict(row)
