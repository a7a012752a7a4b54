"""Log lines that a storm of refused requests cannot multiply."""

import asyncio

import structlog

from ingest.answers import Refusal

log = structlog.get_logger()


class RefusalLog:
    """Logs the first refusal of a kind at once, then at most one line a period with the number of further ones."""

    def __init__(self, period_seconds: float = 1.0) -> None:
        self._period_seconds = period_seconds
        self._further: dict[Refusal, int] = {}

    def note(self, refusal: Refusal, **example: str) -> None:
        """Log or count a refusal; `example` describes this one, and is logged when the line is about it."""
        if refusal in self._further:
            self._further[refusal] += 1
            return
        self._write(refusal, 1, **example)
        self._start_period(refusal)

    def _start_period(self, refusal: Refusal) -> None:
        self._further[refusal] = 0
        asyncio.get_running_loop().call_later(self._period_seconds, self._end_period, refusal)

    def _end_period(self, refusal: Refusal) -> None:
        further = self._further.pop(refusal)
        if further:
            self._write(refusal, further)
            self._start_period(refusal)

    def _write(self, refusal: Refusal, count: int, **example: str) -> None:
        level = log.warning if refusal.status >= 500 else log.info
        level("ingest.refused", status=refusal.status, reason=refusal.reason, count=count, **example)
