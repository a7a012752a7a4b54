"""The callbacks all benchmarks send."""

from collections import Counter
from typing import Any

import orjson
import pytest

from benchmarks.apply.backlog import Expected, count
from benchmarks.end_to_end.events import Events
from benchmarks.traffic import callbacks, unique

MANY = 20_000


def events(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(body) for body in bodies]


def kind(event: dict[str, Any]) -> str:
    return str(event.get("callback_type") or event["event_type"])


def keys(bodies: list[bytes]) -> set[tuple[str, str]]:
    return {(kind(event), event["event_id"]) for event in events(bodies)}


def test_equal_arguments_give_equal_callbacks() -> None:
    assert callbacks(500, seed=3, first=100) == callbacks(500, seed=3, first=100)


@pytest.mark.parametrize("other", [{"seed": 2}, {"first": 2_000}])
def test_another_seed_or_first_number_gives_other_events(other: dict[str, int]) -> None:
    assert not keys(callbacks(2_000)) & keys(callbacks(2_000, **other))


def test_four_in_five_are_about_subscriptions_and_one_in_ten_about_persons() -> None:
    kinds = Counter(map(kind, events(unique(MANY))))
    shares = {name: number / MANY for name, number in kinds.items()}
    assert shares["subscription_added"] + shares["subscription_removed"] == pytest.approx(0.8, abs=0.02)
    assert shares["person_added"] + shares["person_updated"] == pytest.approx(0.1, abs=0.02)
    assert len(kinds) > 4


def test_some_persons_are_talked_about_more_than_others_and_new_ones_keep_coming() -> None:
    def persons(bodies: list[bytes]) -> Counter[str]:
        return Counter(
            str(event["subscription"]["person"]["id"])
            for event in events(bodies)
            if kind(event).startswith("subscription")
        )

    first, second = persons(unique(MANY)), persons(unique(MANY, first=MANY))
    (_, most), *_ = first.most_common(1)
    assert most > 100 * first.total() / 200_000
    assert len(second - first) > 1_000


def test_as_many_repeat_an_earlier_one_as_told() -> None:
    bodies = callbacks(MANY, duplicates=0.1)
    assert len(bodies) == MANY
    assert MANY - len(keys(bodies)) == pytest.approx(MANY * 0.1, rel=0.1)


def test_a_repeat_is_the_same_event_and_at_most_a_later_attempt() -> None:
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events(callbacks(5_000, duplicates=0.3)):
        stripped = {name: value for name, value in event.items() if name != "delivery_attempt"}
        assert seen.setdefault((kind(event), event["event_id"]), stripped) == stripped


def test_unique_callbacks_are_as_many_events() -> None:
    bodies = unique(2_000)
    assert count(bodies) == Expected(callbacks=2_000, events=2_000)


def test_bodies_are_one_line_each() -> None:
    assert not any(b"\n" in body for body in callbacks(2_000))


class TestEvents:
    """Which callbacks are dealt with once so many events are applied."""

    def test_callbacks_before_a_repeat_are_as_many_events(self) -> None:
        one, two = unique(2)
        told = Events([one, one, two])
        assert [told.among(number) for number in range(4)] == [0, 1, 1, 2]

    def test_a_repeat_is_dealt_with_together_with_its_event(self) -> None:
        one, two = unique(2)
        told = Events([one, one, two])
        assert [told.callbacks(applied) for applied in range(3)] == [0, 2, 3]
