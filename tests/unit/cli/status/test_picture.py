"""The picture of `status --watch` in the documentation shows what the command shows."""

import re
from html import unescape

import pytest

from cli.status.figures import FIGURES
from tests.support.status_picture import COMPANIES, PICTURE

REDRAW = "run: python -m tests.support.status_picture"


@pytest.fixture
def words() -> str:
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", PICTURE.read_text(encoding="utf-8"))
    return unescape(" ".join(texts)).replace("\xa0", " ")


def test_it_has_every_column(words: str) -> None:
    for part, figures in FIGURES.items():
        for head in (part, *(figure.head for figure in figures)):
            assert re.search(rf"(?<!\S){re.escape(head)}(?!\S)", words), f"{head} is missing; {REDRAW}"


def test_it_is_of_a_run_with_something_to_see(words: str) -> None:
    assert all(company in words for company in COMPANIES)
    assert "vibes.apply.0" in words


def test_it_fetches_nothing_from_elsewhere() -> None:
    assert set(re.findall(r"https?://[^\s\"]+", PICTURE.read_text(encoding="utf-8"))) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }
