"""Which bodies are about a person."""

import gzip

import pytest

from workers.erasure.identifiers import Identifiers
from workers.erasure.mentions import Matcher, Mention

ANN = Identifiers(
    person_ids=frozenset(["12"]),
    person_keys=frozenset(["c5235a1-e243-ann"]),
    external_person_ids=frozenset(["crm-ann"]),
    numbers=frozenset(["+13125550101"]),
)
CERTAIN = Mention(certain=True)
NOTHING = Mention()


def look(body: bytes, encoding: str | None = None) -> Mention:
    return Matcher(ANN, "US").look(body, encoding)


@pytest.mark.parametrize(
    "body",
    [
        b'{"person": {"id": "12"}}',
        b'{"person": {"person_id": 12}}',
        b'{"a": [{"person": {"person_key": "c5235a1-e243-ann"}}]}',
        b'[{"person_key": "c5235a1-e243-ann"}]',
    ],
)
def test_an_id_of_vibes_in_its_place_is_certain(body: bytes) -> None:
    assert look(body) == CERTAIN
    assert look(gzip.compress(body), "gzip") == (CERTAIN if body.startswith(b"{") else NOTHING)


@pytest.mark.parametrize(
    "body",
    [
        b'{"external_id": "crm-ann"}',
        b'{"mobile_phone": {"mdn": "3125550101"}}',
        b'{"x": {"mdn": "(312) 555-0101"}}',
        b'{"contact": "13125550101"}',
        b'{"contact": 3125550101}',
    ],
)
def test_an_external_id_or_a_number_is_likely(body: bytes) -> None:
    assert look(body) == Mention(likely=True)


def test_beside_an_id_of_vibes_it_depends_on_whose_that_is() -> None:
    assert look(b'{"person": {"id": "77", "external_id": "crm-ann"}}') == Mention(
        likely=True, other_vibes_ids=frozenset([("person_id", "77")])
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "12"}',
        b'{"list": {"id": "12"}, "count": 12}',
        b'{"person": {"id": "112"}}',
        b'{"external_id": "crm-anna"}',
        b'{"code": "c5235a1-e243-ann"}',
        b'{"mdn": "+13125550102"}',
        b'{"contact": "x13125550101"}',
    ],
)
def test_an_id_anywhere_else_is_nothing(body: bytes) -> None:
    assert look(body) == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        b'{"broken": "crm-ann',
        b"key=c5235a1-e243-ann&x=1",
        b"mdn=%2B13125550101",
        b"call 312-555-0101 now",
        b"call (312) 555-0101 now",
        b"+1 312 555 0101",
        b"\xff\xfe 13125550101 \xff",
        b'{"a": 1}\n{"mdn": "3125550101"}',
    ],
)
def test_what_is_no_json_is_searched_for_whole_words(body: bytes) -> None:
    assert look(body) == CERTAIN


@pytest.mark.parametrize(
    "body",
    [
        b"12",
        b"line 12 of 12",
        b"not-crm-ann",
        b"crm-ann-2",
        b"913125550101",
        b"131255501012",
        b"a13125550101f",
        b"",
    ],
)
def test_short_ids_and_parts_of_longer_words_are_nothing(body: bytes) -> None:
    assert look(body) == NOTHING


def test_a_deeply_nested_body_is_read() -> None:
    assert look(b'{"a":' * 500 + b'{"external_id": "crm-ann"}' + b"}" * 500).likely
