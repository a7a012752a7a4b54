"""What a server does from one checkpoint to the next is told from its begin and from what comes later."""

import pytest

from benchmarks.growth.interval import Cost, Limits, between_checkpoints, cost_of
from benchmarks.memory.drain import Drain

FIRST = Cost(seconds=0.0004, wal_bytes=10_000, pages=1.0)
LATER = Cost(seconds=0.0001, wal_bytes=2_000, pages=0.0)


def drained(seconds: float, pages: int) -> Drain:
    return Drain(callbacks=1_000, events=900, seconds=seconds, log=(500, 2_000_500), pages=pages)


def test_events_cost_the_more_the_larger_the_share_of_those_right_after_the_checkpoint() -> None:
    long = between_checkpoints(1_000, FIRST, LATER, Limits(wal_bytes=28e6, seconds=900))
    assert long.events == 10_000
    assert long.cost.seconds == pytest.approx(0.00013)
    assert long.cost.wal_bytes == pytest.approx(2_800)
    assert long.cost.pages == pytest.approx(0.1)
    short = between_checkpoints(1_000, FIRST, LATER, Limits(wal_bytes=12e6, seconds=900))
    assert short.events == 2_000
    assert short.cost.seconds == pytest.approx(0.00025)


def test_the_whole_log_of_an_interval_is_what_the_server_allows() -> None:
    interval = between_checkpoints(1_000, FIRST, LATER, Limits(wal_bytes=28e6, seconds=900))
    assert interval.events * interval.cost.wal_bytes == pytest.approx(28e6)


def test_a_checkpoint_comes_by_time_where_the_log_grows_slowly() -> None:
    interval = between_checkpoints(1_000, FIRST, LATER, Limits(wal_bytes=1e12, seconds=1.0))
    assert interval.events * interval.cost.seconds == pytest.approx(1.0)


def test_an_interval_may_be_over_before_anything_else_than_its_begin_was_measured() -> None:
    interval = between_checkpoints(1_000, FIRST, LATER, Limits(wal_bytes=5e6, seconds=900))
    assert interval.events == 500
    assert interval.cost == FIRST


def test_a_cost_is_the_median_of_rounds_and_counts_all_callbacks_where_the_log_does() -> None:
    cost = cost_of([drained(0.9, 100), drained(0.09, 900), drained(0.18, 200)])
    assert cost.seconds == pytest.approx(0.0002)
    assert cost.wal_bytes == 2_000
    assert cost.pages == 0.2
