"""One Parquet file: written in bounded memory, whole or not at all, and what its footer tells of it."""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types

from cli.export.planning import Fingerprint

_DIGEST = "vibes_pipeline.fingerprint"
_PART = ".part"
_GROUP_ROWS = 100_000
_GROUP_BYTES = 32 * 1024 * 1024
"""What is held in memory before it is written. Readers take a file in such pieces too."""


class ParquetFile:
    """A file that is being written. It gets its name when it is whole; until then it has another one.

    Its methods raise OSError.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._part = path.with_name(path.name + _PART)
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        self._held_rows = self._held_bytes = 0
        self._rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows: each begins with the values of all columns, in order; what follows them is left out."""
        columns = islice(zip(*rows, strict=True), len(self._schema))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)],
            schema=self._schema,
        )
        self._batches.append(batch)
        self._held_rows += batch.num_rows
        self._held_bytes += batch.nbytes
        if self._held_rows >= _GROUP_ROWS or self._held_bytes >= _GROUP_BYTES:
            self._flush()

    def finish(self, digest: str) -> int:
        """Write the footer, see that all is on the disk, and give the file its name; returns its number of rows."""
        self._flush()
        self._writer.add_key_value_metadata({_DIGEST: digest})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        return self._rows

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._batches.clear()
        self._writer.is_open = False  # or it would write its footer when it is collected
        try:
            self._file.close()
        finally:
            self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=_GROUP_ROWS)
            self._rows += self._held_rows
        self._batches.clear()
        self._held_rows = self._held_bytes = 0


def read_fingerprint(path: Path) -> Fingerprint | None:
    """Return what a file was written from; None: it is not a whole file of ours. Raises OSError."""
    try:
        footer = pq.read_metadata(path)
    except pa.ArrowInvalid:  # not Parquet, or cut off
        return None
    digest = (footer.metadata or {}).get(_DIGEST.encode())
    return Fingerprint(footer.num_rows, digest.decode()) if digest else None
