"""What each kind of conflict means, and what a human can do about it, in plain words. Pure.

Where a fact about Vibes stands behind a sentence, docs/vibes.md has it ("Person API", "Persons").
"""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field

from cli.conflicts.kinds import Kind

TITLES = {
    Kind.EXTERNAL_ID_MOVED: "the external id moved to another person",
    Kind.NUMBER_DIFFERS: "the CRM and Vibes have different numbers",
    Kind.NUMBER_FIXED: "a number cannot be changed",
    Kind.NUMBER_TAKEN: "the number belongs to another person",
    Kind.EXTERNAL_ID_TAKEN: "the external id belongs to another person",
    Kind.CONTRADICTION: "it contradicts what Vibes holds",
    Kind.CUSTOM_FIELD: "a custom field Vibes does not take",
    Kind.NO_CARRIER: "no carrier serves the number",
    Kind.NOT_POSSIBLE: "understood, but not possible",
    Kind.MALFORMED: "Vibes cannot read the request",
    Kind.UNKNOWN_AT_VIBES: "Vibes does not know the person",
    Kind.REFUSED: "Vibes refuses the request",
    Kind.NOT_SENT: "it cannot be written down as a request",
    Kind.ANSWER_NOT_STORED: "Vibes' answer cannot be stored",
    Kind.OTHER: "not done, for another reason",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What the database knows about a conflict. Persons are named by Vibes' ids, person_key or person_id."""

    argument: str = field(repr=False)
    """What names the conflict on the command line."""
    company_key: str
    message: str = field(repr=False, default="")
    bound_to: str | None = None
    """The person the record was written to last."""
    with_external_id: tuple[str, ...] = ()
    """Others who have its external id."""
    with_number: tuple[str, ...] = ()
    """Others who have its number."""
    number_differs: bool = False
    """Whether the person it means has another number than the CRM wants."""
    custom_fields: Collection[str] = field(repr=False, default=())
    """Names at Vibes of the fields the CRM has."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and the command or the setting for it."""

    text: str
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What a conflict is, what that means, and the ways out of it."""

    kind: Kind
    title: str
    meaning: str
    steps: tuple[Step, ...]


def advise(kind: Kind, situation: Situation) -> Advice:
    """Say what a conflict means in this situation and what to do."""
    kind = _sharpen(kind, situation)
    if kind in (Kind.EXTERNAL_ID_MOVED, Kind.EXTERNAL_ID_TAKEN):
        meaning, steps = _another_has_the_id(situation)
    elif kind is Kind.NUMBER_TAKEN:
        meaning, steps = _another_has_the_number(situation)
    elif kind in (Kind.NUMBER_DIFFERS, Kind.NUMBER_FIXED):
        meaning, steps = _new_number(situation)
    elif kind is Kind.CUSTOM_FIELD:
        meaning, steps = _custom_field(situation)
    else:
        meaning, steps = _PLAIN[kind]
    retry = Step("when the cause is gone, have it tried again", _command(situation, "retry"))
    close = Step("if nothing is to be done, close it", _command(situation, "resolve", '--note "WHY"'))
    return Advice(kind, TITLES[kind], meaning, (*steps, retry, close))


def named_fields(situation: Situation) -> list[str]:
    """Return the custom fields of the record that Vibes' message names."""
    return [
        name
        for name in sorted(situation.custom_fields)
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", situation.message)
    ]


def _sharpen(kind: Kind, situation: Situation) -> Kind:
    """Where Vibes gave no words (it may answer 409 without a body), let what the mirror knows tell."""
    if kind is Kind.CONTRADICTION and situation.number_differs:
        return Kind.NUMBER_FIXED
    if kind is Kind.CONTRADICTION and situation.with_number:
        return Kind.NUMBER_TAKEN
    if kind is Kind.NOT_POSSIBLE and named_fields(situation):
        return Kind.CUSTOM_FIELD
    return kind


def _another_has_the_id(situation: Situation) -> tuple[str, list[Step]]:
    was = f" The record was written to {situation.bound_to} before." if situation.bound_to else ""
    return (
        f"Vibes has this external id on another person than the one the record means.{was}"
        f"{_known(situation.with_external_id)} Nothing was written: one human's data must not go to another.",
        [
            Step(
                "compare the persons: numbers, names, subscriptions",
                f"vibes-pipeline persons show --person-key KEY --company {situation.company_key}",
            ),
            Step(
                "if the person who has the external id now is the right one, say so: the record is written to them "
                "from now on",
                _command(situation, "resolve", '--accept-person PERSON_KEY --note "WHY"'),
            ),
            Step("if not, give the external id back to the right person, in the platform"),
        ],
    )


def _another_has_the_number(situation: Situation) -> tuple[str, list[Step]]:
    return (
        "Somebody else at Vibes has the number the CRM gives for this person."
        f"{_known(situation.with_number)} Numbers are given to new owners, and people are in a CRM twice.",
        [
            Step(
                "if both are one human, and the person at Vibes has no external id: bind the record to them",
                _command(situation, "resolve", '--accept-person PERSON_KEY --note "WHY"'),
            ),
            Step("if both are one human, and both have an external id: keep one record in the CRM"),
            Step(
                "if the number has a new owner: remove it (mdn null) from the former owner's record in the CRM. "
                "Consent was given by the former owner, and does not pass to the new one"
            ),
        ],
    )


def _new_number(situation: Situation) -> tuple[str, list[Step]]:
    who = f" ({situation.bound_to})" if situation.bound_to else ""
    return (
        f"The person at Vibes{who} has another number than the CRM wants, and Vibes changes no number: it can only be "
        "set where there is none, or removed.",
        [
            Step("if Vibes is right: correct the number in the CRM; its change clears the conflict"),
            Step(
                "if the person has a new number: their consent belongs to the old one. Sign the new number up, so that "
                "they consent with it",
                "vibes-pipeline participants add --campaign ID --mdn NUMBER",
            ),
            Step(
                "to have the new number on the person: send a change with mdn null, and after its sync one with the "
                "new number. Vibes' rules allow that by their wording; subscriptions do not go with it"
            ),
            Step(
                "if the CRM's numbers do not matter, in the companies file",
                '[companies.sync] number_mismatch = "ignore"',
            ),
        ],
    )


def _custom_field(situation: Situation) -> tuple[str, list[Step]]:
    names = named_fields(situation)
    which = ", ".join(names) if names else "(see Vibes' message)"
    example = names[0] if names else "NAME"
    everybody = f"vibes-pipeline conflicts retry --all --status-code 422 --company {situation.company_key}"
    return (
        f"Vibes does not take the custom field {which}: it is not known in the platform, or the value is not of its "
        "kind. Nothing of the change was written.",
        [
            Step("if it should be at Vibes: create it in the platform, with the same spelling and case"),
            Step(
                "if it has another name or kind there, in the companies file",
                f'[companies.sync.custom_fields] {example} = {{ field = "NAME_AT_VIBES", type = "date" }}',
            ),
            Step(
                "if Vibes is to have mapped fields only, in the companies file",
                '[companies.sync] unmapped_custom_fields = "ignore"',
            ),
            Step(
                "restart the person workers after a change of the companies file; then, for all of this kind", everybody
            ),
        ],
    )


def _known(others: tuple[str, ...]) -> str:
    return f" The mirror knows: {', '.join(others)}." if others else " The mirror does not know that person yet."


def _command(situation: Situation, verb: str, options: str = "") -> str:
    words = ["vibes-pipeline conflicts", verb, shlex.quote(situation.argument), options]
    return " ".join(filter(None, [*words, f"--company {situation.company_key}"]))


_PLAIN: dict[Kind, tuple[str, list[Step]]] = {
    Kind.CONTRADICTION: (
        "Vibes answered 409 without saying more. Either a number would change, which it never allows, or the number or "
        "the external id belongs to another person.",
        [
            Step("read the person from Vibes again", "vibes-pipeline persons sync --person-key KEY"),
            Step("see who has the number", "vibes-pipeline persons show --mdn NUMBER"),
        ],
    ),
    Kind.NO_CARRIER: (
        "No carrier that Vibes works with serves the number; nearly always it is a landline. It can get no messages.",
        [Step("correct the number in the CRM, or remove it there (mdn null): the other fields are written then")],
    ),
    Kind.NOT_POSSIBLE: (
        "Vibes understood the request and cannot carry it out, for a reason its documents do not tell. Most often a "
        "custom field is not known in the platform, an option of a choice does not exist, or the number is a landline.",
        [Step("compare names and options of the custom fields with the platform"), Step("ask Vibes, with its message")],
    ),
    Kind.MALFORMED: (
        "Vibes cannot read the request. Most likely the number is not in the form it wants: + and country code.",
        [Step("correct the number in the CRM, or set default_country of the company in the companies file")],
    ),
    Kind.UNKNOWN_AT_VIBES: (
        "Vibes knows no such person, or the person was removed there.",
        [Step("to have persons added, in the companies file", "[companies.sync] add_unknown_persons = true")],
    ),
    Kind.REFUSED: (
        "Vibes refuses the request, with a status its documents do not explain.",
        [Step("ask Vibes, with the status, the route and the time of the last call")],
    ),
    Kind.NOT_SENT: (
        "What the CRM wants cannot be put into a request: a blank id, or a value JSON cannot carry. Nothing was sent.",
        [Step("correct the record in the CRM; its change clears the conflict")],
    ),
    Kind.ANSWER_NOT_STORED: (
        "Vibes answered, but its answer holds something this database cannot. What was to be written may have been.",
        [Step("report it, with the last error; to try again is safe, for a write twice is as one")],
    ),
    Kind.OTHER: ("It could not be done, for the reason told as last error.", []),
}
