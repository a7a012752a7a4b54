"""What ingest can answer: a receipt (202), or a refusal with its reason.

Vibes never sends an event again after a 4xx and tries again after a 5xx, so a 4xx is for callers that are not Vibes,
for a wrong method and for a body over the limit; whatever else goes wrong is a 503.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Receipt(NamedTuple):
    """The callback is on the disks of a majority of the broker's nodes: in that message, at that place.

    A tuple: it takes half as long to make as a frozen dataclass, once for each callback.
    """

    message_id: str
    position: int

    def __str__(self) -> str:
        return f"{self.message_id}/{self.position}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The callback was not taken. `reason` is a metric label: one of a few words."""

    status: int
    reason: str


def unavailable(reason: str) -> Refusal:
    """Return the refusal of a callback that cannot be stored now and should be sent again."""
    return Refusal(503, reason)


NOT_HERE = Refusal(404, "unknown_endpoint")
FORBIDDEN = Refusal(403, "wrong_source")
WRONG_METHOD = Refusal(405, "wrong_method")
TOO_LARGE = Refusal(413, "too_large")
UNCONFIGURED = unavailable("unconfigured_endpoint")
UNCONFIGURED_SOURCE = unavailable("unconfigured_source")
HIDDEN_SOURCE = unavailable("hidden_source")
DEADLINE = unavailable("deadline")
SLOW_BODY = unavailable("slow_body")
BROKEN_REQUEST = unavailable("broken_request")
OVERLOADED = unavailable("overloaded")
DRAINING = unavailable("draining")
NOT_CONNECTED = unavailable("broker_not_connected")
BLOCKED = unavailable("broker_blocked")
STALLED = unavailable("broker_stalled")
NACKED = unavailable("broker_nacked")
UNROUTABLE = unavailable("broker_unroutable")
CONNECTION_LOST = unavailable("broker_connection_lost")
UNEXPECTED = unavailable("unexpected_error")
