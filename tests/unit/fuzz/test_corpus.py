"""Inputs that failed once, or might: each is a file, in a directory named for the check it goes through.

Those in `requests/` are sent to a real ingest by tests/integration/fuzz.
"""

from pathlib import Path

import pytest

from tests.chaos.abuse.properties import CHECKS, bounded

CORPUS = Path(__file__).parents[2] / "fuzz_corpus"
CASES = [(kind, path) for kind in CHECKS for path in sorted((CORPUS / kind).iterdir())]


@pytest.mark.parametrize(("kind", "path"), CASES, ids=[f"{kind}/{path.name}" for kind, path in CASES])
def test_what_failed_once_fails_no_more(kind: str, path: Path) -> None:
    with bounded():
        CHECKS[kind](path.read_bytes())


def test_every_check_has_cases() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {*CHECKS, "requests"}
