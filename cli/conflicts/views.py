"""How conflicts are shown: tables for people, JSON for programs. Numbers and Vibes' words are masked in both."""

from collections.abc import Callable, Sequence
from typing import Any

from cli.conflicts.advice import TITLES
from cli.conflicts.decisions import Outcome
from cli.conflicts.findings import BOUND, ITSELF, WITH_EXTERNAL_ID, WITH_NUMBER, Candidate, Findings
from cli.conflicts.kinds import kind_of
from cli.conflicts.naming import label
from cli.masking import mask_mdn, mask_value
from cli.persons.lookup import Row
from cli.persons.views import CALL_COLUMNS, call_cells, masked_row
from cli.printing import moment, print_table, shown

_CUSTOM_FIELD = "custom_fields."
_ROLES = {
    BOUND: "(was written to)",
    WITH_EXTERNAL_ID: "(has the external id)",
    WITH_NUMBER: "(has the number)",
    ITSELF: "(to be read)",
}


def list_json(rows: Sequence[Row], *, unmasked: bool) -> dict[str, Any]:
    """Return the list of conflicts; `total` counts those beyond the limit too."""
    return {"total": rows[0]["total"] if rows else 0, "conflicts": [_listed(row, unmasked=unmasked) for row in rows]}


def print_list(rows: Sequence[Row], *, unmasked: bool) -> None:
    """Print the list of conflicts."""
    if not rows:
        print("no conflicts")
        return
    columns = ("company", "external id or uid", "what", "status", "since (UTC)", "calls", "Vibes says")
    print_table("Conflicts", columns, (_cells(row, unmasked=unmasked) for row in rows))
    total = rows[0]["total"]
    if total > len(rows):
        print(f"the newest {len(rows)} of {total}; --limit shows more")


def findings_json(findings: Findings, company_key: str, *, unmasked: bool) -> dict[str, Any]:
    """Return all that is known about a conflict."""
    mask = _mask(unmasked=unmasked)
    advice = findings.advice
    return {
        "company_key": company_key,
        "conflict": mask(findings.sync),
        "crm": findings.record and mask(findings.record),
        "persons": [
            {
                **mask(each.person),
                "roles": list(each.roles),
                "differs": {
                    difference.name: {
                        "crm": _value(difference.name, difference.wanted, unmasked=unmasked),
                        "vibes": _value(difference.name, difference.held, unmasked=unmasked),
                    }
                    for difference in each.differences
                },
            }
            for each in findings.candidates
        ],
        "calls": list(findings.calls),
        "advice": {
            "kind": advice.kind,
            "title": advice.title,
            "meaning": advice.meaning,
            "steps": [{"do": step.text, "how": step.how} for step in advice.steps],
        },
    }


def print_findings(findings: Findings, *, unmasked: bool) -> None:
    """Print all that is known about a conflict, and what to do."""
    sync, advice = _mask(unmasked=unmasked)(findings.sync), findings.advice
    if sync["status"] != "conflict":
        print(f"this is no conflict now: its status is {sync['status']}\n")
    rows = [
        ("external id" if sync["external_person_id"] else "person", label(sync)),
        ("kind", advice.title),
        ("last error", sync["last_error"]),
        ("HTTP status", sync["last_status"]),
        ("call", sync["last_route"]),
        ("Vibes says", sync["last_message"]),
        ("since (UTC)", moment(sync["finished_at"])),
        ("resolution", sync["resolution"]),
    ]
    print_table("Conflict", ("what", "value"), [row for row in rows if row[1] is not None])
    if findings.record is not None or findings.candidates:
        _print_comparison(findings, unmasked=unmasked)
    if findings.calls:
        print_table("Last calls", CALL_COLUMNS, map(call_cells, findings.calls))
    print(f"\n{advice.meaning}\n\nWhat to do:")
    for step in advice.steps:
        print(f"- {step.text}{':' if step.how else ''}")
        if step.how:
            print(f"    {step.how}")


def outcomes_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return what became of each argument."""
    return [
        {"id": each.argument, "done": each.done, "changed": each.changed, "note": each.note or None}
        for each in outcomes
    ]


def _print_comparison(findings: Findings, *, unmasked: bool) -> None:
    """Print the CRM's record and the persons at Vibes side by side: who they are, and the fields that differ."""
    names = [difference.name for each in findings.candidates for difference in each.differences]
    if findings.record is not None and not findings.candidates:
        names = [_CUSTOM_FIELD + name for name in sorted(findings.record["custom_fields"])]
    fields = list(dict.fromkeys(("external_person_id", "mdn", *names)))
    headings = [
        "\n".join((f"Vibes: {each.id}", *(_ROLES[role] for role in each.roles))) for each in findings.candidates
    ]
    rows = []
    if findings.record is not None:
        headings.insert(0, "the CRM wants")
    for name in fields:
        cells = [_held(each, name, unmasked=unmasked) for each in findings.candidates]
        if findings.record is not None:
            cells.insert(0, _wanted(findings, name, unmasked=unmasked))
        rows.append((name, *cells))
    changed = [moment(each.person["vibes_updated_at"]) for each in findings.candidates]
    if findings.record is not None:
        changed.insert(0, moment(findings.record["updated_at"]))
    print_table("What differs (≠)", ("field", *headings), [*rows, ("changed (UTC)", *changed)])
    if not unmasked and any(each.name == "mdn" for candidate in findings.candidates for each in candidate.differences):
        print("--unmasked shows whole numbers")


def _wanted(findings: Findings, name: str, *, unmasked: bool) -> str:
    differences = [each for candidate in findings.candidates for each in candidate.differences if each.name == name]
    record = findings.record or {}
    told = record.get("custom_fields", {}).get(name.removeprefix(_CUSTOM_FIELD), record.get(name))
    value = differences[0].wanted if differences else told
    return "-" if value is None else shown(_value(name, value, unmasked=unmasked))


def _held(candidate: Candidate, name: str, *, unmasked: bool) -> str:
    difference = next((each for each in candidate.differences if each.name == name), None)
    if difference is None and name.startswith(_CUSTOM_FIELD):
        return "="
    value = difference.held if difference else candidate.person[name]
    text = "-" if value is None else shown(_value(name, value, unmasked=unmasked))
    return f"≠ {text}" if difference else text


def _listed(row: Row, *, unmasked: bool) -> Row:
    kind = kind_of(row["last_error"], row["last_status"], row["last_message"])
    listed = {name: value for name, value in row.items() if name not in ("total", "status")}
    return {**_mask(unmasked=unmasked)(listed), "kind": kind, "title": TITLES[kind]}


def _cells(row: Row, *, unmasked: bool) -> tuple[object, ...]:
    listed = _listed(row, unmasked=unmasked)
    what, since, message = listed["title"], moment(row["finished_at"]), listed["last_message"]
    return (row["company_key"], label(row), what, row["last_status"], since, row["calls"], message)


def _value(name: str, value: Any, *, unmasked: bool) -> Any:
    if unmasked or value is None or name == "external_person_id":
        return value
    return mask_mdn(value) if name == "mdn" else mask_value(value)


def _mask(*, unmasked: bool) -> Callable[[Row], Row]:
    return (lambda row: row) if unmasked else masked_row
