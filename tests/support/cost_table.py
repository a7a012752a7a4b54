"""What a million callbacks cost, as docs/operations.md has it: `python -m tests.support.cost_table` prints that."""

import json
import sys
from pathlib import Path

from benchmarks.report.sizing import costs

BENCH = Path(__file__).parents[2] / "docs" / "performance" / "bench.json"
_MILLION = 1_000_000
_GIGA = 1e9


def cost_table() -> str:
    """Return a Markdown table: what a million callbacks take, by the figures of the last whole `make bench`."""
    measured = costs(json.loads(BENCH.read_text(encoding="utf-8")))
    busiest = measured.loads[-1]
    queueing, handing = (busiest.broker_us or 0.0) / busiest.rate, measured.broker_us or 0.0
    seconds = {
        "ingest": busiest.ingest_us / busiest.rate,
        "RabbitMQ": queueing + handing,
        "apply": measured.apply_us,
        "PostgreSQL": measured.postgres_us or 0.0,
    }
    stored = {
        "tables and their indexes": measured.table_bytes or 0.0,
        "WAL, for each replica and archive": measured.wal_bytes,
    }
    return "\n".join(
        [
            "| a million callbacks | take |",
            "|---|---:|",
            *(f"| CPU of {name} | {microseconds:,.0f} s |" for name, microseconds in seconds.items()),
            *(f"| {name} | {size * _MILLION / _GIGA:.1f} GB |" for name, size in stored.items()),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(f"{cost_table()}\n")
