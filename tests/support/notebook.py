"""Run the notebook of docs/: `python -m tests.support.notebook` runs it on a year of history and stores what it shows.

That takes a few minutes, and services of its own. A stored notebook tells which code its outputs are of.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from deploy.local.postgres import LocalPostgres
from deploy.local.workspace import Workspace
from runtime.migrations import migrate
from tests.support.exporting import export, fill

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "five-questions.ipynb"
RAN = "code_that_ran"

_DAYS = 365
_EVENTS = 100_000
_CELL_SECONDS = 120


def code(notebook: NotebookNode) -> str:
    """Return a digest of the code of a notebook."""
    cells = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(cells.encode()).hexdigest()


def read() -> NotebookNode:
    """Return the notebook as it is stored."""
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    return notebook


async def execute(environment: Mapping[str, str], scratch: Path) -> NotebookNode:
    """Return the notebook with what its code shows now. Raises CellExecutionError if a cell fails.

    What a kernel writes for itself goes to `scratch`.
    """
    notebook = read()
    places = {"IPYTHONDIR": "ipython", "JUPYTER_RUNTIME_DIR": "jupyter", "MPLCONFIGDIR": "matplotlib"}
    env = {**os.environ, **environment, **{name: str(scratch / place) for name, place in places.items()}}
    env["PYTHONFAULTHANDLER"] = "1"  # a kernel that crashes tells where
    client = NotebookClient(notebook, timeout=_CELL_SECONDS, kernel_name="python3", record_timing=False)
    kernel = client.create_kernel_manager()
    kernel.transport, kernel.ip = "ipc", str(scratch / "kernel")  # sockets in a directory of ours, no ports
    await client.async_execute(env=env, cwd=str(scratch))
    return notebook


async def store(scratch: Path, server: LocalPostgres) -> None:
    """Run the notebook on a year of history, and store it."""
    url = server.create_database("notebook")
    await migrate(url)
    await fill(url, _DAYS, _EVENTS)
    await export(url, scratch / "export")
    notebook = await execute({"DATABASE_URL": url, "EXPORT_DIRECTORY": str(scratch / "export")}, scratch)
    notebook.metadata[RAN] = code(notebook)
    nbformat.write(notebook, NOTEBOOK)  # type: ignore[no-untyped-call]  # it has no types


if __name__ == "__main__":
    with Workspace() as workspace, tempfile.TemporaryDirectory() as directory:
        postgres = LocalPostgres(workspace, durable=False)
        postgres.start()
        try:
            asyncio.run(store(Path(directory), postgres))
        finally:
            postgres.stop()
