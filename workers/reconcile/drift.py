"""What can differ between the mirror, Vibes and the CRM, and whether it can be repaired."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from schemas.facts import Fact


class Kind(StrEnum):
    """A kind of drift."""

    PROFILE_MISSING = "profile_missing"
    PROFILE_DIFFERS = "profile_differs"
    STAY_MISSING = "stay_missing"
    OPT_OUT_MISSING = "opt_out_missing"
    OPT_OUT_DIFFERS = "opt_out_differs"
    STAY_ABSENT = "stay_absent"
    STAY_ENDED_HERE = "stay_ended_here"
    STAY_UNREADABLE = "stay_unreadable"
    PERSON_GONE = "person_gone"
    CRM_DIFFERS = "crm_differs"
    CRM_UNKNOWN = "crm_unknown"


class Explanation(NamedTuple):
    """What a kind of drift is, and how it is repaired."""

    meaning: str
    repair: str


EXPLANATIONS = {
    Kind.PROFILE_MISSING: Explanation("only seen in subscriptions, or not at all", "the profile is stored"),
    Kind.PROFILE_DIFFERS: Explanation(
        "Vibes has other fields", "the profile is stored, unless the one here is newer by Vibes' own times"
    ),
    Kind.STAY_MISSING: Explanation("Vibes lists a stay that is not here", "the stay is stored"),
    Kind.OPT_OUT_MISSING: Explanation("not ended here, ended at Vibes", "the opt-out is stored"),
    Kind.OPT_OUT_DIFFERS: Explanation(
        "another date or reason", "stored if Vibes' is the earlier one; else the first one told stays"
    ),
    Kind.STAY_ABSENT: Explanation(
        "subscribed here, nowhere at Vibes",
        "ended here with the reason `reconciled`; with --close-gone for a person gone",
    ),
    Kind.STAY_ENDED_HERE: Explanation("ended here, goes on at Vibes", "not: no opt-in reopens a stay"),
    Kind.STAY_UNREADABLE: Explanation("listed without list or date", "not"),
    Kind.PERSON_GONE: Explanation("Vibes does not know the person (404)", "not"),
    Kind.CRM_DIFFERS: Explanation(
        "Vibes has not what the CRM wants", "a write is requested, unless it is a conflict already"
    ),
    Kind.CRM_UNKNOWN: Explanation("Vibes has nobody for a record of the CRM", "as before"),
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. It names fields and never quotes values."""

    kind: Kind
    fields: tuple[str, ...] = ()
    list_id: str | None = None
    facts: tuple[Fact, ...] = field(default=(), repr=False)
    """What the mirror is to be told to repair it."""
    record: str | None = field(default=None, repr=False)
    """The external id of the record of the CRM that is to be written to repair it."""
    remark: str | None = None
    """Why it is not repaired, or what to know about the repair."""

    @property
    def repairable(self) -> bool:
        """Whether something can be done about it here."""
        return bool(self.facts) or self.record is not None
