from datetime import UTC, datetime
from uuid import UUID

import pytest

from cli.span import Span, read_span
from ingest.ids import uuid7
from schemas.errors import ConfigurationError

NOW = datetime(2024, 3, 1, 14, 35, 10, tzinfo=UTC)


def at(hour: int, day: int = 1) -> datetime:
    return datetime(2024, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [
        (None, None, Span()),
        ("2024-03-01T10:20", "2024-03-01T12:00", Span(at(10), at(12))),
        ("2024-03-01", "2024-03-01T12:00:01Z", Span(at(0), at(13))),
        ("2024-03-01T10:20+02:00", None, Span(at(8), None)),
        ("3h", "1h", Span(at(11), at(14))),
        ("1d", None, Span(datetime(2024, 2, 29, 14, tzinfo=UTC), None)),
    ],
)
def test_a_span_is_of_whole_hours_that_hold_all_that_was_asked_for(
    since: str | None, until: str | None, wanted: Span
) -> None:
    assert read_span(since, until, NOW) == wanted


@pytest.mark.parametrize(
    ("since", "until"),
    [("yesterday", None), (None, "3 h"), ("999999w", None), ("1h", "3h"), (None, "9999-12-31T23:30")],
)
def test_what_is_no_span_is_named(since: str | None, until: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"--(since|until)"):
        read_span(since, until, NOW)


def test_a_span_covers_the_hours_that_begin_in_it() -> None:
    span = Span(at(10), at(12))
    assert [span.covers(at(hour)) for hour in (9, 10, 11, 12)] == [False, True, True, False]
    assert Span().covers(at(0))


def test_the_ids_of_the_messages_of_a_span_are_those_ingest_made_in_it() -> None:
    first, end = read_span("0h", None, datetime.now(UTC)).message_ids()
    assert first < uuid7() < end
    first, end = Span(at(10), at(12)).message_ids()
    assert (first.int >> 80, end.int >> 80) == (at(10).timestamp() * 1000, at(12).timestamp() * 1000)
    assert Span().message_ids() == (UUID(int=0), UUID(int=2**128 - 1))
