from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.crm.records import Record
from ingest.crm.verdicts import MAX_CHANGES, MAX_MESSAGE_BYTES, Verdicts
from runtime.companies import Company
from schemas.crm_message import CrmMessage, decode
from schemas.errors import MessageError

NOW = datetime(2026, 2, 1, tzinfo=UTC)

COMPANY = Company.model_validate(
    {
        "company_key": "acme",
        "region": "US",
        "default_country": "US",
        "endpoints": [{"name": "main", "key_sha256": "0" * 64}],
        "sync": {"custom_fields": {"birthday": {"type": "date"}}},
    }
)


def judge(*values: Any, bulk: bool = False, only_refused: bool = False) -> Verdicts:
    verdicts = Verdicts(COMPANY, NOW, bulk=bulk, only_refused=only_refused)
    for value in values:
        verdicts.add(value if isinstance(value, Record) else Record(value))
    verdicts.close()
    return verdicts


def messages(verdicts: Verdicts) -> list[CrmMessage]:
    return [decode(parcel.body) for parcel in verdicts.parcels]


def person(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"external_person_id": f"p{number}", **fields}


def test_results_are_in_the_order_of_the_records() -> None:
    verdicts = judge(person(1), Record(problem=MessageError("not_json", "not JSON")), person(2, mdn="none"))
    assert verdicts.answer() == {
        "accepted": 1,
        "refused": 2,
        "results": [
            {"index": 0, "external_person_id": "p1", "status": "accepted"},
            {"index": 1, "status": "refused", "reason": "not_json", "detail": "not JSON"},
            {
                "index": 2,
                "external_person_id": "p2",
                "status": "refused",
                "reason": "invalid_mdn",
                "detail": "not a phone number; write it with + and the country code",
            },
        ],
    }


@pytest.mark.parametrize("value", [None, [], {}, {"external_person_id": " "}, {"external_person_id": "x" * 129}])
def test_an_id_that_is_none_is_not_repeated(value: Any) -> None:
    [result] = judge(value).results
    assert result["status"] == "refused"
    assert "external_person_id" not in result


def test_the_company_says_how_a_record_is_read() -> None:
    verdicts = judge(person(mdn="(312) 555-0100"), person(custom_fields={"birthday": "soon"}))
    assert [result.get("reason") for result in verdicts.results] == [None, "invalid_custom_field"]


def test_a_message_says_whose_changes_it_has_and_when_they_came() -> None:
    [message] = messages(judge(person(), bulk=True))
    assert (message.company_key, message.received_at, message.bulk) == ("acme", NOW, True)


def test_records_without_a_time_are_as_new_as_their_place() -> None:
    [message] = messages(judge(person(), person(), person(updated_at="2026-01-01"), person()))
    ages = [change.updated_at - NOW for change in message.changes]
    assert ages == [timedelta(0), timedelta(microseconds=1), timedelta(days=-31), timedelta(microseconds=3)]


def test_nothing_accepted_is_no_message() -> None:
    assert judge().parcels == judge(None).parcels == []


def test_a_message_has_so_many_changes_and_no_more() -> None:
    verdicts = judge(*(person(number) for number in range(2 * MAX_CHANGES + 1)))
    assert [len(message.changes) for message in messages(verdicts)] == [MAX_CHANGES, MAX_CHANGES, 1]
    assert len({parcel.message_id for parcel in verdicts.parcels}) == 3


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from('aü"\\/%😀'), min_size=1, max_size=128),
            st.text(st.sampled_from('aü"\\\n😀'), max_size=20),
            st.integers(1, 900),
        ),
        max_size=100,
    )
)
def test_a_message_has_so_many_bytes_and_no_more_and_all_changes_are_in_one(
    records: list[tuple[str, str, int]],
) -> None:
    values = [
        {"external_person_id": external_id, "custom_fields": {f"{number}": text for number in range(count)}}
        for external_id, text, count in records
    ]
    verdicts = judge(*values)
    assert all(len(parcel.body) <= MAX_MESSAGE_BYTES for parcel in verdicts.parcels)
    ids = [change.external_person_id for message in messages(verdicts) for change in message.changes]
    assert ids == [result["external_person_id"] for result in verdicts.results if result["status"] == "accepted"]


def test_an_answer_can_leave_the_accepted_out() -> None:
    verdicts = judge(person(), None, person(), only_refused=True)
    assert (verdicts.accepted, [result["index"] for result in verdicts.results]) == (2, [1])
