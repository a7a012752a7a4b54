"""The figures of a report that people are shown."""

import io

import pytest
from rich.console import Console

from benchmarks.figures import ELSEWHERE, PARTS, reach_table, tables
from benchmarks.figures.text import Table
from benchmarks.suite import BENCHMARKS
from benchmarks.table import print_tables
from tests.unit.benchmarks.reports import made_up_report


def rows(table: Table) -> dict[str, tuple[str, ...]]:
    """The rows of a table by their first cell."""
    return {row[0]: row[1:] for row in table.rows}


def printed(report: dict[str, object]) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_tables(console, report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_benchmark_has_its_tables() -> None:
    assert {*PARTS, *ELSEWHERE} == set(BENCHMARKS)
    assert all(tables(made_up_report())[name] for name in BENCHMARKS)


def test_every_row_is_as_wide_as_its_head() -> None:
    made = [table for part in tables(made_up_report()).values() for table in part]
    for table in (*made, reach_table(made_up_report())):
        assert {len(row) for row in table.rows} == {len(table.head)}, table.title


def test_contestants_come_with_their_rate_and_the_spread_of_their_rounds() -> None:
    ingest, *_ = tables(made_up_report())["ingest"]
    assert rows(ingest)["ours"][:2] == ("16,000", "15,500 to 17,000")
    assert rows(ingest)["ours, 2 processes"][:2] == ("18,000", "17,500 to 19,000")
    assert [row[0] for row in ingest.rows][:4] == ["floor", "a message each", "FastStream", "ours"]


def test_spreads_may_be_given_by_name_or_as_a_pair() -> None:
    end_to_end, _ = tables(made_up_report())["end_to_end"]
    assert rows(end_to_end)["ours"] == ("4,500", "4,400 to 4,600")


def test_another_rival_gets_a_row_of_its_own() -> None:
    report = made_up_report()
    report["apply"] |= {"faststream_one_statement": 1_900}
    report["apply"]["spread"] |= {"faststream_one_statement": {"least": 1_800, "most": 2_000}}
    apply, _ = tables(report)["apply"]
    assert rows(apply)["FastStream, one statement"] == ("1,900", "1,800 to 2,000")


def test_what_could_not_be_measured_is_a_dash() -> None:
    report = made_up_report()
    report["apply"]["cpu_us_per_event"]["postgres"] = None
    _, costs = tables(report)["apply"]
    assert costs.rows == (("100.0", "-", "10.0"),)


@pytest.mark.parametrize("name", PARTS)
def test_a_run_of_one_benchmark_shows_that_one(name: str) -> None:
    whole = made_up_report()
    text = printed({"machine": whole["machine"], "quick": False, name: whole[name]})
    (shown,) = tables({name: whole[name]}).values()
    assert all(table.title in text for table in shown)
    assert "quick" not in text


def test_aims_say_yes_no_or_nothing() -> None:
    report = made_up_report()
    report["apply"]["faststream"] = 1_000
    told = rows(reach_table(report))
    assert told["apply, ours / FastStream"] == ("8", "at least 10", "no")
    assert told["apply, ours / ceiling"] == ("0.8", "at least 0.75", "yes")
    assert told["apply, 2 processes / 1"] == ("1.25", "reported", "-")


def test_a_quick_run_is_called_one() -> None:
    assert "a quick run" in printed(made_up_report() | {"quick": True})
