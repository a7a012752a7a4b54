"""Who is on which list, from when to when."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import ConflictError, UnknownRecordError, UnprocessableError
from simulator.model import Person, Stay
from simulator.stays import Stays

NOW = datetime(2025, 3, 3, 8, 0, 0, 400_000, tzinfo=UTC)
WHOLE = NOW.replace(microsecond=0)


@pytest.fixture
def stays() -> Stays:
    stays = Stays()
    stays.add_list("1234", "Offers")
    return stays


def somebody(person_id: str = "1") -> Person:
    return Person(person_id, f"key-{person_id}", NOW, NOW)


def test_a_stay_begins_and_ends_at_whole_seconds(stays: Stays) -> None:
    person = somebody()
    stay = stays.opt_in(person, "1234", NOW)
    assert stay.opt_in_date == WHOLE
    assert stays.active(person, "1234") is stay

    stays.opt_out(person, "1234", NOW + timedelta(seconds=9), "user_opt_out")
    assert (stay.opt_out_date, stay.opt_out_reason) == (WHOLE + timedelta(seconds=9), "user_opt_out")
    assert stays.active(person, "1234") is None


def test_a_person_cannot_join_twice_or_leave_twice(stays: Stays) -> None:
    person = somebody()
    with pytest.raises(UnknownRecordError):
        stays.opt_out(person, "1234", NOW, "user_opt_out")
    stays.opt_in(person, "1234", NOW)
    with pytest.raises(ConflictError):
        stays.opt_in(person, "1234", NOW)


def test_an_unknown_list_has_no_stays(stays: Stays) -> None:
    with pytest.raises(UnknownRecordError):
        stays.opt_in(somebody(), "no such list", NOW)


def test_archiving_ends_every_stay_and_lets_nobody_join(stays: Stays) -> None:
    people = [somebody(str(n)) for n in range(3)]
    for person in people:
        stays.opt_in(person, "1234", NOW)

    ended = stays.archive("1234", NOW)

    assert [stay.person for stay in ended] == people
    assert {stay.opt_out_reason for stay in ended} == {"list_archived"}
    assert stays.open_lists() == []
    with pytest.raises(UnprocessableError):
        stays.opt_in(somebody("9"), "1234", NOW)


@given(st.lists(st.integers(-3, 3), max_size=20))
def test_the_stays_of_a_person_on_a_list_follow_each_other_whatever_the_clock_does(steps: list[int]) -> None:
    stays = Stays()
    stays.add_list("1234", "Offers")
    person, now = somebody(), NOW
    for step in steps:
        now += timedelta(seconds=step)
        if stays.active(person, "1234"):
            stays.opt_out(person, "1234", now, "user_opt_out")
        else:
            stays.opt_in(person, "1234", now)

    history: list[Stay] = stays.of_person(person, active_only=False)
    moments = [moment for stay in history for moment in (stay.opt_in_date, stay.opt_out_date) if moment]
    assert all(earlier < later for earlier, later in pairwise(moments))
    assert len(stays.of_person(person, active_only=True)) == len(steps) % 2
