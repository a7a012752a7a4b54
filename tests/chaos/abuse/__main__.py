"""`python -m tests.chaos.abuse [--requests N] [--seconds S] [--seed N]`: abuse ingest, exit 0 if it took no harm."""

import argparse
import json
import sys

import uvloop
from rich.console import Console

from tests.chaos.abuse.run import run


def main() -> int:
    """Abuse, print the report as JSON; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.abuse", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="so many requests, then the checks")
    parser.add_argument("--seconds", type=float, default=240.0, help="but no longer than this")
    parser.add_argument("--seed", type=int, help="the same seed sends the same requests; printed")
    parser.add_argument("--connections", type=int, default=10_000, help="so many idle and slow ones beside")
    arguments = parser.parse_args()
    report = uvloop.run(run(**vars(arguments)))
    Console(stderr=True, highlight=False).print(f"seed {report['seed']}: {report['requests']} requests")
    json.dump(report, sys.stdout, indent=2)
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
