"""The notebook for analysts: its code runs on an export and a database, and what is stored is what that code showed."""

from pathlib import Path

from nbformat import NotebookNode

from tests.support import notebook
from tests.support.exporting import export

QUESTIONS = 5
MOST_BYTES = 250_000


def outputs(run: NotebookNode) -> list[NotebookNode]:
    return [output for cell in run.cells if cell.cell_type == "code" for output in cell.outputs]


def assert_that_all_questions_are_answered(run: NotebookNode) -> None:
    """A picture and a table each, and nothing that looks like a complaint."""
    shown = outputs(run)
    assert {output.output_type for output in shown} == {"display_data", "execute_result"}
    assert sum("image/png" in output.data for output in shown) > QUESTIONS
    assert sum("text/html" in output.data for output in shown) == QUESTIONS
    assert sum(cell.source.startswith("## ") for cell in run.cells if cell.cell_type == "markdown") == QUESTIONS


async def test_the_notebook_answers_its_questions_from_an_export_and_from_postgres(
    history_url: str, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    await export(history_url, files, "events", "subscription_stays", "participations", "list_growth")
    run = await notebook.execute({"DATABASE_URL": history_url, "EXPORT_DIRECTORY": str(files)}, tmp_path)
    assert_that_all_questions_are_answered(run)


def test_what_is_stored_is_small_and_of_the_code_that_is_stored() -> None:
    stored = notebook.read()
    assert stored.metadata.get(notebook.RAN) == notebook.code(stored), "run: python -m tests.support.notebook"
    assert_that_all_questions_are_answered(stored)
    assert notebook.NOTEBOOK.stat().st_size < MOST_BYTES
