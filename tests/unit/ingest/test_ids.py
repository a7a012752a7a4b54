import time

from ingest.ids import uuid7


def test_ids_are_version_7_uuids() -> None:
    made = uuid7()
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_ids_tell_when_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7().int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_differ() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000
