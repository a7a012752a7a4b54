import asyncio

from structlog.testing import capture_logs

from ingest.answers import NACKED, NOT_HERE
from ingest.refusal_log import RefusalLog


async def test_the_first_refusal_is_logged_at_once_with_an_example() -> None:
    with capture_logs() as lines:
        RefusalLog().note(NACKED, source="192.0.2.1")
    assert [(line["reason"], line["count"], line["source"]) for line in lines] == [("broker_nacked", 1, "192.0.2.1")]


async def test_a_storm_makes_one_line_a_period_that_counts_them() -> None:
    refusals = RefusalLog(period_seconds=0.01)
    with capture_logs() as lines:
        for _ in range(1000):
            refusals.note(NACKED)
        assert len(lines) == 1
        await asyncio.sleep(0.02)
    assert [line["count"] for line in lines] == [1, 999]


async def test_each_kind_of_refusal_has_its_own_lines() -> None:
    refusals = RefusalLog()
    with capture_logs() as lines:
        refusals.note(NACKED)
        refusals.note(NOT_HERE)
    assert [(line["reason"], line["log_level"]) for line in lines] == [
        ("broker_nacked", "warning"),
        ("unknown_endpoint", "info"),
    ]
