"""What has to change at Vibes so that a company's registrations are the wanted ones. Pure.

The unit is (type, what it is about, URL): Vibes' documents disagree on how many registrations of a type there may be,
and this reading fits all of them.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cli.callbacks.parameters import PARAMETERS
from cli.callbacks.urls import same_place
from schemas.values import read_text, read_timestamp
from vibes_api import CallbackSpec, CallbackType, JsonValue, Registration

Subject = tuple[str, str | None]
"""A callback type, and the list, campaign, app, ... it is about (None: all)."""
UrlMatch = Callable[[str | None, str | None], bool]


class Action(StrEnum):
    """What to do about a registration."""

    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a plan: what is wanted (None: not in the file), what is there, and which fields differ."""

    action: Action
    wanted: CallbackSpec | None
    present: Registration | None
    changes: tuple[str, ...] = ()

    @property
    def begins(self) -> bool:
        """Whether callbacks will go to a URL to which these did not go before."""
        return self.action is Action.CREATE or "url" in self.changes


def plan(wanted: Sequence[CallbackSpec], present: Sequence[Registration], *, prune: bool, now: datetime) -> list[Step]:
    """Return the steps from the present registrations to the wanted ones: those wanted in their order, then the rest.

    A wanted registration is matched with a present one of the same type, subject and URL; else with one of the same
    type and subject whose URL differs in nothing but the key, which is then updated. One that goes to another place may
    belong to somebody else: it is left alone. With `prune` it is nobody's: it is taken for the update (so that no event
    falls between an old and a new registration), and what remains is cancelled.
    """
    left = [registration for registration in present if not _ended(registration, now)]
    matches = [_take(left, spec, operator.eq) for spec in wanted]
    for acceptable in (same_place, _anywhere) if prune else (same_place,):
        for number, spec in enumerate(wanted):
            matches[number] = matches[number] or _take(left, spec, acceptable)
    steps = [_step(spec, match) for spec, match in zip(wanted, matches, strict=True)]
    rest = Action.CANCEL if prune else Action.KEEP
    return [*steps, *(Step(action=rest, wanted=None, present=registration) for registration in left)]


def subject(callback_type: str | None, parameters: Mapping[str, JsonValue]) -> Subject:
    """Return what a registration is about."""
    first = _names(callback_type)[:1]
    return callback_type or "", read_text(parameters.get(first[0])) if first else None


def as_update(step: Step) -> CallbackSpec | None:
    """Return what to send for an update: the wanted values, and the dates that are there (the file has none)."""
    if step.wanted is None or step.present is None:
        return step.wanted
    return replace(step.wanted, start_date=step.present.start_date, end_date=step.present.end_date)


def _ended(registration: Registration, now: datetime) -> bool:
    end = read_timestamp(registration.end_date)
    return end is not None and end <= now


def _anywhere(_one: str | None, _other: str | None) -> bool:
    return True


def _take(left: list[Registration], spec: CallbackSpec, acceptable: UrlMatch) -> Registration | None:
    about = subject(spec.callback_type, spec.parameters or {})
    for registration in left:
        same = subject(registration.callback_type, registration.parameters) == about
        if same and acceptable(spec.url, registration.destination_url):
            left.remove(registration)
            return registration
    return None


def _step(spec: CallbackSpec, match: Registration | None) -> Step:
    if match is None:
        return Step(action=Action.CREATE, wanted=spec, present=None)
    changes = _changes(spec, match)
    return Step(action=Action.UPDATE if changes else Action.KEEP, wanted=spec, present=match, changes=changes)


def _changes(spec: CallbackSpec, present: Registration) -> tuple[str, ...]:
    content_type = (present.content_type or "application/json").partition(";")[0].strip().lower()
    differ = {
        "url": spec.url != present.destination_url,
        "method": spec.method != (present.method or "POST").upper(),
        "content_type": spec.content_type != content_type,
        "parameters": _settings(spec.callback_type, spec.parameters or {})
        != _settings(spec.callback_type, present.parameters),
    }
    return tuple(name for name, differs in differ.items() if differs)


def _settings(callback_type: str | None, parameters: Mapping[str, JsonValue]) -> dict[str, str | None]:
    """Return every parameter of the type with its value or what Vibes takes without it; unknown ones are left out."""
    if callback_type is None or callback_type not in PARAMETERS:
        return {}
    return {
        parameter.name: read_text(parameters.get(parameter.name)) or parameter.default
        for parameter in PARAMETERS[CallbackType(callback_type)]
    }


def _names(callback_type: str | None) -> list[str]:
    return list(_settings(callback_type, {}))
