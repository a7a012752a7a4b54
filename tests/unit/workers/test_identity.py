from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.facts import PersonIdentity
from workers.mirror.identity import Alias, MergeNeededError, aliases_of, resolve, resolve_completely, uid_of

ids = st.none() | st.sampled_from(["1", "2", "3"])
keys = st.none() | st.sampled_from(["a", "b", "c"])
identities = st.tuples(ids, keys).filter(any).map(lambda pair: PersonIdentity(*pair))


def learn(known: dict[Alias, UUID], told: list[PersonIdentity]) -> dict[Alias, UUID]:
    """Return person_identities after these were resolved against it, as the store does."""
    try:
        resolution = resolve("acme", told, known)
    except MergeNeededError:
        resolution = resolve_completely("acme", told, known)
    moved = {alias: resolution.moves.get(uid, uid) for alias, uid in known.items()}
    return moved | resolution.new_aliases


def test_ids_that_came_together_mean_one_person() -> None:
    known = learn({}, [PersonIdentity("1", "a")])
    assert known[("person_id", "1")] == known[("person_key", "a")] == uid_of("acme", ("person_id", "1"))


def test_the_same_id_in_two_companies_means_two_persons() -> None:
    assert uid_of("acme", ("person_id", "1")) != uid_of("umbrella", ("person_id", "1"))


def test_a_link_between_two_known_persons_needs_a_merge() -> None:
    known = learn(learn({}, [PersonIdentity("1", None)]), [PersonIdentity(None, "a")])
    assert len(set(known.values())) == 2
    with pytest.raises(MergeNeededError):
        resolve("acme", [PersonIdentity("1", "a")], known)
    assert len(set(learn(known, [PersonIdentity("1", "a")]).values())) == 1


def test_a_person_known_by_id_learns_its_key_without_a_merge() -> None:
    known = learn({}, [PersonIdentity("1", None)])
    assert resolve("acme", [PersonIdentity("1", "a")], known).moves == {}


@given(st.lists(identities, min_size=1, max_size=5), st.data())
def test_in_whatever_order_and_batches_links_are_learnt_the_persons_are_the_same(
    told: list[PersonIdentity], data: st.DataObject
) -> None:
    at_once = learn({}, told)
    known: dict[Alias, UUID] = {}
    rest = data.draw(st.permutations(told + told[:2]))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        known, rest = learn(known, list(rest[:size])), rest[size:]
    assert known == at_once


def test_a_chain_of_links_is_one_person_in_every_order() -> None:
    chain = [PersonIdentity("1", "a"), PersonIdentity("2", "a"), PersonIdentity("2", "b")]
    for order in permutations(chain):
        known: dict[Alias, UUID] = {}
        for identity in order:
            known = learn(known, [identity])
        assert set(known.values()) == {uid_of("acme", ("person_id", "1"))}


def test_an_identity_without_any_id_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a person_id or a person_key"):
        aliases_of(PersonIdentity(None, None))


def test_the_least_alias_of_an_identity_comes_first() -> None:
    assert aliases_of(PersonIdentity("1", "a")) == [("person_id", "1"), ("person_key", "a")]
