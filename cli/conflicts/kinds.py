"""What kind of conflict a row of the outbox is. Pure.

Vibes documents statuses and a few code words, not where in an answer they stand, so they are searched for in all of it.
Its messages are free text: what they say is only used to tell more exactly what a status means.
"""

import re
from enum import StrEnum

from vibes_api import EXTERNAL_ID_TAKEN
from workers.person_sync.decide import ANSWER_NOT_STORED, MOVED, NUMBER_DIFFERS

_NUMBER_DIFFERS = NUMBER_DIFFERS.partition(":")[0]
_NOT_SENT = "not sent"
_WRONG_COUNTRY = "countrynotsupported"


class Kind(StrEnum):
    """A stable word for programs."""

    EXTERNAL_ID_MOVED = "external_id_moved"
    NUMBER_DIFFERS = "number_differs"
    NUMBER_FIXED = "number_fixed"
    NUMBER_TAKEN = "number_taken"
    EXTERNAL_ID_TAKEN = "external_id_taken"
    CONTRADICTION = "contradiction"
    CUSTOM_FIELD = "custom_field"
    NO_CARRIER = "no_carrier"
    NOT_POSSIBLE = "not_possible"
    MALFORMED = "malformed"
    UNKNOWN_AT_VIBES = "unknown_at_vibes"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    ANSWER_NOT_STORED = "answer_not_stored"
    OTHER = "other"


def kind_of(error: str | None, status: int | None, message: str | None) -> Kind:
    """Return the kind of a conflict by what the worker wrote down: its own words, the status, Vibes' words."""
    own, words = error or "", " ".join(filter(None, (error, message)))
    if own.startswith(MOVED.strip()):
        return Kind.EXTERNAL_ID_MOVED
    if own.startswith(_NUMBER_DIFFERS):
        return Kind.NUMBER_DIFFERS
    if own.startswith(ANSWER_NOT_STORED):
        return Kind.ANSWER_NOT_STORED
    if status is None:
        return Kind.NOT_SENT if _NOT_SENT in own else Kind.OTHER
    if status == 400 or (status == 422 and _has(_WRONG_COUNTRY, words)):
        return Kind.MALFORMED
    if status == 409:
        return _contradiction(message or "")
    if status == 422:
        return _impossible(words, message or "")
    if status == 404:
        return Kind.UNKNOWN_AT_VIBES
    return Kind.REFUSED if 400 <= status < 500 else Kind.OTHER


def _contradiction(message: str) -> Kind:
    if _has(r"external.person.id\s+(is|belongs|already)", message):
        return Kind.EXTERNAL_ID_TAKEN
    if _has(r"\b(belongs?|associated|taken|in use|another person|different person)", message):
        return Kind.NUMBER_TAKEN
    if _has(r"\b(chang|immutable|modif|updat)", message):
        return Kind.NUMBER_FIXED
    return Kind.CONTRADICTION


def _impossible(words: str, message: str) -> Kind:
    if _has(EXTERNAL_ID_TAKEN, words):
        return Kind.EXTERNAL_ID_TAKEN
    if _has(r"custom.?field", message):
        return Kind.CUSTOM_FIELD
    if _has(r"carrier|landline", message):
        return Kind.NO_CARRIER
    return Kind.NOT_POSSIBLE


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
