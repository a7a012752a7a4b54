"""What every rival is told: the port by argument, the services by environment."""

import argparse
import os
from typing import Any

QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
"""Arguments of the queue: what is confirmed is on disk, as in the pipeline."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows `--port`, for a rival to add its own options."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--port", type=int, default=0, help="0 takes a free one")
    return result


def amqp_url() -> str:
    """Return the broker's address. Raises KeyError when AMQP_URL is not set."""
    return os.environ["AMQP_URL"]


def database_url() -> str:
    """Return the database's address. Raises KeyError when DATABASE_URL is not set."""
    return os.environ["DATABASE_URL"]


def queue_name() -> str:
    """Return the name of the queue. Raises KeyError when RIVAL_QUEUE is not set."""
    return os.environ["RIVAL_QUEUE"]
