"""What an export writes, keeps and removes."""

from datetime import date

from cli.export.days import DaySpan
from cli.export.planning import Fingerprint, Plan, plan_dataset

MONDAY, TUESDAY, WEDNESDAY = (date(2024, 1, day) for day in (1, 2, 3))
OLD, NEW = Fingerprint(2, "old"), Fingerprint(3, "new")
NONE_WRITTEN: dict[date | None, Fingerprint | None] = {}


def plan(
    wanted: dict[date | None, Fingerprint],
    published: dict[date | None, Fingerprint | None],
    written: dict[date | None, Fingerprint | None] = NONE_WRITTEN,
    span: DaySpan = DaySpan(),  # noqa: B008 - frozen
) -> Plan:
    return plan_dataset("events", wanted, published, written, span)


def test_only_days_that_changed_are_written() -> None:
    made = plan({MONDAY: OLD, TUESDAY: NEW, WEDNESDAY: NEW}, {MONDAY: OLD, TUESDAY: OLD})
    assert (made.write, made.remove, made.rows) == ([TUESDAY, WEDNESDAY], [], 6)


def test_a_file_that_cannot_be_read_is_written_again() -> None:
    assert plan({MONDAY: OLD}, {MONDAY: None}).write == [MONDAY]


def test_what_an_unfinished_run_wrote_is_taken_if_it_still_holds() -> None:
    made = plan({MONDAY: NEW, TUESDAY: NEW}, {}, {MONDAY: NEW, TUESDAY: OLD})
    assert (made.ready, made.write) == ([MONDAY], [TUESDAY])


def test_what_an_unfinished_run_wrote_is_not_taken_if_the_published_file_holds_again() -> None:
    made = plan({MONDAY: OLD}, {MONDAY: OLD}, {MONDAY: NEW})
    assert not made.changes


def test_a_day_without_rows_is_removed() -> None:
    assert plan({TUESDAY: OLD}, {MONDAY: OLD, TUESDAY: OLD}).remove == [MONDAY]


def test_days_outside_what_was_asked_for_are_left_alone() -> None:
    made = plan({WEDNESDAY: NEW}, {MONDAY: OLD, None: OLD, TUESDAY: OLD}, span=DaySpan(since=TUESDAY))
    assert (made.write, made.remove) == ([WEDNESDAY], [TUESDAY])


def test_days_are_in_order_and_no_day_is_the_last() -> None:
    assert plan({None: OLD, TUESDAY: OLD, MONDAY: OLD}, {}).write == [MONDAY, TUESDAY, None]
