"""The lines of the input as text, with their numbers, in bounded memory."""

import codecs
from collections import deque
from typing import Self

from cli.persons.importing.source import UNDECODABLE, UNPACKING_ERRORS, Source
from schemas.errors import ConfigurationError, MessageError, ServiceError

MAX_RECORD_CHARACTERS = 1024 * 1024
"""Of the line or lines of one row; far more than a change may have (`schemas.crm_change.MAX_BYTES`)."""


class UnreadableError(ServiceError):
    """The input cannot be read any further: the disk fails, or what is packed is broken."""


class Lines:
    """Gives the lines one at a time, ends included, and knows which belong to the row being read.

    `begin_row` starts a row, `go_back` gives the lines after its first one again. A line is never held beyond
    MAX_RECORD_CHARACTERS: the rest of a longer one is skipped.
    """

    def __init__(self, source: Source) -> None:
        self.number = 0
        """Of the line given last, the first is 1."""
        self._name = source.name
        self._text = source.text
        self._row: list[str] = []
        self._characters = 0
        self._again: deque[str] = deque()

    def __iter__(self) -> Self:
        """Return itself: there is one reading of the lines."""
        return self

    def __next__(self) -> str:
        """Return the next line. Raises MessageError `too_large` once the row has become too long."""
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._row.append(line)
        self._characters += len(line)
        if self._characters >= MAX_RECORD_CHARACTERS:
            raise MessageError("too_large", f"more than {MAX_RECORD_CHARACTERS} characters")
        return line

    @property
    def first_number(self) -> int:
        """Number of the row's first line."""
        return self.number - len(self._row) + 1

    def begin_row(self) -> None:
        """Begin a row: the next line is its first."""
        self._row.clear()
        self._characters = 0

    def go_back(self, keep: int = 1) -> None:
        """Give the row's lines but for the first `keep` again."""
        self._again.extendleft(reversed(self._row[keep:]))
        self.number -= len(self._row[keep:])
        del self._row[keep:]

    def check_encoding(self) -> None:
        """Raise MessageError `wrong_encoding` naming the line if one of the row's lines could not be decoded."""
        for number, line in enumerate(self._row, self.first_number):
            if UNDECODABLE in line:
                raise MessageError("wrong_encoding", f"line {number} is not {self._text.encoding.removesuffix('-sig')}")

    def peek(self) -> str:
        """Return the first line that is not blank; reading begins with it. Raises ConfigurationError if none is."""
        for line in self:
            if line.strip():
                self.go_back(len(self._row) - 1)
                return line
            self.begin_row()
        raise ConfigurationError("empty, there is nothing to import")

    def _read(self) -> str:
        try:
            line = self._text.readline(MAX_RECORD_CHARACTERS)
            if len(line) == MAX_RECORD_CHARACTERS:
                self._skip_rest(line)
        except (*UNPACKING_ERRORS, UnicodeError) as error:
            raise UnreadableError(
                f"{self._name}: cannot be read beyond line {self.number} ({type(error).__name__}: {error})"
            ) from error
        return line

    def _skip_rest(self, line: str) -> None:
        while len(line) == MAX_RECORD_CHARACTERS and not line.endswith(("\n", "\r")):
            line = self._text.readline(MAX_RECORD_CHARACTERS)


def check_encoding_name(name: str) -> str:
    """Return the encoding to read with: UTF-8 with or without its mark (BOM), or as named.

    Raises ConfigurationError for a name Python does not know.
    """
    try:
        "".encode(name)
        return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name
    except LookupError:
        raise ConfigurationError(f"--encoding {name}: no such encoding. Example: --encoding cp1252") from None
