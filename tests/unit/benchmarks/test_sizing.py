"""From measured costs to what a rate takes."""

from dataclasses import replace

import pytest

from benchmarks.report.sizing import RATES, Costs, Load, costs, plan
from tests.unit.benchmarks.reports import made_up_report

ALONE = Load(rate=1_000, messages=1_000, ingest_us=400_000, broker_us=200_000)
"""One callback at a time: 400 us of ingest each, a message each."""
TOGETHER = Load(rate=10_000, messages=500, ingest_us=1_000_000, broker_us=300_000)
"""At its maximum: 100 us each, twenty a message."""
COSTS = Costs(
    ingest_rate=10_000,
    loads=(ALONE, TOGETHER),
    queue_rate=4_000,
    apply_rate=5_000,
    apply_us=200,
    broker_us=10,
    postgres_us=100,
    wal_bytes=2_000,
    table_bytes=1_000,
    proven=4_000,
)


def test_processes_are_planned_to_do_half_of_what_one_did() -> None:
    assert (plan(COSTS, 5_000).ingest_processes, plan(COSTS, 5_001).ingest_processes) == (1, 2)
    assert (plan(COSTS, 2_500).apply_processes, plan(COSTS, 2_501).apply_processes) == (1, 2)


def test_another_headroom_can_be_planned_for() -> None:
    assert plan(COSTS, 10_000, busy=1.0).ingest_processes == 1
    assert plan(COSTS, 10_000, busy=0.25).ingest_processes == 4


def test_cores_are_the_measured_time_at_half_load() -> None:
    planned = plan(COSTS, 2_000)
    assert planned.apply_cores == pytest.approx(2_000 * 200e-6 / 0.5)
    assert planned.postgres_cores == pytest.approx(2_000 * 100e-6 / 0.5)


def test_a_process_needs_no_more_than_one_core() -> None:
    planned = plan(replace(COSTS, apply_us=5_000.0), 2_000)
    assert (planned.apply_processes, planned.apply_cores) == (1, 1)


def test_a_callback_that_comes_alone_costs_what_it_cost_alone() -> None:
    planned = plan(COSTS, 100)
    assert planned.ingest_cores == pytest.approx(100 * 400e-6 / 0.5)
    assert planned.broker_cores == pytest.approx(100 * (200e-6 + 10e-6) / 0.5)


def test_between_two_measured_loads_costs_lie_between() -> None:
    halfway = (ALONE.rate + TOGETHER.rate) / 2
    planned = plan(replace(COSTS, ingest_rate=20_000), halfway)
    assert planned.ingest_processes == 1
    expected = ((ALONE.broker_us or 0) + (TOGETHER.broker_us or 0)) / 2 + halfway * 10
    assert planned.broker_cores == pytest.approx(expected * 1e-6 / 0.5)


def test_beyond_the_last_load_costs_go_on_in_proportion() -> None:
    planned = plan(replace(COSTS, ingest_rate=100_000), 20_000)
    assert planned.ingest_processes == 1
    assert planned.broker_cores == pytest.approx((2 * 300_000 + 20_000 * 10) * 1e-6 / 0.5)


def test_queues_follow_from_messages_and_not_from_callbacks() -> None:
    grouped = plan(COSTS, 100_000)
    alone = plan(replace(COSTS, loads=(replace(ALONE, rate=10_000, messages=10_000),)), 100_000)
    assert plan(COSTS, 100).queues == 1
    assert alone.queues == 50  # 100,000 messages, and 2,000 a queue
    assert grouped.queues < alone.queues


def test_disk_is_for_a_day_of_that_rate() -> None:
    planned = plan(COSTS, 100)
    assert (planned.table_bytes_a_day, planned.wal_bytes_a_day) == (100 * 1_000 * 86_400, 100 * 2_000 * 86_400)


def test_what_the_measured_machine_has_not_done_is_marked() -> None:
    assert [plan(COSTS, rate).extrapolated for rate in (4_000, 4_001)] == [False, True]


def test_what_was_not_measured_is_not_told() -> None:
    planned = plan(replace(COSTS, postgres_us=None, broker_us=None, table_bytes=None), 1_000)
    assert (planned.postgres_cores, planned.broker_cores, planned.table_bytes_a_day) == (None, None, None)
    assert plan(replace(COSTS, loads=(replace(ALONE, broker_us=None), TOGETHER)), 1_000).broker_cores is None


def test_costs_come_from_the_report() -> None:
    measured = costs(made_up_report())
    assert (measured.ingest_rate, measured.apply_rate, measured.queue_rate) == (16_000, 8_000, 4_000)
    assert (measured.wal_bytes, measured.table_bytes, measured.proven) == (2_000, 1_100, 4_500.0)
    assert measured.loads[-1] == Load(rate=16_000, messages=1_000, ingest_us=960_000, broker_us=320_000)


def test_connections_that_only_made_callbacks_wait_longer_tell_nothing() -> None:
    report = made_up_report()  # with 256 connections its ingest is slower than with 64
    assert [load.rate for load in costs(report).loads] == [800, 8_000, 16_000]


def test_a_report_without_the_costs_of_broker_and_tables_is_enough() -> None:
    report = made_up_report()
    del report["growth"]["table_bytes"]
    del report["apply"]["cpu_us_per_event"]["rabbitmq"]
    for each in report["ingest"]["connections"].values():
        del each["ours"]["broker_cpu_us"], each["ours"]["callbacks_a_message"]
    planned = plan(costs(report), 1_000)
    assert (planned.broker_cores, planned.table_bytes_a_day) == (None, None)
    assert planned.ingest_cores > 0


def test_more_callbacks_never_take_less() -> None:
    plans = [plan(costs(made_up_report()), rate) for rate in RATES]
    for name in ("ingest_processes", "apply_processes", "queues", "ingest_cores", "broker_cores", "wal_bytes_a_day"):
        values = [getattr(each, name) for each in plans]
        assert values == sorted(values), name
