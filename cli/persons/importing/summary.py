"""What came of an import: tables for people, JSON for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cli.persons.importing.judging import Refusal
from cli.printing import as_json, print_table
from runtime.companies import Company


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One refused row, without what is in it."""

    row: int
    line: int
    reason: str
    detail: str

    @classmethod
    def of(cls, refusal: Refusal) -> "Example":
        """Return the example a refusal is."""
        return cls(row=refusal.row, line=refusal.line, reason=refusal.reason, detail=refusal.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUse:
    """One custom field of the file."""

    name: str
    """As the file has it."""
    vibes_name: str | None
    """As Vibes gets it; None: it does not, by the company's sync policy."""
    kind: str
    rows: int
    """That tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of an import. Numbers of rows are those of the whole file, as far as it was read."""

    company_key: str
    file: str
    dry_run: bool
    completed: bool
    """False: it was stopped, or the broker did not take it all."""
    rows: int
    accepted: int
    refused: Mapping[str, int]
    """By reason."""
    duplicates: int
    """Accepted rows about a person an earlier row is about."""
    first_duplicates: tuple[int, ...]
    confirmed_row: int
    """The broker has this row and all before it."""
    resumed_after_row: int
    """Of an import that was carried on; else 0."""
    messages: int
    """Published by this run."""
    seconds: float
    """Of this run."""
    report: str | None
    """File of the refused rows, if there are any."""
    unmapped_columns: tuple[str, ...]
    """Columns that are no field."""
    columns_to_map: bool
    """Whether an import has to be told about them: a dry run goes on without."""
    custom_fields: tuple[FieldUse, ...]
    examples: tuple[Example, ...]

    @property
    def refused_rows(self) -> int:
        """How many rows were refused."""
        return sum(self.refused.values())


def field_use(company: Company, name: str, rows: int) -> FieldUse:
    """Return what becomes of a custom field by the company's sync policy."""
    policy = company.sync
    mapped = policy.custom_fields.get(name)
    ignored = mapped is None and policy.unmapped_custom_fields == "ignore"
    vibes_name = None if ignored else (mapped and mapped.field) or name
    return FieldUse(name=name, vibes_name=vibes_name, kind=policy.type_of(name), rows=rows)


def summary_json(summary: Summary) -> str:
    """Return the summary as one JSON object."""
    return as_json({**asdict(summary), "refused_rows": summary.refused_rows})


def print_summary(summary: Summary) -> None:
    """Print the summary."""
    print_table("Dry run" if summary.dry_run else "Import", ("what", "value"), _numbers(summary))
    if summary.dry_run:
        _print_details(summary)
    for line in _notes(summary):
        print(line)


def _numbers(summary: Summary) -> list[tuple[str, object]]:
    numbers: list[tuple[str, object]] = [("company", summary.company_key), ("file", summary.file)]
    numbers += [("rows", summary.rows), ("accepted", summary.accepted)]
    numbers += [(f"refused: {reason}", count) for reason, count in sorted(summary.refused.items())]
    numbers.append(("duplicates", summary.duplicates))
    if not summary.dry_run:
        numbers += [("messages (chunks)", summary.messages), ("confirmed up to row", summary.confirmed_row)]
    rate = f"{summary.rows / summary.seconds:,.0f}" if summary.seconds else "-"
    return [*numbers, ("seconds", f"{summary.seconds:.1f}"), ("rows read a second", rate)]


def _print_details(summary: Summary) -> None:
    if summary.custom_fields:
        print_table(
            "Custom fields",
            ("field", "at Vibes", "kind", "rows"),
            [(each.name, each.vibes_name or "(not sent)", each.kind, each.rows) for each in summary.custom_fields],
        )
    if summary.examples:
        print_table(
            "First refused rows",
            ("row", "line", "reason", "detail"),
            [(each.row, each.line, each.reason, each.detail) for each in summary.examples],
        )


def _notes(summary: Summary) -> list[str]:
    notes = []
    if summary.unmapped_columns:
        how = "map or ignore them (--help says how)" if summary.columns_to_map else "ignored"
        notes.append(f"columns that are no field: {', '.join(summary.unmapped_columns)}; {how}")
    if summary.duplicates:
        first = ", ".join(map(str, summary.first_duplicates))
        more = " and others" if summary.duplicates > len(summary.first_duplicates) else ""
        notes.append(
            f"duplicates: rows {first}{more} are about persons of earlier rows; of each field the latest updated_at "
            "wins, without updated_at the last row"
        )
    if "wrong_encoding" in summary.refused:
        notes.append("wrong_encoding: if the whole file is in another encoding, name it: --encoding cp1252 --restart")
    if summary.resumed_after_row:
        notes.append(f"carried on after row {summary.resumed_after_row}, which an earlier run had confirmed")
    if summary.report:
        notes.append(f"refused rows, with their reasons, are in {summary.report}")
    if summary.dry_run:
        notes.append("nothing was published: a dry run")
    elif summary.completed:
        notes.append("imported; `vibes-pipeline status` shows what waits and what becomes of it")
    return notes
