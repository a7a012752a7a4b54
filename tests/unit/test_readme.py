"""What README and documents say of the code is held against the code: settings, answers, commands, links, names."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
from prometheus_client import Metric
from pydantic import BaseModel
from typer.core import TyperGroup

from cli.main import app
from ingest import answers
from runtime.companies import Company, CrmToken, CustomField, Endpoint, Sync
from runtime.metrics import REGISTRY
from runtime.settings import PREFIX, environment_names
from tests.support.settings_table import settings_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGES = ("schemas", "runtime", "vibes_api", "ingest", "workers", "simulator", "cli", "deploy", "tests")

_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def part(name: str) -> str:
    """The lines of the README between `<!-- name... -->` and `<!-- /name -->`."""
    found = re.search(rf"<!-- {name}\b.*?-->\n(.*?)\n?<!-- /{name} -->", README, re.DOTALL)
    assert found, f"the README has no part {name}"
    return found[1]


def cells(table: str) -> list[list[str]]:
    """The rows of a Markdown table, without its head."""
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def code(text: str) -> Iterator[str]:
    """The code spans and code blocks of a document."""
    return (found[0] for found in _CODE.finditer(text))


def anchors(document: Path) -> set[str]:
    """The anchors GitHub gives the headings of a document."""
    headings = _HEADING.findall(_CODE.sub(lambda span: span[0].strip("`\n"), document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> dict[str, set[str]]:
    """Each command of `vibes-pipeline`, with its options; one that has commands of its own has theirs too."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {
        name: {
            option
            for part in (command, *(command.commands.values() if isinstance(command, TyperGroup) else ()))
            for param in part.params
            for option in param.opts
        }
        for name, command in found.items()
        if command is not None
    }


def metric_names(metric: Metric) -> set[str]:
    """How a metric may be called: by its name, or by that of one of its samples."""
    return {metric.name, *(f"{metric.name}_{suffix}" for suffix in ("total", "bucket", "count", "sum"))}


def test_the_settings_table_is_that_of_the_code() -> None:
    assert part("settings") == settings_table(), "put in: python -m tests.support.settings_table"


def test_the_answer_table_has_every_answer_of_ingest() -> None:
    refusals = [value for value in vars(answers).values() if isinstance(value, answers.Refusal)]
    expected = {("202", "accepted"), *((str(refusal.status), refusal.reason) for refusal in refusals)}
    told = [(status, reason) for status, reason, *_ in cells(part("answers"))]
    assert (set(told), len(told)) == (expected, len(expected))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("companies", Company),
        ("endpoints", Endpoint),
        ("crm_tokens", CrmToken),
        ("sync", Sync),
        ("custom_fields", CustomField),
    ],
)
def test_the_companies_file_is_told_completely(name: str, model: type[BaseModel]) -> None:
    told = {setting: default == "required" for setting, default, _ in cells(part(name))}
    assert told == {field: info.is_required() for field, info in model.model_fields.items()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
class TestDocument:
    def test_commands_and_their_options_exist(self, document: Path) -> None:
        known = commands()
        lines = (line for text in code(document.read_text()) for line in text.splitlines())
        for line in lines:
            for found in re.finditer(r"\bvibes-pipeline ([a-z][a-z-]*)([^|&;]*)", line):
                command, rest = found.groups()
                assert command in known, line
                assert set(_OPTION.findall(rest)) <= known[command], line

    def test_make_targets_exist(self, document: Path) -> None:
        targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        mentioned = {name for text in code(document.read_text()) for name in re.findall(r"\bmake ([a-z][\w-]*)", text)}
        assert mentioned <= targets

    def test_relative_links_lead_somewhere(self, document: Path) -> None:
        for link in _LINK.findall(_CODE.sub("", document.read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (document.parent / path).resolve() if path else document
            assert target.exists(), link
            assert target.is_relative_to(ROOT), link
            assert not anchor or anchor in anchors(target), link

    def test_files_it_names_exist(self, document: Path) -> None:
        modules = {path.name for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
        for span in (text.strip("`") for text in code(document.read_text()) if "\n" not in text):
            if re.fullmatch(rf"(?:{'|'.join(PACKAGES)})/[\w./-]*", span):
                assert (ROOT / span).exists(), span
            elif re.fullmatch(r"\w+\.py", span):
                assert span in modules, span

    def test_variables_and_metrics_it_names_exist(self, document: Path) -> None:
        metrics = {name for metric in REGISTRY.collect() for name in metric_names(metric)}
        for text in code(document.read_text()):
            variables = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", text))
            assert variables <= set(environment_names()), text
            named = set(re.findall(r"\bvibes_(?:ingest|apply|person_sync|person_api|broker)_\w+", text))
            assert named <= metrics, text
