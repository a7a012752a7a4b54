"""The pipeline with several person workers, and a simulator that holds them to Vibes' limit."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.request import Request, urlopen

import asyncpg
from rich.console import Console

from deploy.local.errors import ServiceError
from deploy.local.progress import Steps
from deploy.local.stack import PARTS, Stack

Result = TypeVar("Result")
Json = dict[str, Any]

COMPANY = "bench"
PROCESSES = 4
LIMIT = 100
"""Requests in any second that the simulator answers; the next one gets 429. Vibes' own limit."""
AIM = 96.5
"""Requests a second the workers aim at: there is room for 3 that arrive late."""
_AT_ONCE = 1000
_SYNCS = "SELECT status, count(*) FROM person_sync WHERE external_person_id IS NOT NULL GROUP BY status"
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Counted:
    """The simulator's own count of calls, at a moment."""

    moment: float
    total: int
    throttled: int
    peak_per_second: int

    @property
    def answered(self) -> int:
        """Calls that were within the limit."""
        return self.total - self.throttled


class Fleet:
    """Up on entering; drained and gone on leaving."""

    def __init__(self) -> None:
        more = [f"person-sync-{number}" for number in range(2, PROCESSES + 1)]
        self.stack = Stack((COMPANY,), parts=(*PARTS, *more), requests_per_second=AIM)

    def __enter__(self) -> Self:
        self.stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)

    def hold(self, persons: Sequence[Json]) -> None:
        """Have these persons at Vibes."""
        for begin in range(0, len(persons), _AT_ONCE):
            self._ask("POST", "/persons", {"company_key": COMPANY, "persons": persons[begin : begin + _AT_ONCE]})

    def change(self, records: Sequence[Json]) -> None:
        """Send changes, at most 10,000, as the CRM does. Raises ServiceError when one is refused."""
        request = Request(  # noqa: S310 - ingest's URL, on loopback
            self.stack.crm_url,
            json.dumps(records).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.stack.companies[COMPANY].crm_token}",
            },
        )
        with urlopen(request, timeout=60) as response:  # noqa: S310
            answer = json.load(response)
        if answer["accepted"] != len(records):
            raise ServiceError(f"ingest took {answer['accepted']} of {len(records)} changes")

    def count(self) -> Counted:
        """Return the simulator's count."""
        calls = self._ask("GET", "/api-calls")
        peak = calls["companies"][COMPANY]["peak_per_second"]
        return Counted(time.monotonic(), calls["total"], calls["rate_limited"], peak)

    def custom_fields(self) -> dict[str, Json]:
        """Return the custom fields of everybody at Vibes, by external id."""
        with urlopen(f"{self._control}/mobiledb?company_key={COMPANY}", timeout=60) as lines:  # noqa: S310
            records = [json.loads(line) for line in lines]
        return {
            person["external_person_id"]: person["custom_fields"] for person in records if person["kind"] == "person"
        }

    def analyze(self) -> None:
        """Have PostgreSQL look at its tables, as it does by itself within a minute of a new database's life.

        Until then it takes them for empty, and reads all persons to find one.
        """
        asyncio.run(_analyze(self.stack.database_url))

    def syncs(self) -> tuple[int, int]:
        """Return how many persons' syncs are done, and how many there are. Raises ServiceError when one was refused."""
        persons = asyncio.run(_count_syncs(self.stack.database_url))
        if persons.get("conflict"):
            raise ServiceError(f"{persons['conflict']} persons ended as conflicts: {persons}")
        return persons.get("synced", 0), sum(persons.values())

    @property
    def _control(self) -> str:
        return f"{self.stack.simulator_url}/_simulator"

    def _ask(self, method: str, path: str, body: object = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._control}{path}", data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        with urlopen(request, timeout=60) as response:  # noqa: S310
            return dict(json.load(response))


async def _analyze(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _count_syncs(database_url: str) -> dict[str, int]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_SYNCS)
    finally:
        await connection.close()
    return {row["status"]: row["count"] for row in rows}


def until(look: Callable[[], Result | None], problem: str, seconds: float) -> Result:
    """Look until there is a result. Raises ServiceError with `problem` when that takes too long."""
    deadline = time.monotonic() + seconds
    while (result := look()) is None:
        if time.monotonic() > deadline:
            raise ServiceError(f"{problem} after {seconds:g} s")
        time.sleep(_LOOK_SECONDS)
    return result


def wait_until_synced(fleet: Fleet, persons: int, console: Console, seconds: float) -> None:
    """Wait until the syncs of so many persons are done. Raises ServiceError."""
    with Steps(console) as steps:

        def look() -> bool | None:
            done, known = fleet.syncs()
            steps.show(synced=(done, persons))
            return True if done == known == persons else None

        until(look, f"the syncs of {persons} persons are not done", seconds)


def person(external_person_id: str) -> Json:
    """Return a person as Vibes has them before the CRM changes anything."""
    return {"external_person_id": external_person_id, "custom_fields": {"first_name": "before"}}


def change(external_person_id: str, value: str, moment: str) -> Json:
    """Return a change of the CRM."""
    return {
        "external_person_id": external_person_id,
        "custom_fields": {"first_name": value},
        "updated_at": moment,
    }


def names(prefix: str, count: int) -> list[str]:
    """Return so many external ids."""
    return [f"{prefix}-{number}" for number in range(count)]


def stale(fleet: Fleet, newest: Iterable[tuple[str, str]]) -> list[str]:
    """Return whose newest value is not at Vibes."""
    held = fleet.custom_fields()
    return [name for name, value in newest if (held.get(name) or {}).get("first_name") != value]
