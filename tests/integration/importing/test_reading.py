"""What is read of files, on disk: encodings, delimiters, quotes, lines."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli.persons.importing.columns import ColumnMap, Empty, Unmapped
from cli.persons.importing.lines import MAX_RECORD_CHARACTERS, check_encoding_name
from cli.persons.importing.options import Format, Options
from cli.persons.importing.reading import begin_reading
from cli.persons.importing.rows import Row
from cli.persons.importing.source import open_source
from schemas.errors import ConfigurationError, MessageError

HEADER = "external_person_id,custom_fields.a"


def options_for(file: str, **given: Any) -> Options:
    values: dict[str, Any] = {
        "format": Format.NDJSON if "json" in file else Format.CSV,
        "delimiter": None,
        "columns": ColumnMap(),
        "empty": Empty.KEEP,
        "report": None,
        "state": None,
        "restart": False,
        "dry_run": False,
        "bulk": True,
        "rate": None,
        "patience": 1,
    }
    encoding = check_encoding_name(given.pop("encoding", "utf-8"))
    return Options(file=file, encoding=encoding, **{**values, **given})


def rows_of(path: Path, content: str | bytes, **given: Any) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = options_for(str(path), **given)
    with open_source(str(path), options.encoding) as source:
        return list(begin_reading(source, options).rows)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "crm.csv"


def refused(rows: list[Row]) -> list[tuple[int, int, str]]:
    return [(row.number, row.line, row.content.reason) for row in rows if isinstance(row.content, MessageError)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out_by_the_header(file: Path, delimiter: str) -> None:
    cells = ["external_person_id", "mdn", '"custom_fields.a,b;c"']
    [row] = rows_of(file, delimiter.join(cells) + "\n" + delimiter.join(["c1", "", '"x;,|\ty"']))
    assert row.content == ["c1", "", "x;,|\ty"]


def test_a_header_without_a_delimiter_is_one_column(file: Path) -> None:
    assert [row.content for row in rows_of(file, "external_person_id\nc1\n")] == [["c1"]]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "UTF8"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp037", "cp037"),
    ],
)
def test_any_encoding_is_read_with_or_without_a_byte_order_mark(file: Path, written: str, named: str) -> None:
    [row] = rows_of(file, f"{HEADER}\nc1,Zoë\n".encode(written), encoding=named)
    assert row.content == ["c1", "Zoë"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_ends_a_row_and_stays_as_it_is_in_quotes(file: Path, end: str) -> None:
    first, second = rows_of(file, f'{HEADER}{end}c1,"x{end}y"{end}{end}c2,z')
    assert (first.content, first.number, first.line) == (["c1", f"x{end}y"], 1, 2)
    assert (second.content, second.number, second.line) == (["c2", "z"], 2, 5)


def test_a_row_that_cannot_be_decoded_is_refused_with_its_lines_and_the_next_one_is_read(file: Path) -> None:
    rows = rows_of(file, HEADER.encode() + b'\nc1,x\nc2,"a\nZo\xeb\n"\nc3,y\n')
    assert refused(rows) == [(2, 3, "wrong_encoding")]
    assert rows[1].content.detail == "line 4 is not utf-8"
    assert rows[2].content == ["c3", "y"]


@pytest.mark.parametrize("broken", ['c1,"x', 'c1,"x"y"', 'c1,"a,b\n'])
def test_broken_quotes_refuse_the_row_they_are_in_and_no_other(file: Path, broken: str) -> None:
    rows = rows_of(file, f'{HEADER}\nc0,x\n{broken}\nc2,"quoted"\nc3,z\n')
    assert refused(rows) == [(2, 3, "broken_csv")]
    assert [row.content[0] for row in rows if isinstance(row.content, list)] == ["c0", "c2", "c3"]


def test_a_quote_not_closed_before_a_very_long_rest_refuses_one_row_too(file: Path) -> None:
    rest = [f"c{number},{'x' * 100}" for number in range(2, 20_000)]
    rows = rows_of(file, "\n".join([HEADER, 'c1,"x', *rest]))
    assert refused(rows) == [(1, 2, "broken_csv")]
    assert len(rows) == 19_999
    assert rows[-1].line == 20_000


def test_a_line_too_long_is_refused_without_being_held_and_the_next_one_is_read(file: Path) -> None:
    rows = rows_of(file, f"{HEADER}\nc1,{'x' * 3 * MAX_RECORD_CHARACTERS}\nc2,y\n")
    assert refused(rows) == [(1, 2, "too_large")]
    assert rows[1].content == ["c2", "y"]
    assert rows[1].line == 3


def test_a_cell_too_long_for_csv_is_refused(file: Path) -> None:
    rows = rows_of(file, f"{HEADER}\nc1,{'x' * 200_000}\nc2,y\n")
    assert refused(rows) == [(1, 2, "broken_csv")]


def test_each_line_of_ndjson_is_a_row_blank_ones_are_none(tmp_path: Path) -> None:
    content = (
        b'\xef\xbb\xbf{"external_person_id": "c1"}\r\n\n17\n{"a"\n"\xff"\n'
        + b'"'
        + b"x" * 3 * MAX_RECORD_CHARACTERS
        + b'"\nnull'
    )
    rows = rows_of(tmp_path / "crm.ndjson", content)
    assert rows[0].content == {"external_person_id": "c1"}
    assert refused(rows) == [(3, 4, "not_json"), (4, 5, "wrong_encoding"), (5, 6, "too_large")]
    assert (rows[1].content, rows[5].content, rows[5].line) == (17, None, 7)


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    [row] = rows_of(tmp_path / "crm.csv.gz", gzip.compress(f"{HEADER}\nc1,x\n".encode()))
    assert row.content == ["c1", "x"]


def test_reading_it_again_gives_the_same_numbers(file: Path) -> None:
    content = f'{HEADER}\nc1,"x\n\nc2,"y"\n,,,\nc3,"z\n"\n'
    assert [(row.number, row.line) for row in rows_of(file, content)] == [
        (row.number, row.line) for row in rows_of(file, content)
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "empty, there is nothing to import"),
        ("a.csv", b"\n \r\n", "empty, there is nothing to import"),
        ("a.ndjson", b"\n", "empty, there is nothing to import"),
        ("a.csv.gz", b"", "empty, there is nothing to import"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.csv", "external_person_id\n".encode("utf-16"), "is UTF-16, by its first bytes; add --encoding utf-16"),
        ("a.csv", b"external_person_id,Stra\xdfe\n", "line 1 is not utf-8; --encoding names another"),
        ("a.csv", b'external_person_id,"Street\n', "line 1: cannot be read as a header"),
        ("a.csv", b"external_person_id;Phone;City\n", "columns that are no field: Phone, City; map them"),
        ("a.ndjson", json.dumps([{"external_person_id": "c1"}]).encode(), "the file is a JSON array"),
    ],
)
def test_a_file_that_cannot_be_begun_is_told_by_name(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        rows_of(tmp_path / name, content)
    assert str(told.value).startswith(f"{tmp_path / name}: ")
    assert problem in str(told.value)


def test_columns_that_are_no_field_are_no_obstacle_to_a_dry_run_or_when_ignored(file: Path) -> None:
    for given in ({"dry_run": True}, {"columns": ColumnMap({}, Unmapped.IGNORE)}):
        assert len(rows_of(file, "external_person_id,City\nc1,Rome\n", **given)) == 1
