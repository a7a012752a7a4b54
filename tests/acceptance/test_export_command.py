"""`vibes-pipeline export` as users run it: what it prints, and how it ends."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import vibes_pipeline

NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing"


def export(*arguments: str, database_url: str = NOWHERE) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*vibes_pipeline(), "export", *arguments],
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--since", "soon"], "--since soon: a day such as 2024-03-01"),
        (["--since", "2999-01-01"], "--since 2999-01-01: has not come yet"),
        (["--since", "2024-03-02", "--until", "2024-03-01"], "--until 2024-03-01: not after --since 2024-03-02"),
        (["--only", "event"], "--only event: no such dataset; did you mean events?"),
    ],
)
def test_nonsense_is_refused_before_anything_is_made(tmp_path: Path, arguments: list[str], problem: str) -> None:
    result = export(str(tmp_path / "out"), *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"vibes-pipeline: {problem}")
    assert not (tmp_path / "out").exists()


def test_a_directory_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    result = export(str(tmp_path))
    assert result.returncode == 2
    assert "is not empty, and holds no export" in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    result = export(str(tmp_path / "out"))
    assert result.returncode == 1
    assert "DATABASE_URL: Postgres cannot be reached" in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr


def test_it_prints_a_table_or_json(tmp_path: Path, database_url: str) -> None:
    table = export(str(tmp_path / "out"), "--only", "events", database_url=database_url)
    assert (table.returncode, table.stderr) == (0, "")
    assert "days written" in table.stdout
    told = export(str(tmp_path / "out"), "--only", "events", "--json", database_url=database_url)
    (dataset,) = json.loads(told.stdout)["datasets"]
    assert dataset == {
        "dataset": "events",
        "rows": 0,
        "days_written": 0,
        "days_removed": 0,
        "rows_written": 0,
        "files": 0,
        "bytes": 0,
    }
