"""docs/performance.md shows the figures of docs/performance/bench.json, and `make bench-report` puts them there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.__main__ import DOCUMENT, FIGURES, write
from benchmarks.report.document import BLOCKS, NOT_MEASURED, blocks, filled, found_blocks
from benchmarks.report.pictures import PICTURES
from benchmarks.report.reading import read_report
from deploy.local.errors import ServiceError
from tests.unit.benchmarks.reports import made_up_report

ROOT = Path(__file__).parents[3]
EMPTY = "\n".join(f"<!-- {name} (made by make bench-report) -->\nold\n<!-- /{name} -->\n" for name in BLOCKS)


def in_directory(directory: Path, report: dict[str, Any]) -> tuple[Path, Path]:
    """A run and a document that has no figures yet."""
    run, document = directory / "run.json", directory / "performance.md"
    run.write_text(json.dumps(report))
    document.write_text(EMPTY)
    return run, document


def test_the_document_shows_the_figures_beside_it() -> None:
    figures = ROOT / FIGURES
    report = read_report(figures) if figures.exists() else None
    assert found_blocks((ROOT / DOCUMENT).read_text()) == blocks(report), "run: make bench, then make bench-report"


def test_pictures_are_there_when_figures_are() -> None:
    directory = (ROOT / FIGURES).parent
    wanted = {f"{picture.name}.svg" for picture in PICTURES} if (ROOT / FIGURES).exists() else set()
    assert {path.name for path in directory.glob("*.svg")} == wanted


def test_without_a_run_every_block_says_so() -> None:
    assert blocks(None) == dict.fromkeys(BLOCKS, NOT_MEASURED)


def test_with_a_run_every_block_has_figures_and_every_picture_is_shown_once() -> None:
    made = blocks(made_up_report())
    assert set(made) == set(BLOCKS)
    assert NOT_MEASURED not in made.values()
    shown = re.findall(r"!\[[^]]+\]\(performance/([\w-]+)\.svg\)", "\n".join(made.values()))
    assert sorted(shown) == sorted(picture.name for picture in PICTURES)


def test_filling_changes_the_blocks_and_nothing_else() -> None:
    wanted = blocks(made_up_report())
    document = f"# Before\n\n{EMPTY}\nafter\n"
    once = filled(document, wanted)
    assert found_blocks(once) == wanted
    assert once.startswith("# Before\n\n<!-- machine")
    assert once.endswith("<!-- /sizing -->\n\nafter\n")
    assert filled(once, wanted) == once


def test_a_document_that_lacks_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="sizing"):
        filled("<!-- machine (made by make bench-report) -->\n<!-- /machine -->\n", blocks(None))


def test_rates_nobody_has_measured_are_marked_in_the_sizing() -> None:
    lines = blocks(made_up_report())["sizing"].splitlines()
    assert [line.split(" | ")[0] for line in lines[2:6]] == ["| 100", "| 1,000", "| 10,000 †", "| 100,000 †"]
    assert lines[-1].startswith("† beyond the 4,500 callbacks/s")


def test_a_run_becomes_document_figures_and_pictures(tmp_path: Path) -> None:
    run, document = in_directory(tmp_path, made_up_report())
    files = write(run, document)
    assert all(path.exists() for path in files)
    assert found_blocks(document.read_text()) == blocks(made_up_report())
    assert (tmp_path / "performance" / "bench.json").read_bytes() == run.read_bytes()
    for picture in PICTURES:
        text = (tmp_path / "performance" / f"{picture.name}.svg").read_text()
        assert f"<title>{picture.tells}</title>" in text
        assert "2 cores, Linux x86_64" in text


def test_equal_figures_give_equal_files(tmp_path: Path) -> None:
    run, document = in_directory(tmp_path, made_up_report())
    first = [path.read_bytes() for path in write(run, document)]
    assert [path.read_bytes() for path in write(run, document)] == first


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "run `make bench` first"),
        ('{"machine": ', "no JSON"),
        ("[]", "no report"),
        ("{}", "no report"),
        (json.dumps(made_up_report() | {"quick": True}), "quick run"),
        (
            json.dumps({name: part for name, part in made_up_report().items() if name != "growth"}),
            "no figures of growth",
        ),
        (json.dumps(made_up_report() | {"end_to_end": {}}), "another version"),
    ],
)
def test_what_is_no_whole_run_changes_nothing(tmp_path: Path, content: str | None, complaint: str) -> None:
    run, document = in_directory(tmp_path, {})
    run.unlink() if content is None else run.write_text(content)
    with pytest.raises(ServiceError, match=complaint):
        write(run, document)
    assert document.read_text() == EMPTY
    assert not (tmp_path / "performance").exists()
