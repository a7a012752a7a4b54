import gzip
import random

import pytest

from ingest.crm.inflate import inflate
from ingest.crm.refusals import CannotTakeError

LIMIT = 1024 * 1024


def unpacked(body: bytes, encoding: str = "gzip") -> bytes:
    return b"".join(inflate(body, encoding, LIMIT))


def refusal(body: bytes, encoding: str = "gzip") -> tuple[int, str]:
    with pytest.raises(CannotTakeError) as caught:
        unpacked(body, encoding)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"x" * LIMIT, random.Random(7).randbytes(LIMIT)], ids=["empty", "small", "dense", "random"]
)
def test_what_was_packed_comes_out(content: bytes) -> None:
    assert unpacked(gzip.compress(content, mtime=0)) == content


def test_several_members_are_one_content() -> None:
    content = random.Random(7).randbytes(100_000)
    assert (
        unpacked(gzip.compress(content, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(content, mtime=0))
        == content * 2
    )


def test_pieces_are_small() -> None:
    assert max(len(piece) for piece in inflate(gzip.compress(b"x" * LIMIT, mtime=0), "gzip", LIMIT)) <= 256 * 1024


def test_a_bomb_is_stopped_at_the_limit() -> None:
    assert refusal(gzip.compress(b"x" * (LIMIT + 1), mtime=0)) == (413, "too_large")
    assert refusal(
        gzip.compress(gzip.compress(bytes(100 * LIMIT), mtime=0)) + gzip.compress(b"x" * LIMIT, mtime=0)
    ) == (413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        gzip.compress(b"[]", mtime=0)[:-1],
        gzip.compress(b"[]", mtime=0)[:5],
        gzip.compress(b"[]", mtime=0) + b"more",
    ],
    ids=["empty", "plain", "cut-off", "cut-off-early", "more"],
)
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    assert refusal(body) == (400, "not_gzip")


def test_a_damaged_body_is_refused() -> None:
    body = bytearray(gzip.compress(b"some text that is checked" * 10, mtime=0))
    body[-6] ^= 1
    assert refusal(bytes(body)) == (400, "not_gzip")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_not_known(encoding: str) -> None:
    assert refusal(b"", encoding) == (415, "unknown_encoding")
