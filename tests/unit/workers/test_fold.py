from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.facts import Fact, OptIn, OptOut, PersonIdentity, Profile, Sighting, Stay
from workers.mirror.fold import State, fold
from workers.mirror.identity import uid_of

DAY = datetime(2024, 1, 1, tzinfo=UTC)
P1, P2 = PersonIdentity("1", "a"), PersonIdentity("2", None)
UIDS: dict[PersonIdentity, UUID] = {
    person: uid_of("acme", ("person_id", person.person_id or "")) for person in (P1, P2)
}

persons = st.sampled_from([P1, P2])
moments = st.integers(0, 3).map(lambda days: DAY + timedelta(days=days))
event_ids = st.sampled_from(["e1", "e2", "e3"])
texts = st.none() | st.sampled_from(["x", "y"])

profiles = st.builds(
    Profile,
    person=persons,
    at=moments,
    event_date=moments,
    external_person_id=texts,
    mdn=texts,
    mdn_e164=st.none(),
    carrier_code=texts,
    timezone=st.none(),
    timezone_source=st.none(),
    custom_fields=st.dictionaries(st.sampled_from("ab"), texts),
    created_at=st.none(),
    updated_at=st.none() | moments,
)
sightings = st.builds(Sighting, person=persons, at=moments, external_person_id=texts, mdn=texts, mdn_e164=st.none())
stays = st.builds(
    Stay,
    person=persons,
    list_id=st.sampled_from(["L1", "L2"]),
    opt_in_date=moments,
    opt_in=st.none() | st.builds(OptIn, event_date=moments, event_id=event_ids),
    opt_out=st.none() | st.builds(OptOut, date=moments, event_date=moments, event_id=event_ids, reason=texts),
    acquisition_campaign_id=texts,
)
facts: st.SearchStrategy[Fact] = st.one_of(profiles, sightings, stays)


def comparable(state: State) -> tuple[object, object]:
    """Return all of the state."""
    return state.persons, state.stays


@given(st.lists(facts, max_size=8), st.data())
def test_the_order_and_number_of_facts_do_not_matter(told: list[Fact], data: st.DataObject) -> None:
    again = data.draw(st.permutations(told + told[: len(told) // 2]))
    assert comparable(fold(again, UIDS)) == comparable(fold(told, UIDS))


def stay(**fields: object) -> Stay:
    return Stay(person=P1, list_id="L1", opt_in_date=DAY, **fields)  # type: ignore[arg-type]  # built by keyword in specs


def test_an_opt_in_never_reopens_a_stay_that_was_ended() -> None:
    ended = stay(opt_out=OptOut(DAY, DAY, "out", "user_opt_out"))
    began = stay(opt_in=OptIn(DAY + timedelta(days=9), "in"))
    state = fold([ended, began], UIDS)
    (told,) = state.stays.values()
    assert told.opt_out is not None
    assert told.opt_in is not None


def test_the_earliest_opt_out_ended_the_stay() -> None:
    early = OptOut(DAY + timedelta(days=1), DAY, "e1", "keyword_opt_out")
    late = OptOut(DAY + timedelta(days=5), DAY, "e2", "list_archived")
    (told,) = fold([stay(opt_out=late), stay(opt_out=early)], UIDS).stays.values()
    assert told.opt_out == early


def test_a_profile_with_a_later_update_replaces_the_one_before_wholly() -> None:
    def profile(at: datetime, fields: dict[str, str]) -> Profile:
        return Profile(P1, at, DAY, "ext", "+15551234567", None, None, None, None, fields, None, at)

    older, newer = profile(DAY, {"a": "1", "b": "2"}), profile(DAY + timedelta(hours=1), {"a": "3"})
    state = fold([newer, older], UIDS)
    kept = state.persons[UIDS[P1]].profile
    assert kept is not None
    assert kept.profile.custom_fields == {"a": "3"}


def test_of_two_profiles_that_differ_only_in_telling_their_update_one_wins_in_any_order() -> None:
    def profile(updated_at: datetime | None) -> Profile:
        return Profile(P1, DAY, DAY, None, None, None, None, None, None, {}, None, updated_at)

    told = [profile(DAY), profile(None)]
    assert fold(told, UIDS) == fold(told[::-1], UIDS)
