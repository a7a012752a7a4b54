"""A database with two people in it, and commands that erase them."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from runtime.postgres import Pool, statement
from schemas.callbacks.json_body import short_hash
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import until
from tests.support.applying import apply_bodies
from tests.support.bodies import encoded, person_body, subscription_body
from tests.support.commands import vibes_pipeline
from workers.apply.reading import Outcome
from workers.mirror.identity import crm_record_uid

ANN = {
    "person_id": "70001234",
    "person_key": "c5235a1-e243-42z7-979c-ann",
    "external_person_id": "crm-ann-1",
    "mdn": "+13125550101",
    "name": "Annabel Erasable",
}
BEN = {
    "person_id": "80005678",
    "person_key": "d6346b2-f354-53z8-080d-ben",
    "external_person_id": "crm-ben-2",
    "mdn": "+13125550202",
    "name": "Benedict Staying",
}
LATER = datetime.now(UTC) + timedelta(days=1)


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def reference(person: dict[str, str]) -> dict[str, Any]:
    """Return a person as subscription events name one."""
    return {
        "id": person["person_id"],
        "person_key": person["person_key"],
        "external_person_id": person["external_person_id"],
        "external_id": person["external_person_id"],
        "mobile_phone": {"mdn": person["mdn"]},
    }


def subscribed(person: dict[str, str], event_id: str, list_id: str = "L1", **fields: Any) -> dict[str, Any]:
    return subscription_body("added", event_id=event_id, person=reference(person), list_id=list_id, **fields)


def profile(person: dict[str, str], event_id: str, **fields: Any) -> dict[str, Any]:
    told = {
        "person_id": person["person_id"],
        "external_person_id": person["external_person_id"],
        "mobile_phone": {"mdn": person["mdn"], "carrier_code": "104"},
        "custom_fields": {"first_name": person["name"]},
        **fields,
    }
    return person_body(event_id=event_id, **told)


def bodies_about(person: dict[str, str]) -> list[bytes]:
    """Return one event of every family about a person, some of which only name the number or the customer's id."""
    tag = person["name"][:3]
    participant = {
        "person": {"id": person["person_id"], "external_id": person["external_person_id"]},
        "acquisition_campaign": {"id": "C1"},
        "status": "CONFIRMED",
    }
    told: list[dict[str, Any]] = [
        subscribed(person, f"{tag}1"),
        profile(person, f"{tag}2"),
        {"callback_type": "ack_participant_changed", "event_id": f"{tag}3", "participant": participant},
        {
            "callback_type": "company_participant_added",
            "event_id": f"{tag}4",
            "participant": {"person": {"mobile_phone": {"mdn": person["mdn"]}}, "status": "PENDING"},
        },
        {
            "callback_type": "device_added",
            "event_id": f"{tag}5",
            "person": {"person_id": person["person_id"], "external_id": person["external_person_id"]},
            "push_device": {"app_id": "app", "vibes_device_id": f"device-{tag}", "push_token": f"token-{tag}"},
        },
        {
            "callback_type": "unmatched_message_received",
            "event_id": f"{tag}6",
            "participant": {"mdn": person["mdn"]},
            "message": f"this is {person['name']}",
        },
        {
            "callback_type": "event_processed",
            "event_id": f"{tag}7",
            "event_processed": {
                "event_id": f"x-{tag}",
                "event_type": "order",
                "event_data": {"external_person_id": person["external_person_id"], "first_name": person["name"]},
            },
        },
        {
            "callback_type": "event_processed",
            "event_id": f"{tag}8",
            "event_processed": {"event_data": {"contact": {"phone": person["mdn"][1:], "who": person["name"]}}},
        },
        {
            "callback_type": "device_added",
            "event_id": f"{tag}9",
            "person": {"external_id": person["external_person_id"]},
        },
    ]
    for body in told:
        body.setdefault("event_date", "2024-03-01T00:00:00Z")
    nul = profile(person, f"{tag}10", custom_fields={"note": f"{person['name']}\x00"})
    quarantined = [
        b'{"callback_type": "person_updated", "broken": "' + person["external_person_id"].encode() + b'"',
        b"mdn=%2B" + person["mdn"][1:].encode() + b"&name=" + person["name"].encode(),
        encoded({"callback_type": "person_updated", "person": {"external_id": person["external_person_id"]}}),
        encoded({"callback_type": "of_tomorrow", "someone": {"mdn": person["mdn"], "who": person["name"]}}),
    ]
    return [encoded(body) for body in (*told, nul)] + quarantined


@dataclass
class World:
    """What the specifications act on."""

    pool: Pool
    database_url: str
    vibes: VibesStandIn
    directory: Path

    async def settle(self, *people: dict[str, str]) -> None:
        """Have people everywhere: at Vibes, in the mirror, in the CRM, in the outbox, in the log, in dead letters."""
        for person in people:
            await apply_bodies(self.pool, bodies_about(person))
            self.at_vibes(person)
            await self.pool.execute(
                "INSERT INTO crm_persons (company_key, external_person_id, mdn, mdn_e164, custom_fields, updated_at, "
                "person_key) VALUES ('acme', $1, $2, $2, $3, now(), $4)",
                person["external_person_id"],
                person["mdn"],
                orjson.dumps({"first_name": person["name"]}).decode(),
                person["person_key"],
            )
            await self.pool.execute(
                "INSERT INTO person_sync (company_key, person_uid, external_person_id, status, desired_version, "
                "next_attempt_at, last_message) VALUES ('acme', $1, $2, 'conflict', 1, now(), $3)",
                crm_record_uid("acme", person["external_person_id"]),
                person["external_person_id"],
                f"{person['mdn']} is taken",
            )
            await self.pool.execute(
                "INSERT INTO person_api_calls (company_key, person_uid, method, route, attempt, latency_seconds) "
                "SELECT 'acme', person_uid, 'GET', '/persons', 1, 0.1 FROM persons WHERE person_key = $1",
                person["person_key"],
            )

    def at_vibes(self, person: dict[str, str], **fields: Any) -> None:
        """Have a person at Vibes."""
        self.vibes.add(
            person["person_key"],
            person["person_id"],
            f"external/{person['external_person_id']}",
            person_key=person["person_key"],
            person_id=person["person_id"],
            external_person_id=person["external_person_id"],
            mobile_phone={"mdn": person["mdn"], "carrier_code": "104"},
            custom_fields={"first_name": person["name"], "zip": "60601"},
            **fields,
        )

    @asynccontextmanager
    async def command(self, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command as a process; it is killed with the block."""
        companies = self.directory / "companies.toml"
        companies.write_text(
            '[[companies]]\ncompany_key = "acme"\nregion = "US"\ndefault_country = "US"\n'
            f'api_base_url = "{self.vibes.url}"\napi_username = "a@example.com"\napi_password_env = "PASSWORD"\n'
            f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
        )
        process = await asyncio.create_subprocess_exec(
            *vibes_pipeline(),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "PASSWORD": "secret",
                "DATABASE_URL": self.database_url,
                "VIBES_PIPELINE_COMPANIES_FILE": str(companies),
                "VIBES_PIPELINE_PERSON_API_ATTEMPTS": "1",
                **environment,
            },
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Run a command to its end; return what it printed, errors behind."""
        async with self.command(*arguments) as process:
            out, err = (each.decode() for each in await process.communicate())
        assert process.returncode == exit_code, out + err
        for person in (ANN, BEN):
            assert person["mdn"] not in out + err
            assert person["name"] not in out + err
        return out + err

    async def erase(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run `persons erase --yes`; return what it printed as JSON, or as it is when it did not work."""
        told = await self.run("persons", "erase", *arguments, "--yes", "--json", exit_code=exit_code)
        return json.loads(told) if exit_code == 0 else told

    async def tell(self, *bodies: dict[str, Any]) -> list[Outcome]:
        """Apply callbacks."""
        return await apply_bodies(self.pool, [encoded(body) for body in bodies])

    async def traces(self, *words: str) -> list[str]:
        """Return the rows of the whole database that hold one of the words, however they are kept.

        What is kept for analysts follows within the 15 seconds after which apply adds up; here at once.
        """
        await self.pool.fetchval("SELECT analytics_store.roll_up()")
        tables = await self.pool.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relkind = 'r' "
            "AND c.relnamespace::regnamespace::text IN ('public', 'analytics_store')"
        )
        found = []
        for table in tables:
            rows = await self.pool.fetch(f"SELECT row_to_json(t)::text AS row FROM {table['name']} AS t")  # noqa: S608
            forms = [form for word in words for form in (word, word.encode().hex())]
            found += [f"{table['name']}: {row['row']}" for row in rows if any(form in row["row"] for form in forms)]
        return sorted(found)

    async def traces_of(self, person: dict[str, str]) -> list[str]:
        """Return the rows that tell anything of a person."""
        uids = [str(short_hash(f"acme\x00{kind}\x00{person[kind]}".encode())) for kind in ("person_id", "person_key")]
        return await self.traces(*person.values(), person["mdn"][1:], person["mdn"][2:], *uids)

    async def count(self, table: str) -> int:
        """Return how many rows a table or view has."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of ours

    async def types(self) -> list[str]:
        """Return the types in the log, in order of the event ids."""
        return [
            row["callback_type"]
            for row in await self.pool.fetch("SELECT callback_type FROM callback_events ORDER BY event_id")
        ]

    async def status(self) -> str:
        """Return the status of the one erasure there is."""
        return str(await self.pool.fetchval("SELECT status FROM erasures"))

    async def crm_change(self, person: dict[str, str], updated_at: datetime) -> None:
        """Have the CRM send a change, through the table's door: `erased_since` decides as apply does."""
        from workers.erasure.tombstones import erased_since

        external = person["external_person_id"]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(statement("lock_identities"), ["acme"], False)
            erased = await erased_since(connection, "acme", [external])
            if external not in erased or updated_at > erased[external]:
                await connection.execute(
                    "INSERT INTO crm_persons (company_key, external_person_id, updated_at) VALUES ('acme', $1, $2)",
                    external,
                    updated_at,
                )

    async def commands_are_gone(self) -> None:
        """Wait until the server has noticed that a command was killed."""

        async def are_gone() -> bool:
            sessions = await self.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name LIKE 'vibes-pipeline%' AND application_name <> 'vibes-pipeline test'"
            )
            return bool(sessions == 0)

        await until(are_gone, "the end of all sessions of commands")

    async def waits_for_a_lock(self) -> None:
        """Wait until some session waits for a lock."""

        async def waits() -> bool:
            return bool(
                await self.pool.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                    "AND datname = current_database() AND application_name LIKE '%cli'"
                )
            )

        await until(waits, "a session that waits for a lock")
