"""From rows to what is published together, and what is counted on the way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from cli.persons.importing.chunks import CHUNK_BYTES, chunks
from cli.persons.importing.duplicates import Duplicates
from cli.persons.importing.judging import Judge, Refusal
from cli.persons.importing.lines import UnreadableError
from cli.persons.importing.rows import Row
from cli.persons.importing.tally import Tally
from runtime.companies import Company, Endpoint
from schemas.crm_change import CrmChange
from schemas.crm_message import CrmMessage, encode
from schemas.errors import MessageError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ACME = Company(
    company_key="acme", region="US", endpoints=(Endpoint(name="main", key_sha256="0" * 64),), default_country="US"
)


def rows(*records: Any) -> list[Row]:
    return [Row(number, number + 1, record) for number, record in enumerate(records, 1)]


def judge() -> Judge:
    return Judge(lambda content: content, ACME, NOW)


def many(count: int, **custom_fields: str) -> list[Row]:
    return rows(*({"external_person_id": f"c{number}", "custom_fields": custom_fields} for number in range(count)))


def ignore(_outcome: CrmChange | Refusal) -> None:
    pass


def test_a_row_without_a_time_is_newer_than_the_rows_before_it_and_always_equally_so() -> None:
    first, second = map(judge(), rows({"external_person_id": "a"}, {"external_person_id": "a"}))
    assert isinstance(first, CrmChange)
    assert isinstance(second, CrmChange)
    assert (first.updated_at, second.updated_at) == (
        NOW + timedelta(microseconds=1),
        NOW + timedelta(microseconds=2),
    )


def test_a_refusal_has_the_id_by_which_the_crm_finds_the_row_and_nothing_else_of_it() -> None:
    told = judge()(Row(3, 7, {"external_person_id": "c1", "mdn": "secret"}))
    assert isinstance(told, Refusal)
    assert (told.row, told.line, told.external_person_id, told.reason) == (3, 7, "c1", "invalid_mdn")
    assert "secret" not in told.detail
    assert "c1" not in repr(told)


@pytest.mark.parametrize("content", [MessageError("broken_csv", "line 1"), {"external_person_id": ["c1"]}, 17])
def test_a_row_whose_id_cannot_be_read_is_refused_without_one(content: Any) -> None:
    told = judge()(Row(1, 1, content))
    assert isinstance(told, Refusal)
    assert told.external_person_id == ""


def test_chunks_have_so_many_rows_refused_ones_included() -> None:
    broken = Row(3, 4, MessageError("broken_csv"))
    found = list(
        chunks([*many(2), broken, *(Row(n, n, {"external_person_id": "x"}) for n in (4, 5))], judge(), ignore, 0, 2)
    )
    assert [(chunk.last_row, len(chunk.changes)) for chunk in found] == [(2, 2), (4, 1), (5, 1)]


def test_rows_published_before_are_counted_and_not_published_again() -> None:
    counted: list[CrmChange | Refusal] = []
    found = list(chunks(many(5), judge(), counted.append, 3, 2))
    assert [(chunk.last_row, [c.external_person_id for c in chunk.changes]) for chunk in found] == [
        (2, []),
        (4, ["c3"]),
        (5, ["c4"]),
    ]
    assert len(counted) == 5


@pytest.mark.parametrize("text", ["x" * 30_000, "\u20ac" * 10_000, '"' * 20_000, "\x01" * 9000])
def test_no_message_is_larger_than_a_mebibyte(text: str) -> None:
    found = list(chunks(many(120, a=text), judge(), ignore))
    bodies = [len(encode(CrmMessage(uuid4(), "k" * 128, NOW, True, chunk.changes))) for chunk in found]
    assert max(bodies) <= 1024 * 1024
    assert max(bodies) > CHUNK_BYTES / 2
    assert sum(len(chunk.changes) for chunk in found) == 120


def test_what_could_be_read_before_the_input_failed_is_given() -> None:
    def failing() -> Iterator[Row]:
        yield from many(3)
        raise UnreadableError

    found = chunks(failing(), judge(), ignore)
    assert next(found).last_row == 3
    with pytest.raises(UnreadableError):
        next(found)


def test_the_tally_counts_by_reason_and_keeps_the_first_examples() -> None:
    refusals: list[Refusal] = []
    with Duplicates() as duplicates:
        tally = Tally(duplicates, refusals.append)
        bad = [{"external_person_id": "x", "mdn": "none"}] * 12
        for row in rows(*bad, {"external_person_id": "a", "custom_fields": {"b": 1, "c": None}}, {}):
            tally.add(judge()(row))
        assert (tally.rows, tally.accepted) == (14, 1)
        assert tally.refused == {"invalid_mdn": 12, "no_external_person_id": 1}
        assert [each.row for each in tally.examples] == list(range(1, 11))
        assert len(refusals) == 13
        assert tally.custom_fields == {"b": 1, "c": 1}


def test_rows_about_one_person_are_found_however_many_rows_there_are() -> None:
    with Duplicates() as duplicates:
        for number in range(1, 300_001):
            duplicates.add(f"c{number % 299_990}", number)
        found = duplicates.find()
    assert (found.rows, found.first) == (10, tuple(range(299_991, 300_001)))
