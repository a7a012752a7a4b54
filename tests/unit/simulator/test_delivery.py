"""The order of sending, the ledger, the figures."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.config import DeliveryPolicy
from simulator.delivery import Callback, choose, interleave, shuffle
from simulator.events import Event, Kind
from simulator.ledger import Ledger, State
from simulator.registrations import Destination
from simulator.seeds import seeded
from simulator.sender import Pace
from simulator.stats import Latencies

HERE = Destination("http://127.0.0.1/callbacks/x")
OLD_STYLE = b'{"event_id":"7","event_type":"person_added","delivery_attempt":"1"}'


def event(number: int, body: bytes | None = None) -> Event:
    return Event(Kind.EVENT, "person_added", str(number), body or b'{"event_id":"%d"}' % number)


def callback(number: int, *, twice: bool = False, body: bytes | None = None) -> Callback:
    made = event(number, body)
    return Callback(made, Ledger("acme").open(made), HERE, wanted_twice=twice)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20), st.integers(0, 99))
def test_shuffling_loses_nothing_and_repeats_exactly_what_is_wanted_twice(
    twice: list[bool], window: int, seed: int
) -> None:
    callbacks = [callback(number, twice=wanted) for number, wanted in enumerate(twice)]
    sent = list(shuffle(seeded(seed), callbacks, window))

    assert Counter(each.event.event_id for each in sent) == {str(n): 1 + wanted for n, wanted in enumerate(twice)}
    assert Counter(each.duplicate for each in sent)[True] == sum(twice)


def test_a_window_of_one_keeps_the_order_and_a_larger_one_does_not() -> None:
    def order(window: int) -> list[str | None]:
        return [each.event.event_id for each in shuffle(seeded(1), map(callback, range(100)), window)]

    assert order(1) == [str(n) for n in range(100)]
    assert order(20) != order(1)
    assert order(20) == order(20)


def test_a_callback_overtakes_only_within_the_window() -> None:
    sent = [int(each.event.event_id or 0) for each in shuffle(seeded(1), map(callback, range(500)), 10)]
    assert all(number < place + 10 for place, number in enumerate(sent))


def test_a_duplicate_of_an_old_style_body_may_count_its_attempts_on() -> None:
    bodies = {
        each.body()
        for seed in range(20)
        for each in shuffle(seeded(seed), [callback(7, twice=True, body=OLD_STYLE)], 1)
        if each.duplicate
    }
    assert bodies == {OLD_STYLE, OLD_STYLE.replace(b'"1"', b'"2"')}


@given(st.integers(0, 200), st.floats(0, 1), st.integers(0, 99))
def test_exactly_the_wanted_share_is_chosen(count: int, ratio: float, seed: int) -> None:
    chosen = list(choose(seeded(seed), count, ratio))
    assert (len(chosen), sum(chosen)) == (count, int(count * ratio))


def test_interleaving_keeps_the_order_of_each_part_and_mixes_them() -> None:
    evens, odds = list(map(event, range(0, 200, 2))), list(map(event, range(1, 41, 2)))
    mixed = list(interleave(seeded(1), (100, evens), (20, odds), (0, [])))
    assert [each for each in mixed if each in evens] == evens
    assert [each for each in mixed if each in odds] == odds
    assert 0 < sum(each in odds for each in mixed[:60]) < 20


def test_an_acknowledged_event_stays_acknowledged() -> None:
    entry = Ledger("acme").open(event(1))
    entry.note_sent(b"one")
    entry.note_lost(State.LOST_4XX)
    entry.note_sent(b"one")
    entry.note_acknowledged("receipt-1")
    entry.note_sent(b"two")
    entry.note_lost(State.GAVE_UP)

    line = entry.to_json("acme")
    assert (line["state"], line["sent"], line["acknowledged"]) == ("acknowledged", 3, 1)
    assert line["receipts"] == ("receipt-1",)
    assert len(line["sha256_others"]) == 1


def test_an_event_that_was_only_refused_is_lost() -> None:
    ledger = Ledger("acme")
    ledger.open(event(1)).note_lost(State.LOST_4XX)
    ledger.open(event(2))
    assert ledger.states() == {"lost_4xx": 1, "pending": 1}


def test_retry_delays_repeat_the_last_one() -> None:
    policy = DeliveryPolicy(retry_delays=(0.5, 3.0))
    assert [policy.delay_after(attempt) for attempt in (1, 2, 3, 9)] == [0.5, 3.0, 3.0, 3.0]


def test_a_pace_gives_slots_in_bursts() -> None:
    pace = Pace(rate=10, burst=2)
    slots = []
    for _ in range(5):
        slots.append(pace.next_slot(100.0))
        pace.take()
    assert slots == pytest.approx([100.0, 100.0, 100.2, 100.2, 100.4])


@given(st.lists(st.floats(1e-5, 10), min_size=1, max_size=200))
def test_a_percentile_is_at_most_two_percent_too_high(values: list[float]) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact = sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]
    assert exact * 0.999 <= latencies.percentile(0.99) <= exact * 1.021
    assert latencies.largest == max(values)
