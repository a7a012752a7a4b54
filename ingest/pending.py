"""The bound on memory: what is between request and answer may not exceed so many callbacks and bytes."""

from types import TracebackType


class Pending:
    """Counts the requests under way, and the bytes of their bodies that have been read."""

    def __init__(self, max_callbacks: int, max_bytes: int) -> None:
        self._max_callbacks = max_callbacks
        self._max_bytes = max_bytes
        self.callbacks = 0
        self.bytes = 0

    def is_over(self) -> bool:
        """Return whether there is more under way than allowed, the request that asks included."""
        return self.callbacks > self._max_callbacks or self.bytes > self._max_bytes

    def request(self) -> "Share":
        """Return the share of one more request, to be used with `with`."""
        return Share(self)


class Share:
    """What one request holds of the bound until it is answered."""

    __slots__ = ("_bytes", "_pending")

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._bytes = 0

    def grow(self, size: int) -> bool:
        """Add bytes that were read; return whether the bound still holds."""
        self._bytes += size
        self._pending.bytes += size
        return not self._pending.is_over()

    def __enter__(self) -> "Share":
        self._pending.callbacks += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pending.callbacks -= 1
        self._pending.bytes -= self._bytes
