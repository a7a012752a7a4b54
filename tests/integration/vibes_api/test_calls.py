"""Each call: its route, its headers, its answers."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

import pytest

from tests.integration.vibes_api.scripted import (
    PATCH,
    PERSON,
    SPEC,
    Responder,
    Use,
    Vibes,
    Watch,
    reply,
)
from vibes_api import (
    CONFIRMATION_BLOCK,
    InvalidRequest,
    NotFound,
    PersonPatch,
    SignUpOutcome,
    Unprocessable,
    VibesClient,
)

ROOT = "/companies/comp%201"
EXTERNAL = f"{ROOT}/mobiledb/persons/external/a%2Fb%20%C3%BC"
USES: dict[str, Use] = {
    f"GET {ROOT}/mobiledb/persons/k-1": lambda v: v.persons.get("k-1"),
    f"GET {EXTERNAL}": lambda v: v.persons.get_by_external_id("a/b ü"),
    f"GET {ROOT}/mobiledb/persons?mdn=%2B12135551234": lambda v: v.persons.find_by_mdn("+12135551234"),
    f"POST {ROOT}/mobiledb/persons/": lambda v: v.persons.add(PATCH),
    f"PUT {ROOT}/mobiledb/persons/k-1": lambda v: v.persons.update("k-1", PATCH),
    f"PUT {EXTERNAL}": lambda v: v.persons.update_by_external_id("a/b ü", PATCH),
    f"POST {ROOT}/config/callbacks/": lambda v: v.callbacks.register(SPEC),
    f"GET {ROOT}/config/callbacks/": lambda v: v.callbacks.list(),
    f"GET {ROOT}/config/callbacks/1151": lambda v: v.callbacks.get("1151"),
    f"PUT {ROOT}/config/callbacks/1151": lambda v: v.callbacks.update("1151", SPEC),
    f"DELETE {ROOT}/config/callbacks/1151": lambda v: v.callbacks.cancel("1151"),
    f"POST {ROOT}/config/callback_events/test": lambda v: v.callbacks.send_test("person_added"),
    f"POST {ROOT}/campaigns/acquisition/C1/participants": lambda v: v.participants.add(
        "C1",
        PATCH,
        person_key="k-1",
    ),
    f"GET {ROOT}/campaigns/acquisition/C1/participants?external_person_id=x%26y": lambda v: (
        v.participants.search_pending("C1", external_person_id="x&y")
    ),
    f"GET {ROOT}/mobiledb/persons/k-1/subscriptions": lambda v: v.subscriptions.list("k-1"),
    f"GET {ROOT}/mobiledb/persons/k-1/subscriptions?active_only=false": lambda v: v.subscriptions.list(
        "k-1", active_only=False
    ),
    f"GET {EXTERNAL}/subscriptions": lambda v: v.subscriptions.list_by_external_id("a/b ü"),
    f"GET {ROOT}/mobiledb/persons/k-1/subscriptions/12": lambda v: v.subscriptions.get("k-1", "12"),
    f"GET {EXTERNAL}/subscriptions/12": lambda v: v.subscriptions.get_by_external_id("a/b ü", "12"),
    f"DELETE {ROOT}/mobiledb/persons/k-1/subscriptions/12": lambda v: v.subscriptions.unsubscribe(
        "k-1",
        "12",
    ),
    f"DELETE {EXTERNAL}/subscriptions/12": lambda v: v.subscriptions.unsubscribe_by_external_id(
        "a/b ü",
        "12",
    ),
    f"GET {ROOT}/campaigns/acquisition": lambda v: v.campaigns.list(),
    f"GET {ROOT}/campaigns/acquisition/C1": lambda v: v.campaigns.get("C1"),
}


@pytest.mark.parametrize("line", USES)
async def test_every_call_goes_to_its_documented_route_with_the_headers_of_version_2(
    line: str, client: VibesClient, vibes: Vibes, watch: Watch
) -> None:
    vibes.script = [reply(200, {"person_key": "k-1"})]

    await USES[line](client)

    (request,) = vibes.seen
    assert f"{request.method} {request.path}" == line
    assert request.headers["X-API-Version"] == "2"
    assert request.headers["Content-Type"] == "application/json"
    credentials = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
    assert credentials.decode() == "me@example.com:pä:ss"
    (call,) = watch.calls
    assert call.route.startswith(f"{call.method} /")
    assert not re.search(r"k-1|1151|C1|%|12|comp", call.route)


@pytest.mark.parametrize(
    "external_id",
    [
        "a/b",
        "100%",
        "%2F",
        "a+b&c=d;e",
        "x@y.z:8",
        "(!*')$,",
        "?q#f",
        "..a/../b",
        "~._-",
        "Žluť 漢\x00\n",
        "%2e%2e",
    ],
)
async def test_an_external_id_arrives_percent_encoded_to_the_last_sign(
    external_id: str, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [reply(200, PERSON)]

    await client.persons.get_by_external_id(external_id)

    segment = vibes.seen[0].path.removeprefix(f"{ROOT}/mobiledb/persons/external/")
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+", segment)
    assert unquote(segment) == external_id


async def test_a_write_sends_the_patch_and_returns_the_person_with_the_status(
    client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [reply(201, PERSON)]

    written = await client.persons.update("k-1", PATCH)

    assert vibes.seen[0].body == {"custom_fields": {"zip": None}}
    assert written.status == 201
    assert written.person is not None
    assert written.person.mdn == "+12135551234"


@pytest.mark.parametrize("empty", [reply(200), reply(204), reply(201, b"null")])
async def test_a_write_answered_without_a_body_is_a_success_without_a_person(
    empty: Responder, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [empty]

    assert (await client.persons.add(PATCH)).person is None
    assert await client.callbacks.cancel("1") is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (reply(200, PERSON), 1),
        (reply(200, [PERSON, PERSON]), 2),
        (reply(200, []), 0),
        (reply(200), 0),
        (reply(404), 0),
    ],
)
async def test_a_number_finds_nobody_one_or_many(
    answer: Responder, found: int, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [answer]

    assert len(await client.persons.find_by_mdn("+12135551234")) == found


@pytest.mark.parametrize("use", [use for line, use in USES.items() if re.search("^DELETE.*subscr", line)])
@pytest.mark.parametrize("status", [200, 204, 404])
async def test_unsubscribing_is_done_when_the_person_is_off_the_list(
    status: int, use: Use, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [reply(status)]

    await use(client)


async def test_nothing_found_is_an_empty_list_where_vibes_says_404(client: VibesClient, vibes: Vibes) -> None:
    vibes.script = [reply(404)]

    assert await client.subscriptions.get("k-1", "12") == []
    assert await client.campaigns.list() == []
    with pytest.raises(NotFound):
        await client.subscriptions.list("k-1")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply(200, {"status": "PENDING"}), SignUpOutcome.PENDING),
        (reply(200), SignUpOutcome.PENDING),
        (reply(201, {"status": "pending", "participation_date": ""}), SignUpOutcome.PENDING),
        (reply(201, {"status": "SUBSCRIBED"}), SignUpOutcome.SUBSCRIBED),
        (reply(201), SignUpOutcome.ACCEPTED),
        (reply(409), SignUpOutcome.ALREADY_SUBSCRIBED),
    ],
)
async def test_a_sign_up_tells_what_to_say_to_the_person(
    answer: Responder, outcome: SignUpOutcome, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [reply(503), answer]

    signed_up = await client.participants.add("C1", PersonPatch(mdn="+12995551234"))

    assert signed_up.outcome is outcome
    assert vibes.seen[-1].body == {"mobile_phone": {"mdn": "+12995551234"}}


async def test_a_blocked_sign_up_can_be_told_from_other_refusals(client: VibesClient, vibes: Vibes) -> None:
    vibes.script = [reply(422, {"errors": [{"code": CONFIRMATION_BLOCK, "message": "no"}]})]

    with pytest.raises(Unprocessable) as failure:
        await client.participants.add("C1", PersonPatch(mdn="+12995551234"))

    assert failure.value.mentions(CONFIRMATION_BLOCK)


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v.persons.get(""),
        lambda v: v.callbacks.cancel(" "),
        lambda v: v.persons.update_by_external_id("..", PATCH),
        lambda v: v.persons.find_by_mdn(""),
        lambda v: v.persons.add(PersonPatch(custom_fields={"points": float("nan")})),
        lambda v: v.participants.add("C1", PersonPatch(mdn=None)),
        lambda v: v.participants.search_pending("C1"),
        lambda v: v.participants.search_pending("C1", mdn="+1", person_id="2"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    use: Use, client: VibesClient, vibes: Vibes, watch: Watch
) -> None:
    with pytest.raises(InvalidRequest, match="not sent"):
        await use(client)

    assert (vibes.seen, watch.calls, watch.entered) == ([], [], 0)
