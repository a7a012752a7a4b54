from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.values import normalise_mdn, read_text, read_timestamp

EVERY_DOCUMENTED_SPELLING = [
    ("2017-03-15T15:42:23Z", datetime(2017, 3, 15, 15, 42, 23, tzinfo=UTC)),
    ("2017-02-18T15:34:52+0000", datetime(2017, 2, 18, 15, 34, 52, tzinfo=UTC)),
    ("2017-01-15T14:30Z", datetime(2017, 1, 15, 14, 30, tzinfo=UTC)),
    ("2018-05-07T15:27:33.664Z", datetime(2018, 5, 7, 15, 27, 33, 664000, tzinfo=UTC)),
    ("2019-06-04T22:29:51+00:00", datetime(2019, 6, 4, 22, 29, 51, tzinfo=UTC)),
    ("2020-08-23T21:38:05.258+01:00", datetime(2020, 8, 23, 20, 38, 5, 258000, tzinfo=UTC)),
    ("1990-12-01T00:00:00z", datetime(1990, 12, 1, tzinfo=UTC)),
    ("2017-04-05 14:30:00 -0600", datetime(2017, 4, 5, 20, 30, tzinfo=UTC)),
    ("2017-01-01", datetime(2017, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), EVERY_DOCUMENTED_SPELLING)
def test_every_spelling_of_a_time_that_vibes_uses_is_read(text: str, moment: datetime) -> None:
    assert read_timestamp(text) == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2017-13-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2017-01-01T24:00Z",
        "2017-01-01T10:00:00+05:99",
        5,
        None,
        {},
        "9" * 100,
    ],
)
def test_what_is_no_time_reads_as_none_and_never_fails(value: object) -> None:
    assert read_timestamp(value) is None


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1), max_value=datetime(9999, 1, 1)))
def test_isoformat_is_read_back_exactly(moment: datetime) -> None:
    assert read_timestamp(moment.isoformat()) == moment


@given(st.text())
def test_no_text_makes_reading_a_time_fail(text: str) -> None:
    read = read_timestamp(text)
    assert read is None or read.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234", "1234"),
        (" ABC ", "ABC"),
        (1234, "1234"),
        (2**70, str(2**70)),
        ("", None),
        (True, None),
        (1.5, None),
        ([], None),
    ],
)
def test_an_id_may_be_text_or_a_whole_number(value: object, text: str | None) -> None:
    assert read_text(value) == text


@pytest.mark.parametrize(
    ("mdn", "country", "e164"),
    [
        ("+12135551234", None, "+12135551234"),
        ("+1999999999", None, "+1999999999"),
        ("2995551234", "US", "+12995551234"),
        ("2995551234", None, None),
        ("07911123456", "GB", "+447911123456"),
        ("not a number", "US", None),
    ],
)
def test_numbers_are_normalised_where_possible_and_never_judged(
    mdn: str, country: str | None, e164: str | None
) -> None:
    assert normalise_mdn(mdn, country) == e164
