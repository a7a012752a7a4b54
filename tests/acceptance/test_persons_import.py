"""`vibes-pipeline persons import` as a process: what it takes, what it refuses, what it says."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.importing import Importer, refused_rows

MDN = "+13125550123"
HARD_IDS = ["with space", "a/b", "100%", "ünï©ode-日本", "x" * 128, 'quo"te', "semi;colon", "?q=1&x#y"]


@pytest.fixture
async def acme(tmp_path: Path, amqp_url: str) -> AsyncIterator[Importer]:
    importer = Importer(tmp_path, amqp_url)
    yield importer
    await importer.close()


@pytest.fixture
async def offline(tmp_path: Path) -> AsyncIterator[Importer]:
    """No broker to be reached."""
    importer = Importer(tmp_path)
    yield importer
    await importer.close()


async def test_good_rows_are_published_and_bad_ones_reported_with_their_reason(acme: Importer) -> None:
    file = acme.file(
        "crm.csv",
        "external_person_id,mdn,carrier_code,updated_at,custom_fields.first_name\n"
        f"c1,(312) 555-0123,104,2026-01-31T12:00:00Z,Anna\n"
        f"c2,not-a-number,,,Berta\n"
        f",{MDN},,,Carla\n"
        f"{'x' * 129},{MDN},,,Dora\n"
        f"c5,,,yesterday,Emma\n"
        f"c6,{MDN},,\n"
        f"c7,,,,\n",
    )
    ended = await acme.run(file)
    assert ended.code == 1
    assert [
        (each["row"], each["line"], each["external_person_id"][:3], each["reason"])
        for each in refused_rows(f"{file}.refused.csv")
    ] == [
        ("2", "3", "c2", "invalid_mdn"),
        ("3", "4", "", "no_external_person_id"),
        ("4", "5", "xxx", "external_person_id_too_long"),
        ("5", "6", "c5", "invalid_updated_at"),
        ("6", "7", "", "wrong_number_of_cells"),
    ]
    told = [ended.out, ended.err, *(cell for row in refused_rows(f"{file}.refused.csv") for cell in row.values())]
    for value in ("Berta", "Carla", "not-a-number", "yesterday", "5550123"):
        assert value not in "\n".join(told)
    assert "vibes-pipeline status" in ended.out

    [message] = await acme.published()
    assert (message.company_key, message.bulk) == ("acme", True)
    first, last = message.changes
    assert first.external_person_id == "c1"
    assert first.fields == {"mdn": "(312) 555-0123", "carrier_code": "104", "custom_fields.first_name": "Anna"}
    assert first.updated_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (last.external_person_id, last.fields) == ("c7", {})


async def test_the_summary_for_programs_has_the_numbers_of_the_summary_for_people(acme: Importer) -> None:
    file = acme.file("crm.csv", f"external_person_id,mdn\nc1,{MDN}\nc2,none\nc1,{MDN}\n")
    summary = await acme.json(file, exit_code=1)
    assert {name: summary[name] for name in ("company_key", "rows", "accepted", "refused", "refused_rows")} == {
        "company_key": "acme",
        "rows": 3,
        "accepted": 2,
        "refused": {"invalid_mdn": 1},
        "refused_rows": 1,
    }
    assert (summary["duplicates"], summary["first_duplicates"]) == (1, [3])
    assert (summary["messages"], summary["confirmed_row"], summary["completed"]) == (1, 3, True)
    assert summary["report"] == f"{file}.refused.csv"


async def test_a_quote_that_is_never_closed_takes_no_other_row_with_it(acme: Importer) -> None:
    rows = [f"c{number},Anna" for number in range(2000)]
    rows[3] = 'c3,"Anna'
    file = acme.file("crm.csv", "\n".join(["external_person_id,custom_fields.name", *rows]))
    summary = await acme.json(file, exit_code=1)
    assert summary["refused"] == {"broken_csv": 1}
    assert (await acme.published_ids()) == [f"c{number}" for number in range(2000) if number != 3]


async def test_a_row_in_another_encoding_is_refused_with_its_line_and_stops_no_other(acme: Importer) -> None:
    content = b"external_person_id,custom_fields.name\nc1,Anna\nc2,Zo\xeb\nc3,Bea\n"
    ended = await acme.run(acme.file("crm.csv", content))
    assert ended.code == 1
    assert "--encoding cp1252 --restart" in ended.out
    assert await acme.published_ids() == ["c1", "c3"]
    [refused] = refused_rows(str(acme.directory / "crm.csv.refused.csv"))
    assert (refused["reason"], refused["detail"]) == ("wrong_encoding", "line 3 is not utf-8")


async def test_ndjson_has_the_record_of_the_http_intake(acme: Importer) -> None:
    records = [
        {"external_person_id": "c1", "mdn": None, "custom_fields": {"tags": ["a", "b"], "note": None}},
        {"external_person_id": 17},
        ["no object"],
        {"external_person_id": "c3", "phone": MDN},
    ]
    lines = [*map(json.dumps, records), '{"external_person_id": "c4"', "", '{"external_person_id": "c5"}']
    file = acme.file("crm.jsonl", "\n".join(lines))
    summary = await acme.json(file, exit_code=1)
    assert summary["refused"] == {"not_an_object": 1, "unknown_field": 1, "not_json": 1}
    [message] = await acme.published()
    assert [change.external_person_id for change in message.changes] == ["c1", "17", "c5"]
    assert message.changes[0].fields == {"mdn": None, "custom_fields.tags": ["a", "b"], "custom_fields.note": None}


async def test_ndjson_can_be_mapped_too(acme: Importer) -> None:
    record = {"id": "c1", "phone": MDN, "city": "Rome", "custom_fields": {"note": "x"}}
    file = acme.file("crm.ndjson", json.dumps(record))
    await acme.json(file, "--map", "id=external_person_id", "--map", "phone=mdn", "--unmapped-as-custom-fields")
    [message] = await acme.published()
    assert message.changes[0].fields == {"mdn": MDN, "custom_fields.city": "Rome", "custom_fields.note": "x"}


async def test_standard_input_and_gzip_are_read_too(acme: Importer) -> None:
    content = b"external_person_id\nc1\nc2\n"
    summary = await acme.json("-", "--report", str(acme.directory / "refused.csv"), stdin=content)
    assert (summary["rows"], summary["file"]) == (2, "-")
    assert not list(acme.directory.glob("*state*"))
    await acme.json(acme.file("crm.csv.gz", gzip.compress(content)))
    assert await acme.published_ids() == ["c1", "c2", "c1", "c2"]


async def test_of_a_damaged_gzip_file_all_that_can_be_read_is_published(acme: Importer) -> None:
    rows = "\n".join(f"c{number},{hash(str(number))}" for number in range(50_000))
    packed = gzip.compress(f"external_person_id,custom_fields.a\n{rows}".encode())
    ended = await acme.run(acme.file("crm.csv.gz", packed[: len(packed) // 2]), "--json")
    assert ended.code == 1
    assert "cannot be read beyond line" in ended.err
    assert ended.json["completed"] is False
    ids = await acme.published_ids()
    assert 10_000 < len(ids) < 50_000
    assert ids == [f"c{number}" for number in range(ended.json["confirmed_row"])]


async def test_columns_are_mapped_empty_cells_remove_and_hard_ids_arrive_as_they_are(acme: Importer) -> None:
    mapping = acme.file(
        "map.toml", '[columns]\n"Customer No" = "external_person_id"\n"Vorname" = "custom_fields.name"\n'
    )
    quoted = ['"' + each.replace('"', '""') + '"' for each in HARD_IDS]
    lines = ["Customer No;Phone;Vorname;Internal", *(f'{each};{MDN};"two\r\nlines";x' for each in quoted), "last;;;x"]
    file = acme.file("crm.txt", "\r\n".join(lines).encode("utf-8-sig"))
    options = ("--mapping", mapping, "--map", "Phone=mdn", "--ignore-unmapped", "--empty", "remove", "--live")
    summary = await acme.json(file, *options)
    assert summary["report"] is None
    assert not list(acme.directory.glob("*.refused.csv"))
    [message] = await acme.published()
    assert not message.bulk
    assert [change.external_person_id for change in message.changes] == [*HARD_IDS, "last"]
    assert message.changes[0].fields == {"mdn": MDN, "custom_fields.name": "two\r\nlines"}
    assert message.changes[-1].fields == {"mdn": None, "custom_fields.name": None}


async def test_many_rows_are_published_in_their_order_in_chunks_of_at_most_500(acme: Importer) -> None:
    ids = [f"c{number}" for number in range(7201)]
    summary = await acme.json(acme.file("crm.csv", "\n".join(["external_person_id", *ids])))
    messages = await acme.published()
    assert summary["messages"] == len(messages) == 15
    assert sorted(len(message.changes) for message in messages) == [201, *([500] * 14)]
    assert sorted(each.external_person_id for message in messages for each in message.changes) == sorted(ids)


async def test_a_rate_is_kept(acme: Importer) -> None:
    file = acme.file("crm.csv", "\n".join(["external_person_id", *(f"c{number}" for number in range(300))]))
    summary = await acme.json(file, "--rate", "100")
    assert 2 <= summary["seconds"] < 5


async def test_a_dry_run_needs_no_broker_and_tells_what_an_import_would_do(offline: Importer) -> None:
    offline.sync = "[companies.sync.custom_fields]\nborn = { field = 'birthdate', type = 'date' }\n"
    file = offline.file(
        "crm.csv",
        f"external_person_id,mdn,custom_fields.born,Internal\nc1,{MDN},1990-12-31,a\nc2,none,,b\nc3,,soon,c\nc1,,,d\n",
    )
    ended = await offline.run(file, "--dry-run")
    assert ended.code == 1
    for told in ("invalid_mdn", "invalid_custom_field", "born", "birthdate", "date", "Internal", "rows 4"):
        assert told in ended.out
    for value in ("none", "soon", MDN):
        assert value not in ended.out.replace("nothing", "")
    assert sorted(path.name for path in offline.directory.iterdir()) == ["companies.toml", "crm.csv"]


async def test_a_file_without_a_header_is_told_without_quoting_a_person(offline: Importer) -> None:
    told = await offline.refusals(offline.file("crm.csv", f"c1,{MDN},Smith\nc2,,Jones\n"))
    assert "the first line looks like data" in told
    assert "Smith" not in told
    assert MDN not in told


async def test_wrong_use_is_told_in_one_line(offline: Importer) -> None:
    assert "a directory, not a file" in await offline.refusals(str(offline.directory))
    assert "no column is external_person_id" in await offline.refusals(offline.file("crm.csv", "id,mdn\nc1,\n"))


async def test_memory_does_not_grow_with_the_file(acme: Importer) -> None:
    peaks = {}
    for rows in (1_000, 100_000):
        path = acme.directory / f"{rows}.csv"
        with path.open("w") as file:
            file.write("external_person_id,mdn,custom_fields.a\n")
            file.writelines(f"c{number},{MDN},{'x' * 400}\n" for number in range(rows))
        running = await acme.start(str(path))
        peaks[rows] = await running.peak_memory()
        assert (await running.ended()).code == 0
    assert path.stat().st_size > 40 * 2**20
    assert peaks[100_000] - peaks[1_000] < 20 * 2**20
