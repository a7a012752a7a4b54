"""What analysts read in the exported files is what the views say."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]  # its types are a package of their own
import pyarrow.dataset as ds  # type: ignore[import-untyped]  # ships no types

from runtime.postgres import Connection
from tests.support.exporting import duck, everything, export, multiset, postgres

# What is worked out anew at each look.
MOVING = {"data_freshness": {"as_of"}}
NEVER_IN_A_HISTORY = {"person_api_outcomes"}
QUESTIONS = {
    "subscribers of each list": "SELECT list_id, count(*) AS n FROM {current_subscribers} GROUP BY 1",
    "stays that came by each campaign": """
        SELECT acquisition_campaign_id, count(*) AS n, count(*) FILTER (WHERE open) AS staying
        FROM {subscription_stays} GROUP BY 1
    """,
    "net growth in the last week": """
        SELECT list_id, sum(net_growth)::bigint AS n FROM {list_growth} WHERE day >= date '2024-03-25' GROUP BY 1
    """,
    "opt-outs of each day and reason": """
        SELECT day, opt_out_reason, sum(opt_outs)::bigint AS n FROM {opt_ins_and_opt_outs_daily} GROUP BY 1, 2
    """,
    "who came back, and to what": "SELECT person_uid::text AS person, list_id, return_number FROM {resubscribers}",
    "events of each type and day": """
        SELECT callback_type, received_at::date AS received, count(*) AS n, count(DISTINCT event_id) AS ids
        FROM {events} GROUP BY 1, 2
    """,
}


async def test_the_files_read_by_duckdb_give_the_same_answers_as_the_views(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    summary = await export(history_url, tmp_path)
    for dataset in summary.datasets:
        name = dataset.dataset
        if dataset.rows == 0:
            assert name in NEVER_IN_A_HISTORY
            assert not (tmp_path / name).exists()
            continue
        in_files = duck(tmp_path, everything(name))
        in_database = await postgres(connection, everything(name))
        columns = [column for column in in_files[0] if column in in_database[0] and column not in MOVING.get(name, ())]
        assert set(in_database[0]) - set(columns) <= {"payload", "original_body"} | MOVING.get(name, set()), name
        assert multiset(in_files, columns) == multiset(in_database, columns), name
        assert len(in_files) == dataset.rows

    for question, query in QUESTIONS.items():
        told, expected = duck(tmp_path, query), await postgres(connection, query)
        assert told, question
        assert multiset(told, list(told[0])) == multiset(expected, list(told[0])), question


async def test_every_row_lies_in_the_directory_of_its_day(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    await export(history_url, tmp_path, "events", "subscription_stays", "opt_ins_and_opt_outs_daily")
    assert duck(tmp_path, "SELECT * FROM {events} WHERE day <> (received_at AT TIME ZONE 'UTC')::date") == []
    misplaced = "SELECT * FROM {subscription_stays} WHERE day IS DISTINCT FROM (opt_in_date AT TIME ZONE 'UTC')::date"
    assert duck(tmp_path, misplaced) == []
    rows = await postgres(connection, "SELECT DISTINCT day::text AS day FROM {opt_ins_and_opt_outs_daily}")
    directories = {each.name for each in (tmp_path / "opt_ins_and_opt_outs_daily").iterdir()}
    assert directories == {f"day={row['day']}" for row in rows}


async def test_pandas_and_pyarrow_read_the_directory_as_one_table(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    summary = await export(history_url, tmp_path, "list_growth", "time_to_opt_out")
    frame = pd.read_parquet(tmp_path / "list_growth")
    table = ds.dataset(tmp_path / "list_growth", partitioning="hive").to_table()
    expected = await postgres(connection, "SELECT sum(opt_ins)::bigint AS n FROM {list_growth}")
    assert len(frame) == table.num_rows == summary.datasets[0].rows
    assert frame["opt_ins"].sum() == sum(table["opt_ins"].to_pylist()) == expected[0]["n"]
    assert "2024-03-31" in set(frame["day"].astype(str))
    # What is about no day at all lies in no directory of a day: they could not tell the type of a column of NULLs.
    assert len(pd.read_parquet(tmp_path / "time_to_opt_out")) == summary.datasets[1].rows > 0


async def test_the_payload_of_an_event_is_exported_only_if_asked_for(
    history_url: str, connection: Connection, tmp_path: Path
) -> None:
    await export(history_url, tmp_path / "without", "events")
    await export(history_url, tmp_path / "with", "events", payloads=True)
    assert "payload" not in duck(tmp_path / "without", everything("events"))[0]
    told = duck(tmp_path / "with", "SELECT payload FROM {events}")
    assert multiset(told, ["payload"]) == multiset(
        await postgres(connection, "SELECT payload::text FROM {events}"), ["payload"]
    )


async def test_what_has_no_day_is_null_to_readers(history_url: str, connection: Connection, tmp_path: Path) -> None:
    # An opt-out that told no beginning of its stay: it began at -infinity.
    await connection.execute(
        "INSERT INTO subscriptions (person_uid, company_key, list_id, opt_in_date, opt_out_date, opt_out_reason) "
        "SELECT person_uid, company_key, 'odd list', '-infinity', $1, 'user_opt_out' FROM persons LIMIT 1",
        datetime(2024, 3, 1, tzinfo=UTC),
    )
    await export(history_url, tmp_path, "subscription_stays")
    (odd,) = duck(tmp_path, "SELECT * FROM {subscription_stays} WHERE list_id = 'odd list'")
    assert (odd["day"], odd["opt_in_date"], odd["opt_out_reason"]) == (None, None, "user_opt_out")
    assert (tmp_path / "subscription_stays" / "day=__HIVE_DEFAULT_PARTITION__").is_dir()
