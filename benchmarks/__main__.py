"""`python -m benchmarks [--quick] [--only NAME]`: run benchmarks, print a table, write `.run/bench.json`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.machine import describe
from benchmarks.suite import BENCHMARKS
from benchmarks.table import print_table
from deploy.local.errors import ServiceError
from deploy.local.postgres import TUNED
from deploy.local.services import Services

_REPORT = Path(".run/bench.json")


def bench(
    quick: Annotated[bool, typer.Option(help="Less of everything: shows that it works, measures roughly.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of: {', '.join(BENCHMARKS)}.")] = None,
    output: Annotated[Path, typer.Option(help="Where the figures are written.")] = _REPORT,
) -> None:
    """Measure the pipeline on real services; the simulator stands in for Vibes."""
    console = Console(highlight=False)
    if unknown := set(only or ()) - set(BENCHMARKS):
        raise typer.BadParameter(f"no such benchmark: {', '.join(sorted(unknown))}", param_hint="--only")
    console.print("starting PostgreSQL and RabbitMQ ...")
    with Services(settings=TUNED) as services:
        # The stack of each benchmark has a database and queues of its own on these.
        os.environ |= {"DATABASE_URL": services.postgres.url, "AMQP_URL": services.rabbitmq.amqp_url}
        report = {"machine": describe(services), "quick": quick}
        for name in only or BENCHMARKS:
            report[name] = BENCHMARKS[name](console, quick)
    print_table(console, report)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"written to {output}")


def main() -> int:
    """Run; return the exit code, 1 when a service or a part of the pipeline failed."""
    try:
        typer.run(bench)
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
