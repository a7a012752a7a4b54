"""The input: a file, perhaps gzipped, or standard input."""

import codecs
import hashlib
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from schemas.errors import ConfigurationError

STANDARD_INPUT = "-"
UNPACKING_ERRORS = (OSError, EOFError, zlib.error)
"""What reading raises, of the disk's and of gzip's accord."""
UNDECODABLE = "\udcff"
"""Stands for bytes that are no character of the encoding. No text has it: decoders refuse it."""
_MARK_UNDECODABLE = "vibes-pipeline.mark-undecodable"
_HEAD_BYTES = 64 * 1024
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

codecs.register_error(_MARK_UNDECODABLE, lambda error: (UNDECODABLE, error.end))  # type: ignore[attr-defined] # a decoder's error


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a file from another one, and from itself after a change."""

    size: int
    modified_ns: int
    head_sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input."""

    name: str
    """As the command names it."""
    path: Path | None
    """None: standard input or a pipe, which cannot be read again and so not be resumed."""
    text: TextIOWrapper
    """What is in it, unpacked; UNDECODABLE stands for bytes that are no character."""
    identity: Identity | None
    """Of a file."""
    _content: BufferedReader | GzipFile
    _raw: BufferedReader

    def position(self) -> int:
        """Return how many bytes of the file were read, as it is on disk; 0 for a pipe."""
        return self._raw.tell() if self.path else 0

    def changed(self) -> bool:
        """Tell whether the file is no longer what it was when it was opened; one put in its place is another file."""
        if self.identity is None:
            return False
        now = os.fstat(self._raw.fileno())
        return (now.st_size, now.st_mtime_ns) != (self.identity.size, self.identity.modified_ns)

    def looks_like_utf16(self) -> bool:
        """Tell whether it begins with the mark of UTF-16. Raises ConfigurationError when it cannot be read."""
        try:
            return self._content.peek(2)[:2] in _UTF16
        except UNPACKING_ERRORS as error:
            raise ConfigurationError(f"{self.name}: cannot be read ({error})") from error


@contextmanager
def open_source(name: str, encoding: str) -> Iterator[Source]:
    """Open the input a command names; `-` is standard input, `.gz` is unpacked.

    Raises ConfigurationError when there is nothing to read.
    """
    raw = _open(name)
    with raw:
        status = os.fstat(raw.fileno())
        regular = stat.S_ISREG(status.st_mode) and name != STANDARD_INPUT
        path = Path(name) if regular else None
        identity = Identity(status.st_size, status.st_mtime_ns, _hash_head(raw, name)) if regular else None
        content = GzipFile(fileobj=raw) if name.endswith(".gz") else raw
        # newline="": line ends stay as they are, since a quoted cell may hold them.
        with TextIOWrapper(content, encoding=encoding, errors=_MARK_UNDECODABLE, newline="") as text:
            yield Source(name, path, text, identity, _content=content, _raw=raw)


def _open(name: str) -> BufferedReader:
    try:
        return open(sys.stdin.fileno() if name == STANDARD_INPUT else name, "rb", closefd=name != STANDARD_INPUT)
    except OSError as error:
        what = "a directory, not a file" if isinstance(error, IsADirectoryError) else "cannot be read"
        raise ConfigurationError(f"{name}: {what} ({error.strerror})") from error


def _hash_head(raw: BufferedReader, name: str) -> str:
    try:
        head = raw.read(_HEAD_BYTES)
        raw.seek(0)
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read ({error.strerror})") from error
    return hashlib.sha256(head).hexdigest()
