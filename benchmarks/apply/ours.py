"""The pipeline's own apply processes, with a database and queues that nobody has used before."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.apply.backlog import COMPANY, GROUP, check, clear, count, queue
from benchmarks.apply.drain import Drained, drain
from deploy.local.stack import Stack

ONE_AT_A_TIME = {"VIBES_PIPELINE_APPLY_BATCH_CALLBACKS": "1"}
"""One event a transaction; with one callback a message, one message too."""


class Ours:
    """Drains one backlog after the other. Made by `ours`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.queued: list[bytes] = []

    def drain(
        self,
        bodies: Sequence[bytes],
        *,
        processes: int = 1,
        group: int = GROUP,
        settings: Mapping[str, str] | None = None,
    ) -> Drained:
        """Queue the bodies and drain them. Raises ServiceError."""
        self.queued += bodies
        queue(self.stack, bodies, group=group)
        return drain(self.stack, len(bodies), processes=processes, settings=settings)


@contextmanager
def ours(blank: Stack) -> Iterator[Ours]:
    """Give a fresh one, with a copy of the database of `blank`; in the end audit what became of all it drained.

    Raises ServiceError when that was not clean.
    """
    with Stack((COMPANY,), parts=(), like=blank) as stack:
        pipeline = Ours(stack)
        yield pipeline
        check(stack, count(pipeline.queued))
        clear(stack)
