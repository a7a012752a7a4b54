"""Which callbacks are the same event. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

import orjson


class Events:
    """The events of callbacks in their order.

    A pipeline shows how many events it has applied, not how many callbacks, of which some are duplicates.
    """

    def __init__(self, bodies: Sequence[bytes]) -> None:
        seen: set[tuple[str, str]] = set()
        self._among: list[int] = []
        for body in bodies:
            event = orjson.loads(body)
            seen.add((event.get("callback_type") or event["event_type"], event["event_id"]))
            self._among.append(len(seen))

    def among(self, callbacks: int) -> int:
        """Return how many events the first so many callbacks are."""
        return self._among[callbacks - 1] if callbacks else 0

    def callbacks(self, events: int) -> int:
        """Return how many callbacks are dealt with once so many events are applied, in the order of the callbacks."""
        return bisect_right(self._among, events)
