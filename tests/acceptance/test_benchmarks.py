"""`make bench` measures real services, prints what it found and writes it down."""

import json
import os
import subprocess
import sys
from pathlib import Path

from deploy.local.broker import Broker
from deploy.local.postgres import PostgresServer


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env={**os.environ, **environment, "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_person_sync_benchmark_tells_rate_and_calls_of_a_fleet(
    postgres: PostgresServer, rabbitmq: Broker, tmp_path: Path
) -> None:
    output = tmp_path / "bench.json"
    services = {"DATABASE_URL": postgres.url, "AMQP_URL": rabbitmq.amqp_url}
    result = bench("--quick", "--only", "person_sync", "--output", str(output), **services)
    assert result.returncode == 0, result.stderr

    report = json.loads(output.read_text())
    assert {"cores", "python", "postgres", "rabbitmq", "settings"} <= report["machine"].keys()
    figures = report["person_sync"]
    assert figures["processes"] == 4
    assert 0 < figures["rate"] <= figures["limit"] == 100
    # How good they are depends on what else this machine does; that they are right does not.
    assert 0 <= figures["throttled"] < 0.1
    assert figures["burst"]["persons"] == 100
    assert 0.1 <= figures["calls_per_change"] < 0.3
    assert "calls per change" in result.stdout


def test_a_benchmark_that_does_not_exist_is_named_before_anything_starts() -> None:
    result = bench("--only", "person_snyc")
    assert result.returncode == 2
    assert "person_snyc" in result.stderr
    assert "starting" not in result.stdout
