"""Checks by id, after the pipeline has drained, what became of every callback that was acknowledged."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from tests.chaos.load import Acknowledged
from tests.chaos.model import Key, Model, PersonState, Profile, StayState, Told, read_event, read_profile, said

_OUTCOMES = "SELECT message_id, outcomes FROM callback_messages WHERE company_key = $1"
_LOGGED = """
SELECT message_id, position, callback_type, event_id, payload FROM callback_events WHERE company_key = $1
"""
_SET_ASIDE = "SELECT message_id, position FROM dead_letters WHERE company_key = $1"
_PERSONS = """
SELECT person_id, person_key, profile_at, profile_event_date, profile_external_person_id AS external_person_id,
       profile_mdn AS mdn, carrier_code, timezone, custom_fields, vibes_created_at AS created_at,
       vibes_updated_at AS updated_at, seen_external_person_id, seen_external_person_id_at, seen_mdn, seen_mdn_at
FROM persons WHERE company_key = $1
"""
_STAYS = """
SELECT p.person_id, s.list_id, s.opt_in_date, s.opt_in_event_id, s.opt_out_event_id, s.opt_out_date, s.opt_out_reason
FROM subscriptions AS s LEFT JOIN persons AS p USING (person_uid) WHERE s.company_key = $1
"""
_RECORDS = """
SELECT c.external_person_id, c.custom_fields, s.status
FROM crm_persons AS c LEFT JOIN person_sync AS s USING (company_key, external_person_id) WHERE c.company_key = $1
"""

Receipt = tuple[UUID, int]
Row = asyncpg.Record


@dataclass(slots=True)
class Verdict:
    """What is wrong. Each entry says what, by id."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged and nowhere, or not where its outcome says."""
    double: list[str] = field(default_factory=list)
    """Events with more than one effect."""
    diverged: list[str] = field(default_factory=list)
    """Persons, stays and logged events that are not as the model has them."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.double or self.diverged)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds about one company."""

    outcomes: Mapping[UUID, str]
    logged: Sequence[Row]
    set_aside: frozenset[Receipt]
    persons: Sequence[Row]
    stays: Sequence[Row]
    records: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Happened:
    """What one company was told, and what was seen of it at Vibes."""

    acknowledged: Sequence[Acknowledged]
    answers: Sequence[Mapping[str, Any]]
    """Persons as the Person API showed them."""
    crm_changes: Sequence[Mapping[str, Any]]
    """Taken by ingest: external_person_id and custom_fields."""


async def read_stored(connection: "asyncpg.Connection[asyncpg.Record]", company_key: str) -> Stored:
    """Read it."""
    outcomes = await connection.fetch(_OUTCOMES, company_key)
    set_aside = await connection.fetch(_SET_ASIDE, company_key)
    return Stored(
        {row["message_id"]: row["outcomes"] for row in outcomes},
        await connection.fetch(_LOGGED, company_key),
        frozenset((row["message_id"], row["position"]) for row in set_aside),
        await connection.fetch(_PERSONS, company_key),
        await connection.fetch(_STAYS, company_key),
        await connection.fetch(_RECORDS, company_key),
    )


def judge(happened: Happened, stored: Stored) -> Verdict:
    """Compare what happened with what is stored."""
    verdict = Verdict()
    told: dict[Key, Told] = {}
    acknowledged = happened.acknowledged
    for each in acknowledged:
        event = read_event(each.body)
        if event is not None and told.setdefault(event.key, event).said != event.said:
            verdict.diverged.append(f"event {event.key} was sent with two bodies: the load is wrong")
    _check_receipts(verdict, acknowledged, stored)
    _check_log(verdict, told, acknowledged, stored.logged)
    model = Model.of(told.values())
    _check_persons(verdict, model.persons, _answers_by_person(happened.answers), stored.persons)
    _check_stays(verdict, model, stored.stays)
    _check_records(verdict, happened, told.values(), stored.records)
    return verdict


def _check_receipts(verdict: Verdict, acknowledged: Iterable[Acknowledged], stored: Stored) -> None:
    logged = {(row["message_id"], row["position"]) for row in stored.logged}
    for each in acknowledged:
        problem = _problem_of(each, logged, stored)
        if problem:
            verdict.lost.append(f"receipt {each.receipt}: {problem}")


def _problem_of(each: Acknowledged, logged: set[Receipt], stored: Stored) -> str | None:
    if each.receipt is None:
        return "a 2xx without a receipt"
    message_id, _, position = each.receipt.partition("/")
    receipt = (UUID(message_id), int(position))
    letters = stored.outcomes.get(receipt[0], "")
    outcome = letters[receipt[1]] if receipt[1] < len(letters) else None
    places = (receipt in logged, receipt in stored.set_aside)
    match outcome:
        case None:
            return "no outcome"
        case "a" if places != (True, False):
            return "applied, but not in the log alone"
        case "d" if places != (False, False):
            return "a duplicate, but stored"
        case "q" | "x" if places != (False, True):
            return "set aside, but not among the dead letters alone"
        case "q" | "x" if read_event(each.body) is not None:
            return "set aside, although it can be applied"
        case _:
            return None


def _check_log(
    verdict: Verdict, told: Mapping[Key, Told], acknowledged: Iterable[Acknowledged], logged: Iterable[Row]
) -> None:
    """Each event is in the log once, as it was sent, and nothing else is."""
    times: Counter[Key] = Counter()
    odd = sum(1 for each in acknowledged if read_event(each.body) is None)
    for row in logged:
        key = (row["callback_type"], row["event_id"])
        times[key] += 1
        event = told.get(key)
        if event is None:
            odd -= 1
            if odd < 0:
                verdict.diverged.append(f"event {key} is in the log, but nobody sent it")
        elif b"\\u0000" not in event.said and said(orjson.loads(row["payload"])) != event.said:
            verdict.diverged.append(f"event {key} is not in the log as it was sent")
    verdict.lost += [f"event {key}: not in the log" for key in told.keys() - times.keys()]
    verdict.double += [f"event {key}: {count} times in the log" for key, count in times.items() if count > 1]


def _answers_by_person(answers: Iterable[Mapping[str, Any]]) -> dict[str, list[Profile]]:
    found: dict[str, list[Profile]] = defaultdict(list)
    for answer in answers:
        found[str(answer["person_id"])].append(read_profile(dict(answer)))
    return found


def _check_persons(
    verdict: Verdict,
    persons: Mapping[str, PersonState],
    answers: Mapping[str, Sequence[Profile]],
    rows: Iterable[Row],
) -> None:
    rest = dict(persons)
    seen: set[str] = set()
    for row in rows:
        person_id = row["person_id"]
        if person_id in seen:
            verdict.double.append(f"person {person_id}: two rows")
        seen.add(person_id)
        state = rest.pop(person_id, None)
        if state is None and person_id not in answers:
            verdict.diverged.append(f"person {person_id}: nobody told of them")
            continue
        verdict.diverged += [
            f"person {person_id}: {problem}"
            for problem in _person_problems(state or PersonState(), answers.get(person_id, ()), row)
        ]
    verdict.diverged += [f"person {person_id}: missing" for person_id in rest]


def _person_problems(state: PersonState, answers: Sequence[Profile], row: Row) -> list[str]:
    problems = []
    if state.person_key is not None and row["person_key"] != state.person_key:
        problems.append("another person_key")
    seen = [
        ("external_person_id", state.external_person_id),
        ("mdn", state.mdn),
    ]
    for name, expected in seen:
        if (row[f"seen_{name}_at"], row[f"seen_{name}"]) != (expected or (None, None)):
            problems.append(f"another {name} seen in subscriptions")
    # An answer may have been lost on its way, so the profile is the latest told, or a later answer.
    floor = state.latest[0].version if state.latest else None
    allowed = [*state.latest, *(answer for answer in answers if floor is None or answer.version >= floor)]
    if row["profile_at"] is None:
        if floor is not None:
            problems.append("no profile")
        return problems
    found = Profile(row["profile_at"], row["profile_event_date"], _profile_values(row))
    if found not in allowed:
        problems.append(_what_differs(found, allowed))
    return problems


def _what_differs(found: Profile, allowed: Sequence[Profile]) -> str:
    """Tell, without values, why a profile is none of those that may be there."""
    alike = [each for each in allowed if each.version == found.version]
    if not alike:
        return f"a profile of {found.version}, not of {sorted({str(each.version) for each in allowed})}"
    names = [name for name, value in found.values.items() if value != alike[-1].values[name]]
    return f"the right profile ({found.version}), but for {', '.join(names)}"


def _profile_values(row: Row) -> dict[str, Any]:
    names = ("external_person_id", "mdn", "carrier_code", "timezone", "created_at", "updated_at")
    return {**{name: row[name] for name in names}, "custom_fields": orjson.loads(row["custom_fields"])}


def _check_stays(verdict: Verdict, model: Model, rows: Iterable[Row]) -> None:
    rest = dict(model.stays)
    for row in rows:
        key = (row["person_id"], row["list_id"], row["opt_in_date"])
        expected = rest.pop(key, None)
        if expected is None:
            verdict.diverged.append(f"stay {key}: nobody told of it")
            continue
        found = StayState(row["opt_in_event_id"], row["opt_out_event_id"], row["opt_out_date"], row["opt_out_reason"])
        if found != expected:
            verdict.diverged.append(f"stay {key}: {found} instead of {expected}")
    verdict.diverged += [f"stay {key}: missing" for key in rest]


def _check_records(verdict: Verdict, happened: Happened, told: Iterable[Told], rows: Iterable[Row]) -> None:
    """Each person the CRM changed is here, and Vibes has shown that it was told."""
    rest = {str(change["external_person_id"]) for change in happened.crm_changes}
    shown: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    echoes = [event.body["person"] for event in told if event.key[0] in ("person_added", "person_updated")]
    for person in (*happened.answers, *echoes):
        shown[str(person.get("external_person_id"))].append(person.get("custom_fields") or {})
    for row in rows:
        external, wanted = row["external_person_id"], orjson.loads(row["custom_fields"])
        rest.discard(external)
        if row["status"] not in ("synced", "conflict"):
            verdict.diverged.append(f"record {external}: its sync is {row['status']}")
        elif row["status"] == "synced" and not any(wanted.items() <= fields.items() for fields in shown[external]):
            verdict.diverged.append(f"record {external}: Vibes was never told")
    verdict.lost += [f"record {external}: taken from the CRM, and missing" for external in rest]
