from uuid import UUID

import pytest

from cli.accounts import Account, ReceiptCheck, balance, parse_receipts
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
