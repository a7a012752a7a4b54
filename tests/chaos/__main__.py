"""`python -m tests.chaos`: run the fault matrix; exit code 0 only if nothing was lost and everything was run.

The seed decides when faults are injected and what is sent; what two processes make of it at once it does not.
"""

import argparse
import asyncio
import secrets
import sys
import time
from pathlib import Path

import uvloop
from rich.console import Console

from deploy.local.errors import ServiceError
from tests.chaos.abuse.run import run as abuse
from tests.chaos.fault import Fault
from tests.chaos.matrix import Faults
from tests.chaos.mutations.check import run_mutations
from tests.chaos.report import Report, print_report
from tests.chaos.runs import run_all

_REPORT = Path(".run/chaos.json")
_ABUSE = "abuse"
"""Stands for the long run of hostile requests, which is part of a whole run."""
_MUTATIONS = "mutations"
"""Stands for the proof that the checks can fail, which is part of a whole run."""


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; return the exit code."""
    options = _options(arguments)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    faults = Faults()
    report = Report(options.seed, quick=options.quick)
    try:
        if options.list:
            console.print("\n".join(fault.name for fault in faults), markup=False)
            return 0
        chosen = _chosen(faults, options)
    except KeyError as error:
        console.print(f"--only {error}: no fault begins with this; --list names them", markup=False)
        return 2
    if not options.only and not options.quick:
        report.missing = faults.missing
    console.print(f"seed {options.seed}: {len(chosen)} faults")
    began = time.monotonic()
    try:
        if chosen:
            asyncio.run(run_all(chosen, report, console))
        if _wants(_MUTATIONS, options):
            console.print("mutations ...")
            report.mutations = asyncio.run(run_mutations(options.seed))
        if _wants(_ABUSE, options):
            console.print("abuse of ingest ...")
            report.abuse = uvloop.run(abuse(seed=options.seed))
    except ServiceError as error:
        console.print(str(error), markup=False)
        return 1
    finally:
        report.seconds = time.monotonic() - began
        report.write(options.output)
    print_report(console, report)
    return 0 if report.ok else 1


def _chosen(faults: Faults, options: argparse.Namespace) -> list[Fault]:
    """Return the faults to run. KeyError for a name that is none."""
    if options.only:
        return faults.named(name for name in options.only if name not in (_ABUSE, _MUTATIONS))
    return faults.quick() if options.quick else list(faults)


def _wants(what: str, options: argparse.Namespace) -> bool:
    return what in options.only if options.only else not options.quick


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few faults, each once: one to two minutes")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"these faults (a name may be cut short), {_MUTATIONS}, {_ABUSE}"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="repeat a run's choices")
    parser.add_argument("--output", type=Path, default=_REPORT, help="where the report goes")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
