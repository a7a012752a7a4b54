"""An export that runs again: what changed is written, what did not is left, what broke off is carried on."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cli.export.days import DaySpan
from cli.export.progress import Watch
from runtime.postgres import Connection, create_pool
from schemas.errors import ConfigurationError, ServiceError
from tests.support.applying import apply_message, message
from tests.support.bodies import encoded, subscription_body
from tests.support.exporting import duck, export, fill, of, postgres, written

FIRST_OF_MARCH = date(2024, 3, 1)
END_EXPORTS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'vibes-pipeline cli'
"""


class Interrupting(Watch):
    """Does something when so many pieces have been written."""

    def __init__(self, pieces: int, act: Any) -> None:
        super().__init__(quiet=True)
        self._left = pieces
        self._act = act

    def wrote(self, dataset: str, rows: int) -> None:
        super().wrote(dataset, rows)
        self._left -= 1
        if self._left == 0:
            self._act()


def state(directory: Path) -> dict[str, tuple[int, int]]:
    """Every published file, and whether it is still the same one."""
    return {
        str(each.relative_to(directory)): (each.stat().st_ino, each.stat().st_mtime_ns)
        for each in directory.glob("[!_]*/**/*.parquet")
    }


def notes(directory: Path) -> dict[str, Any]:
    return dict(orjson.loads((directory / "_export.json").read_bytes()))


async def events_at(database_url: str, *received: datetime) -> None:
    """Apply events that were received at these times: a backlog, or a replay of dead letters."""
    async with create_pool(database_url, "test", min_size=1, max_size=2) as pool:
        for number, moment in enumerate(received):
            of_one = message([encoded(subscription_body(event_id=f"late {number}", person={"id": f"late {number}"}))])
            (callback,) = of_one.callbacks
            late = callback._replace(received_at=moment)
            await apply_message(pool, replace(of_one, callbacks=(late,)))


async def test_without_news_nothing_is_written(history_url: str, connection: Connection, tmp_path: Path) -> None:
    datasets = ("events", "current_subscribers", "list_churn", "data_freshness")
    first = await export(history_url, tmp_path, *datasets)
    before = state(tmp_path)
    assert of(first, "events").days_written == 33
    # What is as of now changes by being looked at.
    assert set(written(await export(history_url, tmp_path, *datasets))) <= {"data_freshness"}
    after = state(tmp_path)
    assert {name for name in before if before[name] != after.get(name)} <= {"data_freshness/data_freshness.parquet"}
    assert notes(tmp_path)["complete"] is True


async def test_events_that_come_late_are_not_missed(history_url: str, connection: Connection, tmp_path: Path) -> None:
    await export(history_url, tmp_path, "events", "subscription_stays")
    before = state(tmp_path)
    old, new = datetime(2024, 3, 1, 12, tzinfo=UTC), datetime(2024, 4, 2, 12, tzinfo=UTC)
    await events_at(history_url, old, new)
    summary = await export(history_url, tmp_path, "events", "subscription_stays")
    # Both are stays that began on one day.
    assert written(summary) == {"events": (2, 0), "subscription_stays": (1, 0)}
    changed = {name for name, file in state(tmp_path).items() if before.get(name) != file}
    assert changed == {
        "events/day=2024-03-01/events.parquet",
        "events/day=2024-04-02/events.parquet",
        "subscription_stays/day=2024-01-01/subscription_stays.parquet",
    }
    assert duck(tmp_path, "SELECT day FROM {events} WHERE event_id LIKE 'late%' ORDER BY 1") == [
        {"day": FIRST_OF_MARCH},
        {"day": date(2024, 4, 2)},
    ]


async def test_what_was_erased_leaves_the_files(history_url: str, connection: Connection, tmp_path: Path) -> None:
    await export(history_url, tmp_path, "events", payloads=True)
    erased = await connection.fetchrow(
        "UPDATE callback_events SET callback_type = 'erased', payload = '{}', person_id = NULL, person_key = NULL, "
        "external_person_id = NULL WHERE (message_id, position) IN (SELECT message_id, position FROM callback_events "
        "LIMIT 1) RETURNING event_id, received_at"
    )
    assert erased is not None
    assert written(await export(history_url, tmp_path, "events", payloads=True)) == {"events": (1, 0)}
    (told,) = duck(tmp_path, "SELECT * FROM {events} WHERE callback_type = 'erased'")
    assert (told["event_id"], told["payload"]) == (erased["event_id"], "{}")


async def test_what_retention_removes_from_the_log_leaves_the_days_that_are_asked_for_and_stays_in_others(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    first = await export(history_url, tmp_path, "events")
    await connection.execute("ALTER TABLE callback_events DETACH PARTITION callback_events_2024_02")
    await connection.execute("DELETE FROM callback_events WHERE callback_type = 'person_updated'")
    march = await export(history_url, tmp_path, "events", span=DaySpan(since=FIRST_OF_MARCH))
    assert of(march, "events").days_written > 0
    assert of(march, "events").files == of(first, "events").files
    ever = await export(history_url, tmp_path, "events")
    assert (of(ever, "events").days_removed, of(ever, "events").days_written) == (2, 0)
    assert duck(tmp_path, "SELECT * FROM {events} WHERE callback_type = 'person_updated'") == []


async def test_a_view_is_as_the_database_says_it_is(history_url: str, connection: Connection, tmp_path: Path) -> None:
    await export(history_url, tmp_path, "current_subscribers")
    await connection.execute("DELETE FROM subscriptions WHERE opt_in_date >= '2024-03-01'")
    summary = await export(history_url, tmp_path, "current_subscribers")
    assert of(summary, "current_subscribers").days_removed > 0
    count = "SELECT count(*) AS n FROM {current_subscribers}"
    assert duck(tmp_path, count) == await postgres(connection, count)


async def test_only_the_days_asked_for_are_looked_at(history_url: str, connection: Connection, tmp_path: Path) -> None:
    some = DaySpan(date(2024, 3, 10), date(2024, 3, 20))
    first = await export(history_url, tmp_path, "events", "list_growth", "time_to_opt_out", span=some)
    assert of(first, "events").days_written == 10
    assert of(first, "time_to_opt_out").rows > 0  # it is about no day
    days = {each.name for each in (tmp_path / "events").iterdir()}
    assert (min(days), max(days)) == ("day=2024-03-10", "day=2024-03-19")
    # The others are added, and those of before not touched.
    assert of(await export(history_url, tmp_path, "events"), "events").days_written == 23


async def test_the_export_of_one_company_has_nothing_of_another(database_url: str, tmp_path: Path) -> None:
    await fill(database_url, days=3, events=200, company_key="acme")
    await fill(database_url, days=3, events=200, company_key="other")
    await export(database_url, tmp_path, "events", "persons_current", company_key="other")
    companies = "SELECT DISTINCT e.company_key, p.company_key AS of_person FROM {events} AS e, {persons_current} AS p"
    assert duck(tmp_path, companies) == [{"company_key": "other", "of_person": "other"}]
    with pytest.raises(ConfigurationError, match="company: other; now: None"):
        await export(database_url, tmp_path, "events")
    with pytest.raises(ConfigurationError, match="--company nobody: the database has no event"):
        await export(database_url, tmp_path / "none", company_key="nobody")


async def test_a_database_that_goes_away_leaves_the_export_of_before_and_the_next_run_carries_on(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    await export(history_url, tmp_path, "events", span=DaySpan(until=FIRST_OF_MARCH))
    before = state(tmp_path)

    loop = asyncio.get_running_loop()
    ending: list[asyncio.Future[str]] = []

    def end_the_session() -> None:
        ending.append(loop.create_task(connection.execute(END_EXPORTS)))

    with pytest.raises(ServiceError, match=r"events: the database does not answer .* run the same command again"):
        await export(history_url, tmp_path, "events", watch=Interrupting(5, end_the_session))
    await asyncio.gather(*ending)

    assert state(tmp_path) == before
    summary = await export(history_url, tmp_path, "events")
    assert of(summary, "events").days_written == 31
    # The days that were whole did not have to be read again.
    assert of(summary, "events").rows_written < of(summary, "events").rows - 3
    assert not (tmp_path / "_unfinished" / "events").exists()


async def test_an_interrupted_run_publishes_nothing(history_url: str, connection: Connection, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export(history_url, tmp_path, "events", watch=Interrupting(3, interrupt))
    assert state(tmp_path) == {}
    assert notes(tmp_path)["complete"] is False
    assert of(await export(history_url, tmp_path, "events"), "events").days_written == 33
