"""The directory of an export: what may become one, and that nothing half-written ever looks whole."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types
import pytest

from cli.export.columns import Column, arrow_schema
from cli.export.days import Day
from cli.export.directory import ExportDirectory
from cli.export.parquet import read_fingerprint
from cli.export.planning import Fingerprint, Plan
from cli.export.writing import DayWriter
from schemas.errors import ConfigurationError, ServiceError

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)
SCHEMA = arrow_schema([Column("word", "text", "A word."), Column("number", "int8")])
OF = {"database": "vibes of 1", "company": None, "payloads": False}


def plan_of(rows: dict[Day, int], digest: str = "d1", *, remove: tuple[Day, ...] = (), dataset: str = "events") -> Plan:
    wanted = {day: Fingerprint(number, digest) for day, number in rows.items()}
    return Plan(dataset, wanted, list(rows), [], list(remove))


def write(directory: ExportDirectory, plan: Plan) -> None:
    with DayWriter(directory, plan, SCHEMA) as writer:
        for day in plan.write:
            writer.add(day, [("a", number, day) for number in range(plan.wanted[day].rows)])
        writer.finish()


def files(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file() and each.name != "lock")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk on which no file can grow further: the error is another than that of a full one, its handling is not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_day_becomes_a_file_in_a_directory_of_its_own(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path / "new" / "export") as directory:
        plan = plan_of({MONDAY: 2, None: 1})
        write(directory, plan)
        directory.publish([plan])
        assert directory.published("events") == plan.wanted
        assert directory.unfinished("events") == {}
        assert directory.size("events")[0] == 2
    table = pq.read_table(tmp_path / "new/export/events/day=2024-01-01/events.parquet", partitioning=None)
    assert table.to_pydict() == {"word": ["a", "a"], "number": [0, 1]}
    assert table.schema.field("word").metadata == {b"comment": b"A word."}


def test_what_is_about_no_day_is_one_file(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        plan = plan_of({None: 3}, dataset="time_to_opt_out")
        write(directory, plan)
        directory.publish([plan])
        assert directory.published("time_to_opt_out") == plan.wanted
        assert files(tmp_path) == ["time_to_opt_out/time_to_opt_out.parquet"]
        directory.publish([plan_of({}, remove=(None,), dataset="time_to_opt_out")])
        assert not (tmp_path / "time_to_opt_out").exists()


def test_memory_holds_no_more_than_a_piece_of_a_day(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory, DayWriter(directory, plan_of({MONDAY: 250_000}), SCHEMA) as writer:
        for _ in range(50):
            writer.add(MONDAY, [("a", 1)] * 5000)
        writer.finish()
        footer = pq.read_metadata(directory.unfinished_file("events", MONDAY))
    assert [footer.row_group(number).num_rows for number in range(footer.num_row_groups)] == [100_000, 100_000, 50_000]


def test_nothing_is_published_before_all_is_written(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        write(directory, plan_of({MONDAY: 2}))
        assert directory.published("events") == {}
        assert directory.unfinished("events") == {MONDAY: Fingerprint(2, "d1")}


def test_a_file_that_was_broken_off_is_not_there(tmp_path: Path) -> None:
    def broken_off(directory: ExportDirectory, plan: Plan) -> None:
        with DayWriter(directory, plan, SCHEMA) as writer:
            writer.add(MONDAY, [("a", 1)])
            writer.add(TUESDAY, [("a", 1)])
            raise KeyboardInterrupt

    with ExportDirectory(tmp_path) as directory:
        with pytest.raises(KeyboardInterrupt):
            broken_off(directory, plan_of({MONDAY: 1, TUESDAY: 2}))
        assert files(tmp_path) == ["_unfinished/events/day=2024-01-01/events.parquet"]


def test_a_killed_run_leaves_only_what_does_not_look_whole(tmp_path: Path) -> None:
    # Its file still has another name; and even under its own name it would be known for what it is.
    with ExportDirectory(tmp_path) as directory:
        writer = DayWriter(directory, plan_of({MONDAY: 200_000}), SCHEMA)
        writer.add(MONDAY, [("a", number) for number in range(150_000)])
        (part,) = tmp_path.rglob("*.part")
        cut = tmp_path / "cut.parquet"
        cut.write_bytes(part.read_bytes())
        assert read_fingerprint(cut) is None
        assert directory.unfinished("events") == {}
        writer.__exit__(None, None, None)


def test_rows_that_were_counted_but_not_read_are_a_bug_that_is_not_published(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        with DayWriter(directory, plan_of({MONDAY: 2}), SCHEMA) as writer:
            writer.add(MONDAY, [("a", 1)])
            with pytest.raises(RuntimeError, match="2 rows were counted, 1 read"):
                writer.finish()
        with DayWriter(directory, plan_of({MONDAY: 2}), SCHEMA) as writer, pytest.raises(RuntimeError, match="1 days"):
            writer.finish()


def test_a_full_disk_is_told_and_leaves_what_was_published(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        before = plan_of({MONDAY: 2})
        write(directory, before)
        directory.publish([before])
        with files_of_at_most(20_000), pytest.raises(ServiceError) as full:
            write_much(directory)
        assert "the disk refuses" in str(full.value)
        assert "run the same command again: it carries on" in str(full.value)
        assert directory.published("events") == before.wanted
        assert not list(tmp_path.rglob("*.part"))
        # The first day is whole, and the next run takes it.
        assert directory.unfinished("events") == {MONDAY: Fingerprint(3, "d2")}


def write_much(directory: ExportDirectory) -> None:
    with DayWriter(directory, plan_of({MONDAY: 3, TUESDAY: 300_000}, "d2"), SCHEMA) as writer:
        writer.add(MONDAY, [("a", 1)] * 3)
        writer.add(TUESDAY, [(f"{number}", number) for number in range(300_000)])
        writer.finish()


def test_days_that_are_gone_are_removed_and_other_peoples_files_stay(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        plan = plan_of({MONDAY: 1, TUESDAY: 1})
        write(directory, plan)
        directory.publish([plan])
        (tmp_path / "events" / "day=2024-01-02" / "notes.txt").write_text("mine")
        (tmp_path / "events" / "mine").mkdir()
        directory.publish([plan_of({}, remove=(MONDAY, TUESDAY))])
        assert files(tmp_path) == ["events/day=2024-01-02/notes.txt"]
        assert directory.published("events") == {}


def test_an_export_is_known_again_and_not_mixed_with_another(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path) as directory:
        assert directory.claim(OF)["complete"] is False
    with ExportDirectory(tmp_path) as directory:
        assert directory.claim(OF)["of"] == OF
        for other in ({"database": "vibes of 2"}, {"company": "acme"}, {"payloads": True}):
            with pytest.raises(ConfigurationError, match="name another directory"):
                directory.claim({**OF, **other})


def test_two_exports_do_not_write_into_one_directory(tmp_path: Path) -> None:
    with ExportDirectory(tmp_path), pytest.raises(ConfigurationError, match="another export is writing there"):
        ExportDirectory(tmp_path).__enter__()
    with ExportDirectory(tmp_path):
        pass


@pytest.mark.parametrize("notes", [b"", b"{", b"[]", b'{"format": 99, "of": {}, "datasets": {}}', b'{"format": 1}'])
def test_notes_of_somebody_else_are_not_taken_for_an_export(tmp_path: Path, notes: bytes) -> None:
    (tmp_path / "_export.json").write_bytes(notes)
    with ExportDirectory(tmp_path) as directory, pytest.raises(ConfigurationError, match=r"_export\.json: was not"):
        directory.claim(OF)


def a_file(path: Path) -> Path:
    path.write_text("x")
    return path


def not_empty(path: Path) -> Path:
    path.mkdir()
    a_file(path / "thesis.txt")
    return path


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (a_file, "is no directory"),
        (lambda path: a_file(path) / "below", "is no directory"),
        (not_empty, "is not empty, and holds no export"),
        (lambda _: Path("/proc/export"), r"cannot be written to \("),
    ],
)
def test_what_cannot_be_an_export_directory_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Any, problem: str
) -> None:
    path = make(tmp_path / "export")
    before = files(tmp_path)
    with pytest.raises(ConfigurationError, match=problem):
        ExportDirectory(path).__enter__()
    assert files(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        ExportDirectory(tmp_path).__enter__()
