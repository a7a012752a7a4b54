"""What the MobileDB holds."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

JsonObject = dict[str, Any]


class PersonPatch(TypedDict, total=False):
    """The fields of a person write. A key that is there is set, None removes, a missing key keeps."""

    external_person_id: str | None
    mdn: str | None
    carrier_code: str | None
    timezone: str | None
    custom_fields: JsonObject


@dataclass(slots=True, eq=False)
class Person:
    """One person record.

    `announced_by` is the event_id of the last person_* event made for this person, and `announced_state` the
    `updated_at` it told: where that is not the present `updated_at`, no callback tells the present state.
    `had_external` and `had_phone` make bodies print an explicit null for what was removed: Vibes does not say
    whether an unset value is null or absent, and only null cannot be misread as "unchanged".
    """

    person_id: str
    person_key: str
    created_at: datetime
    updated_at: datetime
    external_person_id: str | None = None
    mdn: str | None = None
    carrier_code: str | None = None
    timezone: str | None = None
    timezone_source: str | None = None
    custom_fields: JsonObject = field(default_factory=dict)
    had_external: bool = False
    had_phone: bool = False
    announced_by: str | None = None
    announced_state: datetime | None = None
    referenced_by: str | None = None
    key_told_by: str | None = None


@dataclass(slots=True, eq=False)
class SubscriptionList:
    """A list that persons can join; an archived one takes nobody any more."""

    list_id: str
    name: str
    archived: bool = False


@dataclass(slots=True, eq=False)
class Stay:
    """One subscription of one person to one list, from opt-in to opt-out, both at whole seconds.

    `added_by` and `removed_by` are the event_ids of the callbacks that tell its start and end.
    """

    person: Person
    list_id: str
    opt_in_date: datetime
    acquisition_id: str | None = None
    opt_out_date: datetime | None = None
    opt_out_reason: str | None = None
    added_by: str | None = None
    removed_by: str | None = None


@dataclass(slots=True, frozen=True)
class Campaign:
    """An acquisition campaign. Its `campaign_id` in callbacks differs from the `acquisition_id` of its URL."""

    acquisition_id: str
    campaign_id: str
    description: str
    keyword: str
    list_id: str
    double_opt_in: bool
    start_date: datetime


class ParticipationStatus(StrEnum):
    """Where a participant stands in the opt-in flow."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    SUBSCRIBED = "SUBSCRIBED"


@dataclass(slots=True, eq=False)
class Participation:
    """One person's way through one acquisition campaign. A pending one lapses at `expire_date` with no event."""

    person: Person
    campaign: Campaign
    participation_date: datetime
    expire_date: datetime
    status: ParticipationStatus
    by_keyword: bool
