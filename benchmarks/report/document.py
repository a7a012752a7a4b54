"""The generated blocks of docs/performance.md: tables and pictures of one report. Pure.

A block is what is between the comments `<!-- NAME (made by make bench-report) -->` and `<!-- /NAME -->`.
"""

import re
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from benchmarks.figures import PARTS, machine_line, reach_table, settings_line, tables
from benchmarks.figures.text import NONE, Table, tenths, whole
from benchmarks.report.pictures import DIRECTORY, PICTURES
from benchmarks.report.sizing import RATES, Costs, Plan, costs, plan

BLOCKS = ("machine", "reach", *PARTS, "sizing")
NOT_MEASURED = "*No figures yet: run `make bench`, then `make bench-report`.*"
_BLOCK = re.compile(r"(<!-- (\w+) \(made by make bench-report\) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
_GIGABYTE = 1e9
_BEYOND = " †"


def blocks(report: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what each block has to hold; without a report, that there is none."""
    if report is None:
        return dict.fromkeys(BLOCKS, NOT_MEASURED)
    return {
        "machine": f"{machine_line(report)}. {settings_line(report)}. [All figures]({DIRECTORY}/bench.json).",
        "reach": markdown(reach_table(report)),
        **{name: "\n\n".join(_part(name, made)) for name, made in tables(report).items() if name in PARTS},
        "sizing": _sizing(costs(report)),
    }


def found_blocks(document: str) -> dict[str, str]:
    """Return the blocks that a document has."""
    return {
        match[2]: match[0].removeprefix(match[1]).removesuffix(match[3]).strip() for match in _BLOCK.finditer(document)
    }


def filled(document: str, wanted: Mapping[str, str]) -> str:
    """Return the document with these blocks in it. Raises ValueError unless it has all of them and no others."""
    if set(found := found_blocks(document)) != set(wanted):
        raise ValueError(f"the document's blocks are {sorted(found)}, which should be {sorted(wanted)}")
    return _BLOCK.sub(lambda match: f"{match[1]}{wanted[match[2]]}\n{match[3]}", document)


def markdown(table: Table) -> str:
    """Return a table in Markdown, without its title."""
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.head, rule, *table.rows))


def _part(name: str, made: list[Table]) -> Iterator[str]:
    for picture in PICTURES:
        if picture.block == name:
            yield f"![{picture.tells}]({DIRECTORY}/{picture.name}.svg)"
    for table in made:
        yield f"**{table.title}**"
        yield markdown(table)


def _sizing(measured: Costs) -> str:
    plans = [plan(measured, rate) for rate in RATES]
    head = (
        *("callbacks/s", "ingest processes", "apply processes", "queues"),
        *(f"cores: {part}" for part in ("ingest", "apply", "RabbitMQ", "PostgreSQL")),
        *("tables, GB a day", "WAL, GB a day"),
    )
    table = Table("Sizing", head, tuple(map(_row, plans)))
    note = f"{_BEYOND.strip()} beyond the {whole(measured.proven)} callbacks/s of the measured machine: multiplied."
    return f"{markdown(table)}\n\n{note}"


def _row(planned: Plan) -> tuple[str, ...]:
    cores = (planned.ingest_cores, planned.apply_cores, planned.broker_cores, planned.postgres_cores)
    return (
        f"{whole(planned.rate)}{_BEYOND if planned.extrapolated else ''}",
        *map(whole, (planned.ingest_processes, planned.apply_processes, planned.queues)),
        *(tenths(None if each is None else _rounded_up(each)) for each in cores),
        _gigabytes(planned.table_bytes_a_day),
        _gigabytes(planned.wal_bytes_a_day),
    )


def _rounded_up(cores: float) -> float:
    return ceil(round(cores * 10, 6)) / 10


def _gigabytes(size: float | None) -> str:
    return NONE if size is None else tenths(size / _GIGABYTE) if size < 100 * _GIGABYTE else whole(size / _GIGABYTE)
