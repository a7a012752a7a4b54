"""How many persons an apply process announces."""

from types import SimpleNamespace
from uuid import uuid4

import pytest

from runtime.settings import load_settings
from schemas.person_due import PersonDue
from workers.apply import due
from workers.apply.due import DuePublisher


class Clock:
    """Takes the place of the time module."""

    now = 1000.25

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(due, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
def publisher(clock: Clock) -> DuePublisher:
    return DuePublisher(load_settings())


def persons(count: int) -> list[PersonDue]:
    return [PersonDue("acme", uuid4()) for _ in range(count)]


def test_there_is_room_for_fewer_than_vibes_takes_calls_a_second(publisher: DuePublisher) -> None:
    assert 0 < publisher.room() <= 100


def test_what_was_announced_takes_room_until_the_second_is_over(publisher: DuePublisher, clock: Clock) -> None:
    room = publisher.room()
    publisher.publish(persons(7))
    clock.now += 0.5
    assert publisher.room() == room - 7
    publisher.publish(persons(room - 7))
    assert publisher.room() == 0
    clock.now += 0.5
    assert publisher.room() == room


def test_there_is_never_less_than_no_room(publisher: DuePublisher) -> None:
    publisher.publish(persons(publisher.room() + 5))
    assert publisher.room() == 0


def test_seconds_without_announcements_save_up_no_room(publisher: DuePublisher, clock: Clock) -> None:
    room = publisher.room()
    clock.now += 60
    assert publisher.room() == room


def test_what_cannot_be_published_is_kept_up_to_a_bound(publisher: DuePublisher) -> None:
    told = persons(20)
    for _ in range(1000):
        publisher.publish(told)
    assert len(publisher._waiting) == due._MAX_WAITING < 20_000
