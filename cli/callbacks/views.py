"""How registrations and plans are shown: tables for people, JSON for programs. Keys of URLs are masked in both."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.callbacks.sync import Proposal, Result
from cli.callbacks.urls import key_hash, mask_url
from cli.registrations import Action, Step
from vibes_api import JsonObject, Registration

_FILE_WIDTH = 200
_NOT_IN_FILE = "not in the file"


def as_json(value: object) -> str:
    """Return a value as JSON for a person to read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def registration_json(registration: Registration) -> dict[str, Any]:
    """Return a registration with its URL masked; `key_sha256` is what the companies file has for the key."""
    return {
        "callback_id": registration.callback_id,
        "callback_type": registration.callback_type,
        "parameters": dict(registration.parameters),
        "url": mask_url(registration.destination_url),
        "key_sha256": key_hash(registration.destination_url),
        "method": registration.method,
        "content_type": registration.content_type,
        "start_date": registration.start_date,
        "end_date": registration.end_date,
    }


def print_registrations(registrations: Sequence[Registration]) -> None:
    """Print registrations as a table."""
    if not registrations:
        print("no callback is registered")
        return
    columns = ("id", "type", "parameters", "url", "method", "content type", "from", "until")
    rows = (
        (
            each.callback_id,
            each.callback_type,
            _parameters(each.parameters),
            mask_url(each.destination_url),
            each.method,
            each.content_type,
            each.start_date,
            each.end_date,
        )
        for each in registrations
    )
    _print_table("Callback registrations", columns, rows)


def plan_json(proposal: Proposal, results: Sequence[Result] | None) -> dict[str, Any]:
    """Return a plan, and what became of each step once it was carried out (`results` is None before)."""
    problems = {id(result.step): result.problem for result in results or ()}
    return {
        "company_key": proposal.company_key,
        "applied": results is not None,
        "ok": not proposal.dead and not any(problems.values()),
        "steps": [
            {
                "action": step.action,
                "callback_id": step.present and step.present.callback_id,
                "callback_type": _type(step),
                "parameters": dict(_parameters_of(step)),
                "url": _url(step),
                "changes": list(step.changes),
                "in_file": step.wanted is not None,
                "note": _note(proposal, step),
                "problem": problems.get(id(step)),
            }
            for step in proposal.steps
        ],
    }


def print_plan(proposal: Proposal) -> None:
    """Print a plan as a table, with what it comes to."""
    columns = ("action", "id", "type", "parameters", "url", "note")
    rows = (
        (
            step.action.upper() if step.action is not Action.KEEP else step.action,
            step.present and step.present.callback_id,
            _type(step),
            _parameters(_parameters_of(step)),
            _url(step),
            _note(proposal, step),
        )
        for step in proposal.steps
    )
    _print_table(f"Callback registrations of {proposal.company_key}", columns, rows)
    counts = {action: sum(step.action is action for step in proposal.steps) for action in Action}
    print(", ".join(f"{count} to {action}" for action, count in counts.items()))


def describe(step: Step) -> str:
    """Return a step in one line."""
    return " ".join(filter(None, (step.action, _type(step), _parameters(_parameters_of(step)), "->", _url(step))))


def _note(proposal: Proposal, step: Step) -> str:
    notes = []
    if step.wanted is None:
        notes.append(_NOT_IN_FILE if step.action is Action.CANCEL else f"{_NOT_IN_FILE}; --prune cancels it")
    elif step.present is not None:
        was = {
            "url": mask_url(step.present.destination_url),
            "method": step.present.method,
            "content_type": step.present.content_type,
            "parameters": _parameters(step.present.parameters) or "none",
        }
        notes += [f"{name} was {was[name]}" for name in step.changes]
    if step.present is not None and step.present.end_date and step.action is not Action.CANCEL:
        notes.append(f"ends {step.present.end_date}")
    if step.wanted is not None:
        probe = proposal.probes.get(step.wanted.url) if step.begins else None
        notes += [f"the endpoint {probe.said}" if probe.live else f"NOT LIVE: {probe.said}"] if probe else []
        if step.wanted.url in proposal.unknown_keys:
            notes.append("its key is not in the companies file")
    return "; ".join(notes)


def _type(step: Step) -> str | None:
    if step.wanted is not None:
        return step.wanted.callback_type
    return step.present.callback_type if step.present else None


def _parameters_of(step: Step) -> JsonObject:
    source = step.wanted or step.present
    return (source and source.parameters) or {}


def _url(step: Step) -> str:
    if step.wanted is not None:
        return mask_url(step.wanted.url)
    return mask_url(step.present.destination_url if step.present else None)


def _parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def _print_table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Print a table, as wide as it takes where there is no terminal, so that nothing is cut off in a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, because what Vibes sends is not markup.
        table.add_row(*(Text("-" if cell in (None, "") else str(cell)) for cell in row))
    console.print(table)
