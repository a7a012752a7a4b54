"""What bodies tell adds up to the same, in whatever order, batches and number they come."""

import json
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.chaos.abuse import bodies
from tests.chaos.abuse.properties import check_fold, check_join, facts_of

ids = st.none() | st.sampled_from(["1", "2", "K1", " 1 ", "\x001", "9" * 30]) | st.integers(1, 2)
moments = st.sampled_from(
    [
        None,
        "",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.000001Z",
        "2024-01-01T01:00:00+0100",
        "2024-01-02",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ]
)
phones = st.none() | st.fixed_dictionaries({"mdn": st.sampled_from([None, "", "+15551234567", "5551234567", "x"])})
people = st.fixed_dictionaries(
    {},
    optional={
        "id": ids,
        "person_id": ids,
        "person_key": ids,
        "external_person_id": ids,
        "mobile_phone": phones,
        "updated_at": moments,
        "custom_fields": st.dictionaries(st.sampled_from("ab"), st.sampled_from([None, 1, 1.0, True, "1", "\x00"])),
    },
)
stays = st.fixed_dictionaries(
    {"person": people, "subscription_list": st.just({"id": "L1"})},
    optional={
        "opt_in_date": moments,
        "opt_out_date": moments,
        "opt_out_reason": ids,
        "acquisition_campaign": st.fixed_dictionaries({"id": ids}),
    },
)
events = st.fixed_dictionaries(
    {
        "callback_type": st.sampled_from(
            ["subscription_added", "subscription_removed", "person_added", "person_updated"]
        ),
        "person": people,
        "subscription": stays,
    },
    optional={"event_id": ids, "event_date": moments},
)


PROFILE_UNDER_TWO_NAMES = [
    {"callback_type": "person_added", "person": {"id": "2"}},
    {"callback_type": "person_added", "person": {"id": "2", "person_key": "1"}},
]


@settings(max_examples=200)
@given(st.lists(events, max_size=7), st.randoms(use_true_random=False))
@example(PROFILE_UNDER_TWO_NAMES, Random(1))
def test_what_events_tell_is_joined(told: list[dict[str, Any]], random: Random) -> None:
    facts = list(facts_of(json.dumps(event).encode() for event in told))
    if facts:
        check_join(facts, random)


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_what_changed_bodies_tell_is_joined(random: Random) -> None:
    check_fold(b"\n".join(bodies.any_body(random).replace(b"\n", b"") for _ in range(6)))
