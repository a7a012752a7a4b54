"""Why a request of the CRM's is not taken as a whole, told so that its sender knows what to do. Pure.

The sender is a program of yours, not Vibes: a 4xx tells it to do something else, a 503 to send the same again.
"""

from ingest.answers import BROKEN_REQUEST, DEADLINE, DRAINING, OVERLOADED, SLOW_BODY, TOO_LARGE, UNEXPECTED, Refusal

MAX_RECORDS = 10_000
"""Of one request."""

_AGAIN = "send the whole request again in a few seconds; what was stored of it already does no harm"
_WHY = {
    OVERLOADED: "more requests or bytes are under way than fit into memory",
    DRAINING: "this process is about to end",
    SLOW_BODY: "the body did not arrive in time",
    BROKEN_REQUEST: "the body was cut off",
    DEADLINE: "the changes could not be stored within the deadline",
    UNEXPECTED: "a mistake of this service; its log has the details",
}


class CannotTakeError(Exception):
    """A request of which nothing is taken. `reason` is one of a few words; `detail` quotes nothing of the body."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail


def unavailable(refusal: Refusal) -> CannotTakeError:
    """Return the refusal of a request that cannot be stored now and should be sent again."""
    why = _WHY.get(refusal, "the message broker does not take changes now")
    return CannotTakeError(503, refusal.reason, f"{why}: {_AGAIN}")


def unreadable(reason: str, detail: str) -> CannotTakeError:
    """Return the refusal of a body that cannot be read as records."""
    return CannotTakeError(400, reason, f"{detail}; expected is an object, an array of objects, or NDJSON, in UTF-8")


def too_large(max_bytes: int) -> CannotTakeError:
    """Return the refusal of a body beyond the limit, compressed or not."""
    return CannotTakeError(
        413, TOO_LARGE.reason, f"the body has more than {max_bytes} bytes: split it into several requests"
    )


def too_many() -> CannotTakeError:
    """Return the refusal of more records than one request may have."""
    return CannotTakeError(
        413, "too_many_records", f"more than {MAX_RECORDS} records: split them into several requests"
    )
