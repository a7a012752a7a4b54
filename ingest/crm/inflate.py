"""Unpacks a compressed body, a little at a time. Pure."""

import zlib
from collections.abc import Iterator

from ingest.crm.refusals import CannotTakeError, too_large

_FEED = 64 * 1024
_PIECE = 256 * 1024
_GZIP = 31
"""zlib's way to say: with the header and the checksum of gzip."""

NO_ENCODING = ("", "identity")
GZIP_ENCODING = ("gzip", "x-gzip")


def inflate(body: bytes, encoding: str, max_bytes: int) -> Iterator[bytes]:
    """Yield what a body with that Content-Encoding holds, in pieces of at most 256 KiB, some of them empty.

    Raises CannotTakeError: 415 when it is not gzip by name, 400 when not by content, and 413 as soon as there is more
    than `max_bytes`, however small it was packed.
    """
    if encoding.strip().lower() not in GZIP_ENCODING:
        raise CannotTakeError(415, "unknown_encoding", "the Content-Encoding is neither gzip nor identity")
    size = 0
    try:
        for piece in _members(body):
            size += len(piece)
            if size > max_bytes:
                raise too_large(max_bytes)
            yield piece
    except zlib.error:
        raise CannotTakeError(400, "not_gzip", "the Content-Encoding is gzip, but the body is not") from None


def _members(body: bytes) -> Iterator[bytes]:
    """Unpack the one or more compressed members, one after the other, that a gzip file is."""
    position = 0
    while True:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            fed = member.unconsumed_tail
            if not fed:
                fed = body[position : position + _FEED]
                position += len(fed)
            if not fed:
                raise zlib.error("cut off")
            yield member.decompress(fed, _PIECE)
        position -= len(member.unused_data)
        if position == len(body):
            return
