"""apply takes every callback for a new event."""

from collections.abc import Iterable
from typing import Any

from cli.main import main
from workers.apply import transaction
from workers.apply.reading import Outcome, ReadCallback


async def _claim(_mirror: Any, callbacks: Iterable[ReadCallback], settled: Any) -> list[tuple[ReadCallback, Any, bool]]:
    claimed = [(callback, callback.event, False) for callback in callbacks]
    for callback, _, _ in claimed:
        settled.outcomes[callback.receipt] = Outcome.APPLIED
    return claimed


if __name__ == "__main__":
    transaction._claim = _claim  # type: ignore[assignment]  # the mutation
    main()
