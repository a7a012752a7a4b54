from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.accounts import Account, PositionCheck, ReceiptCheck, balance, balance_hours, parse_receipts
from schemas.errors import ConfigurationError

ID = "01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f"


def row(company: str = "acme", ingest: str = "i1", acknowledged: int = 10, **counts: int) -> dict[str, object]:
    nothing = {"applied": 0, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
    return {"company_key": company, "ingest_id": ingest, "acknowledged": acknowledged, **nothing, **counts}


def test_an_account_balances_when_everything_acknowledged_was_dealt_with() -> None:
    (account,) = balance([row(applied=6, duplicates=2, quarantined=1, dead_lettered=1)])
    assert account == Account("acme", 10, 6, 2, 1, 1, missing=0, unreported=0)


def test_what_one_ingest_process_misses_is_not_made_up_for_by_what_another_did_not_report() -> None:
    (account,) = balance([row(ingest="i1", applied=9), row(ingest="i2", applied=11)])
    assert (account.missing, account.unreported) == (1, 1)


def hour(number: int) -> datetime:
    return datetime(2024, 3, 1, number, tzinfo=UTC)


def hours_of(*told: tuple[int, int], ingest: str = "i1") -> list[dict[str, object]]:
    """Rows of a process: how many callbacks it had acknowledged, as told in an hour, and how many were applied."""
    return [
        {**row(ingest=ingest, acknowledged=acknowledged, applied=applied), "hour": hour(number)}
        for number, (acknowledged, applied) in enumerate(told)
    ]


def figures(rows: list[dict[str, object]]) -> list[tuple[int, int, int]]:
    """Each hour's acknowledged, missing and unreported callbacks."""
    _, hours = balance_hours(rows, lambda _: True)
    return [(each.acknowledged, each.missing, each.unreported) for each in hours]


def test_what_is_told_in_the_next_hour_was_acknowledged_in_the_hour_it_came() -> None:
    assert figures(hours_of((95, 100), (290, 200), (300, 0))) == [(100, 0, 0), (200, 0, 0), (0, 0, 0)]


def test_a_missing_callback_is_put_down_to_the_hour_in_which_that_shows() -> None:
    assert figures(hours_of((100, 100), (200, 98), (300, 100))) == [(100, 0, 0), (100, 2, 0), (100, 0, 0)]


def test_what_was_never_reported_is_put_down_to_the_last_hours_of_its_process() -> None:
    assert figures(hours_of((100, 100), (150, 60))) == [(100, 0, 0), (50, 0, 10)]


def test_a_process_that_told_more_before_its_clock_was_set_back_misses_nothing() -> None:
    # Its second message, in the earlier hour, tells of callbacks in the first one, which is in the later hour.
    assert figures(hours_of((50, 10), (0, 40))) == [(10, 0, 0), (40, 0, 0)]


def test_only_the_hours_asked_for_are_counted() -> None:
    rows = hours_of((100, 100), (200, 98), (300, 100))
    (account,), hours = balance_hours(rows, lambda begins: begins == hour(1))
    assert (account.acknowledged, account.applied, account.missing) == (100, 98, 2)
    assert [each.hour for each in hours] == [hour(1)]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 300), st.integers(0, 100)), min_size=1, max_size=6), min_size=1, max_size=3
    )
)
def test_the_hours_add_up_to_the_accounts_and_balance_each(processes: list[list[tuple[int, int]]]) -> None:
    rows = [row for number, told in enumerate(processes) for row in hours_of(*told, ingest=f"i{number}")]
    (account,), hours = balance_hours(rows, lambda _: True)
    totals = [
        row(ingest=f"i{number}", acknowledged=max(most for most, _ in told), applied=sum(done for _, done in told))
        for number, told in enumerate(processes)
    ]
    assert [account] == balance(totals)
    for name in ("acknowledged", "applied", "missing", "unreported"):
        assert sum(getattr(each, name) for each in hours) == getattr(account, name)
    for each in hours:
        assert each.acknowledged == each.applied + each.missing - each.unreported
        assert each.acknowledged >= 0


def test_of_many_callbacks_that_are_not_where_they_should_be_a_hundred_are_named() -> None:
    check = PositionCheck()
    check.add({"outcome": "a", "callbacks": 500, "inconsistent": None})
    for number in range(30):
        check.add({"outcome": "d", "callbacks": 7, "inconsistent": [f"{ID}/{number}-{each}" for each in range(5)]})
    assert (check.checked, check.inconsistent, len(check.examples)) == (710, 210, 100)


def test_a_receipt_is_consistent_when_the_callback_is_where_its_outcome_says_and_nowhere_else() -> None:
    check = ReceiptCheck()
    for outcome, logged, set_aside in [
        ("a", True, False),
        ("d", False, False),
        ("q", False, True),
        ("x", False, True),
        ("a", False, False),
        ("a", True, True),
        ("d", True, False),
        (None, False, False),
    ]:
        check.add({"message_id": UUID(ID), "position": 0, "outcome": outcome, "logged": logged, "set_aside": set_aside})
    assert len(check.missing) == 1
    assert len(check.inconsistent) == 3
    assert check.outcomes == {"applied": 3, "duplicate": 2, "quarantined": 1, "dead_lettered": 1}


def test_receipts_are_read_one_a_line() -> None:
    assert parse_receipts([f"{ID}/0\n", "\n", f" {ID}/12 "]) == [(UUID(ID), 0), (UUID(ID), 12)]


def test_a_line_that_is_no_receipt_is_named() -> None:
    with pytest.raises(ConfigurationError, match="line 2"):
        parse_receipts([f"{ID}/0", "nonsense"])
