"""One row of the input, whatever its format. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read."""

    number: int
    """The first after a header is 1; the same at every reading of the file."""
    line: int
    """Where it begins, the file's first is 1."""
    content: Any = field(repr=False)
    """The cells of CSV, the JSON value of NDJSON, or MessageError: why it could not be read."""


RecordOf = Callable[[Any], object]
"""Makes the record that `schemas.crm_change.read_change` reads of a row's content; raises MessageError."""
