"""How persons are shown: tables for people, JSON for programs. Numbers are masked in both."""

from typing import Any

from cli.masking import mask_mdn, mask_value, mask_words
from cli.persons.lookup import Row
from cli.printing import moment, print_facts, print_table, shown

_NUMBERS = ("mdn", "mdn_e164")
CALL_COLUMNS = ("called at (UTC)", "call", "status", "error", "attempt", "seconds")


def masked_row(row: Row) -> Row:
    """Return a row of the database with its numbers, custom fields and Vibes' words masked."""
    masked = dict(row)
    for name in _NUMBERS:
        if name in masked:
            masked[name] = mask_mdn(masked[name])
    if "custom_fields" in masked:
        masked["custom_fields"] = mask_value(masked["custom_fields"])
    if masked.get("last_message"):
        masked["last_message"] = mask_words(masked["last_message"])
    return masked


def call_cells(call: Row) -> tuple[object, ...]:
    """Return the cells of CALL_COLUMNS."""
    seconds = f"{call['latency_seconds']:.2f}"
    route = f"{call['method']} {call['route']}"
    return (moment(call["called_at"]), route, call["status"], call["error"], call["attempt"], seconds)


def print_dossier(dossier: dict[str, Any]) -> None:
    """Print all that is known about somebody, as `cli.persons.show` gathers it."""
    for person in dossier["persons"]:
        print_facts("Person at Vibes", {name: value for name, value in person.items() if name != "subscriptions"})
        _print_stays(person["subscriptions"])
    for record in dossier["crm"]:
        _print_record(record)
    _print_rest(dossier)


def _print_stays(stays: list[Row]) -> None:
    if not stays:
        print("no subscriptions are known\n")
        return
    columns = ("list", "subscribed", "since (UTC)", "until (UTC)", "reason", "campaign")
    rows = (
        (
            stay["list_id"],
            "yes" if stay["subscribed"] else "no",
            moment(stay["opt_in_date"]),
            moment(stay["opt_out_date"]),
            stay["opt_out_reason"],
            stay["acquisition_campaign_id"],
        )
        for stay in stays
    )
    print_table("Subscriptions", columns, rows)


def _print_record(record: Row) -> None:
    times = record["field_times"]
    facts = {name: value for name, value in record.items() if name not in ("field_times", "custom_fields")}
    fields = {f"custom_fields.{name}": value for name, value in record["custom_fields"].items()}
    removed = {name: None for name in times if name not in facts and name not in fields}
    rows = [
        (name, "(removed)" if value is None else value, times.get(name))
        for name, value in {**facts, **fields, **removed}.items()
        if value is not None or name in times
    ]
    print_table("The CRM's record", ("field", "value", "changed"), ((n, shown(v), t) for n, v, t in rows))


def _print_rest(dossier: dict[str, Any]) -> None:
    columns = ("what", "status", "next attempt (UTC)", "last error", "finished (UTC)")
    rows = (
        (
            f"write {sync['external_person_id']}" if sync["external_person_id"] else f"read {sync['person_uid']}",
            sync["status"],
            moment(sync["next_attempt_at"]) if sync["status"] in ("pending", "postponed") else None,
            sync["last_error"],
            moment(sync["finished_at"]),
        )
        for sync in dossier["syncs"]
    )
    if dossier["syncs"]:
        print_table("Syncs", columns, rows)
    if dossier["calls"]:
        print_table("Last calls", CALL_COLUMNS, map(call_cells, dossier["calls"]))
    if dossier["events"]:
        names = ("event_date", "received_at", "callback_type", "list_id", "reason")
        events = (
            [moment(event[name]) if name in ("event_date", "received_at") else event[name] for name in names]
            for event in dossier["events"]
        )
        print_table("Last events", ("date (UTC)", "received (UTC)", "type", "list", "reason"), events)
