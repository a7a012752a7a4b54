"""The database's functions read values as the workers do, so that views and tables agree."""

import asyncio
import json
from typing import Any

import asyncpg
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.values import read_text, read_timestamp

SPELLINGS = st.from_regex(
    r"\s?[0-2][0-9]{3}-[0-1][0-9]-[0-3][0-9]([Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.,][0-9]{1,9})?)?"
    r"\s?(Z|z|[+-][0-2][0-9]:?[0-5][0-9])?\s?",
    fullmatch=True,
)
NOT_QUITE = st.text(st.sampled_from("0123456789-:.,TtZz+ \t\x1c\u00a0"), max_size=30)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x00")
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(0.1, 0.9), st.text(CHARACTERS)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=3,
)
READ_TIMESTAMPS = "SELECT array_agg(read_timestamp(t) ORDER BY n) FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n)"


def test_timestamps_read_the_same_in_the_database_as_in_the_workers(database_url: str) -> None:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_url))

        @settings(max_examples=300)
        @example(
            texts=["2017-03-15T15:42:23Z", "2017-02-18T15:34:52+0000", "2017-01-15T14:30Z", "2018-05-07T15:27:33.664Z"]
        )
        @example(texts=["2019-06-04T22:29:51+00:00", "2020-08-23T21:38:05.258+01:00", "1990-12-01T00:00:00z", ""])
        @example(
            texts=["2017-04-05 14:30:00 -0600", "2017-04-05", "2017-04-05 +0100", "2017-04-05+01:00", "2017-04-05Z"]
        )
        @example(
            texts=["2016-02-29", "2017-02-29", "1900-02-29", "2000-02-29", "2017-04-31", "2017-00-01", "2017-13-01"]
        )
        @example(texts=["0000-01-01", "0001-01-01", "0001-01-01T00:00+00:01", "9999-12-31T23:59-00:01", "9999-12-31"])
        @example(texts=["2017-01-01T24:00", "2017-01-01T23:60", "2017-01-01T23:59:60", "2017-01-01T10:00+24:00"])
        @example(texts=["2017-01-01T10:00.5Z", "2017-01-01T10:00:00,123456789", "2017-01-01T10:00:00.9999999+00:30"])
        @example(
            texts=["\u3000 2017-01-01\u0085", "2017-01-01T10:00\u2009Z", "2017-01-01\tT10:00", f"2017-01-01{' ' * 60}"]
        )
        @given(texts=st.lists(st.one_of(SPELLINGS, SPELLINGS, NOT_QUITE), min_size=1, max_size=20))
        def check(texts: list[str]) -> None:
            found = runner.run(connection.fetchval(READ_TIMESTAMPS, texts))
            assert found == [read_timestamp(text) for text in texts]

        try:
            check()
        finally:
            runner.run(connection.close())


def test_texts_read_the_same_in_the_database_as_in_the_workers(database_url: str) -> None:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_url))

        @settings(max_examples=200)
        @example(value="12345678901234567890123456789")
        @example(value=12345678901234567890123456789)
        @example(value=-1)
        @example(value=0.5)
        @example(value=" \t\u2028")
        @example(value=" a b\u00a0")
        @given(value=JSON)
        def check(value: Any) -> None:
            found = runner.run(connection.fetchval("SELECT read_text($1::jsonb)", json.dumps(value)))
            assert found == read_text(value)

        try:
            check()
        finally:
            runner.run(connection.close())
