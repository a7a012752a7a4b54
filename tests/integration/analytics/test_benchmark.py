"""`python -m benchmarks --only analytics` asks every view its question; how fast they are is for no test to say."""

import pytest
from rich.console import Console

from benchmarks import analytics
from benchmarks.effort import Effort
from benchmarks.figures import tables
from benchmarks.targets import reached
from deploy.local.postgres import PostgresServer
from tests.support.analytics import contract


def test_every_view_is_asked_its_question(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    figures = analytics.run(Console(quiet=True), Effort.SMOKE)
    assert list(figures["p95_seconds"]) == list(figures["median_seconds"]) == list(contract()["views"])
    assert figures["events"] >= 2000
    assert figures["slowest_p95_seconds"] == max(figures["p95_seconds"].values()) > 0
    report = {"analytics": figures}
    assert [row[0] for row in tables(report)["analytics"][0].rows] == list(contract()["views"])
    assert [each.figure for each in reached(report)] == ["the slowest view of analysts, p95"]
