"""`make bench` measures real services, prints what it found and writes it down.

These runs are so short that only the shape of the report tells something: no test looks at how fast anything was.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.broker import Broker
from deploy.local.postgres import PostgresServer

_MOST_SECONDS = 280
pytestmark = pytest.mark.timeout(300)
"""It takes a minute where nothing else runs."""
NEEDS_WRK = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, which `make bench` measures with, is missing")


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env={**os.environ, **environment, "COLUMNS": "140"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )


def report_of(names: list[str], postgres: PostgresServer, rabbitmq: Broker, output: Path) -> tuple[dict[str, Any], str]:
    """Run these benchmarks; return the report and what was printed."""
    services = {"DATABASE_URL": postgres.url, "AMQP_URL": rabbitmq.amqp_url}
    only = [argument for name in names for argument in ("--only", name)]
    result = bench("--smoke", *only, "--output", str(output), **services)
    assert result.returncode == 0, result.stderr
    report = json.loads(output.read_text())
    assert list(report) == ["machine", "quick", "seconds", *names, "reach"]
    assert list(report["seconds"]) == names
    assert {"cores", "python", "postgres", "rabbitmq", "settings"} <= report["machine"].keys()
    assert report["quick"] is True
    assert all(f"{name} took " in result.stdout for name in names)
    return report, result.stdout


def check_ingest(figures: dict[str, Any]) -> None:
    contestants = {"floor", "per_message", "faststream", "ours"}
    assert all(figures[name] > 0 for name in contestants)
    for by_contestant in (figures["p99_ms"], figures["cpu_us"], figures["connections"]["64"]):
        assert by_contestant.keys() == contestants
    assert {"rate", "p50_ms", "p99_ms", "p999_ms", "cpu_us"} <= figures["connections"]["64"]["ours"].keys()
    assert figures["answers_503"] >= 0
    for load in (figures["open_loop"]["50"], figures["open_loop"]["80"]):
        assert load["acknowledged"] + load["answers_503"] == load["due"] > 0
    assert figures["scale_out"]["1"] == figures["ours"]
    assert figures["scale_out"]["2"] > 0
    assert contestants < figures["spread"].keys()
    # One at a time there is a message each; ours groups what comes together.
    assert figures["connections"]["64"]["per_message"]["callbacks_a_message"] == 1
    assert figures["connections"]["64"]["ours"]["callbacks_a_message"] > 1


def check_apply(figures: dict[str, Any]) -> None:
    contestants = {"ceiling", "per_event", "faststream", "faststream_as_documented", "ours"}
    assert all(figures[name] > 0 for name in contestants)
    assert contestants <= figures["spread"].keys()
    assert figures["scale_out"]["1"] == figures["ours"]
    assert figures["cpu_us_per_event"].keys() == {"apply", "postgres", "rabbitmq"}
    assert figures["cpu_us_per_event"]["apply"] > 0


def check_end_to_end(figures: dict[str, Any]) -> None:
    assert figures["ours"] > 0
    assert figures["faststream"] > 0
    assert 0 < figures["visible_p50_s"] <= figures["visible_p99_s"] <= figures["visible_max_s"]


@NEEDS_WRK
def test_the_way_of_a_callback_is_measured_beside_what_it_is_compared_with(
    postgres: PostgresServer, rabbitmq: Broker, tmp_path: Path
) -> None:
    names = ["ingest", "apply", "end_to_end"]
    report, printed = report_of(names, postgres, rabbitmq, tmp_path / "bench.json")
    check_ingest(report["ingest"])
    check_apply(report["apply"])
    check_end_to_end(report["end_to_end"])
    told = {each["figure"]: each for each in report["reach"]}
    assert told.keys() >= {"ingest, ours / floor", "apply, ours / ceiling", "end to end, ours / FastStream"}
    assert all(each.keys() == {"figure", "value", "aim", "reached"} for each in told.values())
    assert all(figure in printed for figure in told)


@pytest.mark.long  # four workers have to take turns for a while
def test_the_person_sync_benchmark_tells_rate_and_calls_of_a_fleet(
    postgres: PostgresServer, rabbitmq: Broker, tmp_path: Path
) -> None:
    report, printed = report_of(["person_sync"], postgres, rabbitmq, tmp_path / "bench.json")
    figures = report["person_sync"]
    assert figures["processes"] == 4
    assert 0 < figures["rate"] <= figures["limit"] == 100
    # How good they are depends on what else this machine does; that they are right does not.
    assert 0 <= figures["throttled"] < 0.1
    assert figures["burst"]["persons"] == 20
    assert 0.1 <= figures["calls_per_change"] < 0.3
    assert "calls a change" in printed


def test_a_benchmark_that_does_not_exist_is_named_before_anything_starts() -> None:
    result = bench("--only", "person_snyc")
    assert result.returncode == 2
    assert "person_snyc" in result.stderr
    assert "starting" not in result.stdout
