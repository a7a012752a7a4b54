"""`python -m benchmarks.report`: pictures and figures of the last whole run, into docs/."""

import shutil
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.report.document import blocks, filled
from benchmarks.report.pictures import DIRECTORY, draw_all
from benchmarks.report.reading import read_report
from deploy.local.errors import ServiceError

RUN = Path(".run/bench.json")
DOCUMENT = Path("docs/performance.md")
FIGURES = DOCUMENT.parent / DIRECTORY / "bench.json"
"""The report that the document shows."""


def write(run: Path, document: Path) -> list[Path]:
    """Write pictures, figures and the document's blocks from a run; return the files.

    Raises ServiceError when the run is not fit for it; then nothing was changed.
    """
    report = read_report(run)
    try:
        text = filled(document.read_text(), blocks(report))
    except KeyError as error:
        raise ServiceError(f"{run} lacks {error}: it is of another version; run `make bench` again") from error
    directory = document.parent / DIRECTORY
    directory.mkdir(exist_ok=True)
    pictures = draw_all(report, directory)
    shutil.copyfile(run, directory / FIGURES.name)
    document.write_text(text)
    return [*pictures, directory / FIGURES.name, document]


def main() -> int:
    """Run in the repository's directory; return the exit code, 1 without a run to report."""
    try:
        for path in write(RUN, DOCUMENT):
            Console(highlight=False).print(f"written to {path}")
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
