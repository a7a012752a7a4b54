"""What came of one dead letter."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import MessageError


class Outcome(StrEnum):
    """What came of it, as `dead_letter_history` tells it."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """Of an applied event; a change of the CRM that tells nothing new."""
    ERASED = "erased"
    """It is about a person who was erased after it: nothing was applied, and what it held is gone."""
    FAILED = "failed"
    """It could not be applied this time either; it stays a dead letter."""
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one letter. The code as it is now read the type and the id of the event, if any."""

    outcome: Outcome
    callback_type: str | None = None
    event_id: str | None = None
    kind: str | None = None
    """As what it stays among the dead letters: `quarantined` or `dead_lettered`. None: it does not."""
    stage: str | None = None
    """Where it failed. None: it did not."""
    reason: str | None = None
    detail: str | None = None
    """More about why it failed, or what came of a whole broker message; no personal data."""


def failure(stage: str, problem: MessageError, *, was_read: bool = True) -> Result:
    """Return the result of a letter that failed."""
    return Result(
        Outcome.FAILED,
        kind="dead_lettered" if was_read else "quarantined",
        stage=stage,
        reason=problem.reason,
        detail=problem.detail or None,
    )
