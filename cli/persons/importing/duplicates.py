"""Which rows are about a person an earlier row is about, in bounded memory.

A hash and a number for each row are put into one of 64 parts by the hash, on disk when there are many; in the end each
part is looked at alone. 16 bytes a row on disk, and in memory about a 64th of the rows at a time.
"""

import struct
from array import array
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from schemas.errors import ServiceError

_PARTS = 64
_MEMORY_BYTES = 64 * 1024
"""Of one part; beyond it the part is on disk."""
_ENTRY = struct.Struct("=qq")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Repeated:
    """The rows that repeat an external id."""

    rows: int
    first: tuple[int, ...]
    """Numbers of the first ten of them."""


class Duplicates:
    """Takes the external ids one by one. A context: in the end what is on disk goes."""

    def __init__(self) -> None:
        # Each part is closed by __exit__.
        self._parts = [SpooledTemporaryFile(max_size=_MEMORY_BYTES) for _ in range(_PARTS)]  # noqa: SIM115

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Throw the parts away."""
        for part in self._parts:
            part.close()

    def add(self, external_person_id: str, row: int) -> None:
        """Note the id of a row. Raises ServiceError when the disk for temporary files is full."""
        hashed = hash(external_person_id)
        try:
            self._parts[hashed % _PARTS].write(_ENTRY.pack(hashed, row))
        except OSError as error:
            raise ServiceError(f"no room for temporary files ({error.strerror}); TMPDIR names another place") from error

    def find(self) -> Repeated:
        """Return the rows whose id an earlier row has. Ids are compared by 64 bits of hash."""
        count, first = 0, list[int]()
        for part in self._parts:
            rows = _repeated_rows(part)
            count += len(rows)
            first = sorted([*first, *rows[:_SHOWN]])[:_SHOWN]
        return Repeated(count, tuple(first))


def _repeated_rows(part: "SpooledTemporaryFile[bytes]") -> list[int]:
    part.seek(0)
    entries = array("q", part.read())
    hashes, numbers = entries[::2], entries[1::2]
    seen = set(hashes)
    if len(seen) == len(hashes):
        return []
    seen.clear()
    rows = []
    for hashed, number in zip(hashes, numbers, strict=True):
        if hashed in seen:
            rows.append(number)
        seen.add(hashed)
    return rows
