"""`python -m benchmarks [--quick] [--only NAME]`: run benchmarks, print tables, write `.run/bench.json`."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.machine import describe, shared_buffers
from benchmarks.suite import BENCHMARKS, WHOLE
from benchmarks.table import print_tables
from benchmarks.targets import reached
from deploy.local.errors import ServiceError
from deploy.local.postgres import TUNED
from deploy.local.services import Services

REPORT = Path(".run/bench.json")
_SERVER = {**TUNED, "shared_buffers": shared_buffers(), "wal_level": "minimal", "max_wal_senders": "0"}
"""As in docker-compose.yml, but that nobody replicates: the long history of `growth` need not be logged then."""

_ONLY = f"One of: {', '.join(BENCHMARKS)}. By default: {', '.join(WHOLE)}."


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything: rough figures.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", hidden=True, help="Shows the shape only.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=_ONLY)] = None,
    output: Annotated[Path, typer.Option(help="Where the figures are written.")] = REPORT,
) -> None:
    """Measure the pipeline on real services; the simulator stands in for Vibes."""
    console = Console(highlight=False)
    if unknown := set(only or ()) - set(BENCHMARKS):
        raise typer.BadParameter(f"no such benchmark: {', '.join(sorted(unknown))}", param_hint="--only")
    effort = Effort.SMOKE if smoke else Effort.QUICK if quick else Effort.FULL
    console.print("starting PostgreSQL and RabbitMQ ...")
    with Services(settings=_SERVER) as services:
        # The stack of each benchmark has a database and queues of its own on these.
        os.environ |= {"DATABASE_URL": services.postgres.url, "AMQP_URL": services.rabbitmq.amqp_url}
        machine = describe(services)
        figures, seconds = _run(console, only or WHOLE, effort)
        report = {"machine": machine, "quick": effort is not Effort.FULL, "seconds": seconds, **figures}
    report["reach"] = [each.to_json() for each in reached(report)]
    print_tables(console, report)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"written to {output}")


def _run(console: Console, names: Sequence[str], effort: Effort) -> tuple[dict[str, Any], dict[str, float]]:
    """Run benchmarks; return the figures of each, and how many seconds it took."""
    parts, seconds = {}, {}
    for number, name in enumerate(names, start=1):
        console.rule(f"{name} ({number} of {len(names)})", align="left", style="none")
        began = time.monotonic()
        parts[name] = BENCHMARKS[name](console, effort)
        seconds[name] = round(time.monotonic() - began, 1)
        console.print(f"{name} took {seconds[name] / 60:.1f} minutes")
    return parts, seconds


def main() -> int:
    """Run; return the exit code, 1 when a service or a part failed or a run was not clean, whatever the figures."""
    try:
        typer.run(bench)
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
