"""An export that is killed: what was published before is as it was, and the next one carries on."""

import os
import subprocess
import time
from pathlib import Path

import orjson

from tests.support.commands import vibes_pipeline
from tests.support.exporting import export

PATIENCE_SECONDS = 30.0


def command(database_url: str, directory: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "DATABASE_URL": database_url}
    return subprocess.Popen(
        [*vibes_pipeline(), "export", str(directory)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def files(directory: Path) -> int:
    return len(list(directory.glob("**/*.parquet")))


def complete(directory: Path) -> bool:
    noted: bool = orjson.loads((directory / "_export.json").read_bytes())["complete"]
    return noted


def until_days_are_written(directory: Path, days: int) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        if files(directory) >= days:
            return
        time.sleep(0.005)  # there is nothing to wait on: the days appear one by one
    raise AssertionError("the export writes nothing")


async def test_a_killed_export_publishes_nothing_and_the_next_one_carries_on(history_url: str, tmp_path: Path) -> None:
    unfinished = tmp_path / "_unfinished"
    running = command(history_url, tmp_path)
    until_days_are_written(unfinished, 20)
    running.kill()
    running.communicate()  # until nobody holds its streams any more

    whole = files(unfinished)
    assert whole == files(tmp_path)
    assert not complete(tmp_path)

    summary = await export(history_url, tmp_path)
    assert sum(each.days_written for each in summary.datasets) == files(tmp_path) > whole
    assert sum(each.rows_written for each in summary.datasets) < sum(each.rows for each in summary.datasets)
    assert (files(unfinished), complete(tmp_path)) == (0, True)
