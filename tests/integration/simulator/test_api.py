"""The simulator's platform API over HTTP, and the callbacks its use gives rise to."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from simulator.faults import WRONG_BODIES
from tests.integration.simulator.world import LISTS, ME, PERSONS, V2, Receiver, Vibes, basic

STEVE = {
    "external_person_id": "crm-1",
    "mobile_phone": {"mdn": "+12065550123", "carrier_code": "104"},
    "custom_fields": {"first_name": "Steve"},
}
ACQUISITION = "/companies/acme/campaigns/acquisition"
CALLBACKS = "/companies/acme/config/callbacks"


async def test_a_person_is_added_found_changed_and_each_write_comes_back_as_a_callback(
    vibes: Vibes, receiver: Receiver
) -> None:
    status, person = await vibes.call("POST", PERSONS + "/", STEVE)
    assert status == 201
    for path in (f"/{person['person_key']}", f"/{person['person_id']}", "/external/crm-1", "?mdn=%2B12065550123"):
        assert await vibes.call("GET", PERSONS + path) == (200, person)

    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 200
    change = {"custom_fields": {"first_name": None, "last_name": "Jones"}, "person_id": "ignored"}
    status, changed = await vibes.call("PUT", f"{PERSONS}/{person['person_key']}", change)
    assert (status, changed["custom_fields"]) == (200, {"first_name": None, "last_name": "Jones"})
    assert changed["updated_at"] > person["updated_at"]
    assert await vibes.call("PUT", PERSONS + "/external/crm-1", change) == (200, changed)
    assert (await vibes.call("PUT", PERSONS + "/external/crm-2", {}))[0] == 201

    echoes = await receiver.wait_for(4)
    types = [echo.get("callback_type") or echo["event_type"] for echo in echoes]
    assert sorted(types) == ["person_added", "person_added", "person_updated", "person_updated"]
    assert changed["custom_fields"] in [echo["person"]["custom_fields"] for echo in echoes]
    lines = await vibes.lines("mobiledb?company_key=acme")
    assert all(line["announced"] for line in lines)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/no-such-key", None, 404),
        ("GET", "/external/no-such-id", None, 404),
        ("GET", "", None, 404),
        ("GET", "?mdn=+12065550123", None, 400),
        ("GET", "?mdn=2065550123", None, 400),
        ("GET", "?mdn=%2B12065550999", None, 404),
        ("POST", "/", {"mobile_phone": {"mdn": "2065550123"}}, 400),
        ("POST", "/", ["not", "an", "object"], 400),
        ("POST", "/", {"mobile_phone": {"mdn": "+12065550123"}, "external_person_id": "crm-9"}, 409),
        ("POST", "/", {"external_person_id": "x" * 129}, 422),
        ("POST", "/", {"external_person_id": "crm-1", "custom_fields": {"shoe_size": "44"}}, 422),
        ("POST", "/", {"mobile_phone": {"mdn": "+19005550123"}}, 422),
        ("PUT", "/external/crm-1", {"mobile_phone": {"mdn": "+12065550999"}}, 409),
        ("PUT", "/no-such-key", {}, 404),
    ],
)
async def test_refusals_have_an_errors_array(vibes: Vibes, method: str, path: str, body: object, status: int) -> None:
    await vibes.call("POST", PERSONS + "/", STEVE)
    answered, errors = await vibes.call(method, PERSONS + path, body)
    assert answered == status
    assert errors["errors"][0].keys() == {"message", "code"}


async def test_an_external_id_may_hold_anything_when_percent_encoded(vibes: Vibes) -> None:
    _, person = await vibes.call("POST", PERSONS, {"external_person_id": "EXT/00 12#é"})
    assert await vibes.call("GET", PERSONS + "/external/EXT%2F00%2012%23%C3%A9") == (200, person)


async def test_version_1_speaks_national_numbers_and_is_the_default(vibes: Vibes) -> None:
    await vibes.call("POST", PERSONS, STEVE)
    for headers in ({}, {"X-API-Version": "1"}):
        status, person = await vibes.call("GET", PERSONS + "?mdn=2065550123", headers=ME | headers)
        assert (status, person["mobile_phone"]["mdn"]) == (200, "2065550123")
        assert (await vibes.call("GET", PERSONS + "?mdn=%2B12065550123", headers=ME | headers))[0] == 400
    assert (await vibes.call("GET", PERSONS + "/1", headers=ME | {"X-API-Version": "3"}))[0] == 400


async def test_a_number_of_several_persons_gives_an_array(vibes: Vibes) -> None:
    for carrier in ("104", "105"):
        await vibes.call("POST", PERSONS, {"mobile_phone": {"mdn": "+12065550123", "carrier_code": carrier}})
    status, found = await vibes.call("GET", PERSONS + "?mdn=%2B12065550123")
    assert (status, len(found)) == (200, 2)


async def test_only_the_company_itself_may_call(vibes: Vibes) -> None:
    wrong, other = basic("me@example.com", "wrong"), basic("other@example.com", "secret")
    assert (await vibes.call("GET", LISTS, headers=V2))[0] == 401
    assert (await vibes.call("GET", LISTS, headers=V2 | wrong))[0] == 401
    assert (await vibes.call("GET", LISTS, headers=V2 | other))[0] == 403
    assert (await vibes.call("GET", LISTS))[0] == 200


async def test_persons_can_be_there_from_the_beginning_without_a_call_or_a_callback(
    vibes: Vibes, receiver: Receiver
) -> None:
    persons = [{"external_person_id": f"crm {number}", "custom_fields": {"first_name": "A"}} for number in range(3)]
    body = {"company_key": "acme", "persons": persons}
    assert await vibes.call("POST", "/_simulator/persons", body) == (201, {"persons": 3})
    assert (await vibes.call("GET", "/_simulator/api-calls"))[1]["total"] == 0
    assert (await vibes.call("GET", f"{PERSONS}/external/crm%202"))[1]["custom_fields"] == {"first_name": "A"}
    assert receiver.bodies == []
    assert (await vibes.call("POST", "/_simulator/persons", {"company_key": "acme", "persons": {}}))[0] == 422


async def test_more_than_the_limit_in_a_second_gets_429_for_that_company_only(
    start: Callable[..., Awaitable[Vibes]],
) -> None:
    vibes = await start(rate_limit=5)
    answers = await asyncio.gather(*(vibes.call("GET", LISTS) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [429] * 3
    other = basic("other@example.com", "secret")
    assert (await vibes.call("GET", LISTS.replace("acme", "other"), headers=V2 | other))[0] == 200

    _, calls = await vibes.call("GET", "/_simulator/api-calls")
    assert (calls["total"], calls["rate_limited"]) == (9, 3)
    assert calls["companies"]["acme"] == {"peak_per_second": 8, "over_the_limit": 3}
    assert {
        "company_key": "acme",
        "method": "GET",
        "route": "/companies/{company_key}/mobiledb/subscription_lists",
        "status": "429",
        "count": 3,
    } in calls["calls"]


async def test_a_sign_up_is_confirmed_by_the_person_and_ended_by_delete(vibes: Vibes, receiver: Receiver) -> None:
    (_, single), (_, campaigns) = (
        await vibes.call("GET", LISTS + "/1234/acquisition_campaigns/"),
        await vibes.call("GET", ACQUISITION),
    )
    assert {campaign["acquisition_id"] for campaign in single} == {"ACQ1000", "ACQ1000S"}
    assert len(campaigns) == 4

    participants = ACQUISITION + "/ACQ1000/participants"
    status, participant = await vibes.call("POST", participants, STEVE)
    assert (status, participant["status"]) == (201, "PENDING")
    assert (await vibes.call("POST", participants, STEVE))[0] == 200
    assert await vibes.call("GET", participants + "?mdn=%2B12065550123") == (200, [participant])
    assert await vibes.call("GET", participants + "?mdn=%2B12065550999") == (200, [])

    key = participant["person"]["person_key"]
    reply = {"company_key": "acme", "acquisition_id": "ACQ1000", "person_key": key, "accepted": True}
    assert await vibes.call("POST", "/_simulator/replies", reply) == (200, {"status": "CONFIRMED"})
    assert (await vibes.call("POST", participants, STEVE))[0] == 409

    subscription = f"{PERSONS}/{key}/subscriptions/1234"
    status, (stay,) = await vibes.call("GET", subscription)
    assert (status, "opt_out_date" in stay) == (200, False)
    assert (await vibes.call("GET", LISTS + "/1234/subscribers?external_person_id=crm-1"))[1]["person_key"] == key
    assert await vibes.call("DELETE", PERSONS + "/external/crm-1/subscriptions/1234") == (204, None)
    assert (await vibes.call("DELETE", subscription))[0] == 404
    assert await vibes.call("GET", f"{PERSONS}/{key}/subscriptions") == (200, [])
    _, (ended,) = await vibes.call("GET", f"{PERSONS}/{key}/subscriptions?active_only=false")
    assert ended["opt_out_reason"] == "api_opt_out"

    echoes = await receiver.wait_for(7)
    assert sum("subscription" in echo for echo in echoes) == 2
    assert [e["participant"]["status"] for e in echoes if "participant" in e].count("CONFIRMED") == 2


async def test_a_registration_takes_over_from_the_company_url(vibes: Vibes, receiver: Receiver) -> None:
    body = {
        "callback_type": "person_added",
        "destination": {"url": receiver.url, "method": "PUT", "content_type": "text/json"},
    }
    test_event = {"callback_type": "person_added", "person": {"person_id": "77", "mobile": {"mdn": "+12065550199"}}}
    assert (await vibes.call("POST", "/companies/acme/config/callback_events/test", test_event))[0] == 404

    status, entity = await vibes.call("POST", CALLBACKS + "/", body)
    assert (status, entity["destination"]) == (201, body["destination"])
    one = f"{CALLBACKS}/{entity['callback_id']}"
    assert await vibes.call("GET", CALLBACKS) == (200, [entity])
    assert await vibes.call("GET", one) == (200, entity)

    status, queued = await vibes.call("POST", "/companies/acme/config/callback_events/test", test_event)
    assert status == 201
    (echo,) = await receiver.wait_for(1)
    assert echo["event_id"] == queued["event_id"]
    assert (echo["person"]["person_id"], echo["person"]["mobile_phone"]["mdn"]) == ("77", "+12065550199")
    assert receiver.kinds["PUT", "text/json"] == 1
    (line,) = await vibes.ledger()
    assert line["kind"] == "test"

    assert (await vibes.call("PUT", one, body))[0] == 200
    status, cancelled = await vibes.call("DELETE", one)
    assert (status, "end_date" in cancelled) == (200, True)
    assert await vibes.call("GET", CALLBACKS) == (200, [])
    assert (await vibes.call("GET", CALLBACKS + "/1"))[0] == 404
    assert (await vibes.call("POST", CALLBACKS, {"callback_type": "subscription_added"}))[0] == 422


async def test_errors_and_429_on_demand_come_before_the_write(vibes: Vibes) -> None:
    await vibes.call("PUT", "/_simulator/faults", {"error_rate": 0.5, "too_many_requests_rate": 0.5})
    statuses = {(await vibes.call("POST", PERSONS, STEVE))[0] for _ in range(30)}
    assert statuses == {429, 500, 503}

    await vibes.call("PUT", "/_simulator/faults", {"error_rate": 0, "too_many_requests_rate": 0})
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 201


async def test_a_reset_or_a_hang_comes_after_the_write(vibes: Vibes) -> None:
    await vibes.call("PUT", "/_simulator/faults", {"reset_rate": 1})
    with pytest.raises(aiohttp.ClientError):
        await vibes.call("POST", PERSONS, STEVE)
    await vibes.call("PUT", "/_simulator/faults", {"reset_rate": 0, "hang_rate": 1, "hang_seconds": 0.2})
    with pytest.raises(TimeoutError):
        await vibes.call("POST", PERSONS, {"external_person_id": "2"}, timeout=aiohttp.ClientTimeout(total=0.05))
    with pytest.raises(aiohttp.ClientError):
        await vibes.call("POST", PERSONS, {"external_person_id": "3"})

    await vibes.call("PUT", "/_simulator/faults", {"hang_rate": 0, "latency_rate": 1, "latency_seconds": 0.05})
    before = asyncio.get_running_loop().time()
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 200
    assert asyncio.get_running_loop().time() - before >= 0.05
    assert len(await vibes.lines("mobiledb?company_key=acme")) == 3
    _, calls = await vibes.call("GET", "/_simulator/api-calls")
    assert {call["status"] for call in calls["calls"]} == {"reset", "hang", "200"}


async def test_a_wrong_body_comes_after_the_write_with_the_right_status(vibes: Vibes) -> None:
    await vibes.call("PUT", "/_simulator/faults", {"wrong_body_rate": 1})
    bodies = set()
    for number in range(30):
        async with vibes.request("POST", PERSONS, {"external_person_id": f"crm-{number}"}) as answered:
            assert (answered.status, answered.content_type) == (201, "application/json")
            bodies.add(await answered.read())
    assert len(bodies) > 5
    assert bodies <= set(WRONG_BODIES)

    assert (await vibes.call("GET", PERSONS + "/nobody"))[0] == 404, "a refusal stays as it is"
    assert len(await vibes.lines("mobiledb?company_key=acme")) == 30
    _, calls = await vibes.call("GET", "/_simulator/api-calls")
    assert {call["status"]: call["count"] for call in calls["calls"]} == {"wrong body": 30, "404": 1}


async def test_a_stop_does_not_wait_for_a_hanging_call(start: Callable[..., Awaitable[Vibes]]) -> None:
    vibes = await start()
    await vibes.call("PUT", "/_simulator/faults", {"hang_rate": 1})
    hanging = asyncio.create_task(vibes.call("GET", LISTS))
    await vibes.until("/_simulator/api-calls", lambda calls: calls["companies"]["acme"]["peak_per_second"] == 1)
    async with asyncio.timeout(5):
        await vibes.stop()
    with pytest.raises(aiohttp.ClientError):
        await hanging


async def test_404_and_409_can_be_without_a_body(vibes: Vibes) -> None:
    await vibes.call("PUT", "/_simulator/faults", {"empty_error_bodies": True})
    assert await vibes.call("GET", PERSONS + "/nobody") == (404, None)
    assert (await vibes.call("POST", PERSONS, {}))[1] is not None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/_simulator/runs", {"company_key": "acme", "callback": 1}),
        ("POST", "/_simulator/runs", {"callbacks": 1}),
        ("POST", "/_simulator/runs", {"company_key": "acme", "delivery": {"no_such": 1}}),
        ("POST", "/_simulator/runs", {"company_key": "acme", "delivery": {"retry_delays": []}}),
        ("POST", "/_simulator/runs", {"company_key": "acme", "delivery": {"concurrency": 0}}),
        ("PUT", "/_simulator/faults", {"no_such_fault": 1}),
        ("PUT", "/_simulator/faults", {"error_rate": 2}),
    ],
)
async def test_a_wrong_setting_is_refused(vibes: Vibes, method: str, path: str, body: object) -> None:
    status, errors = await vibes.call(method, path, body)
    assert (status, bool(errors["errors"])) == (422, True)


async def test_where_documents_disagree_a_number_somebody_has_may_be_refused_instead_of_merged(vibes: Vibes) -> None:
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 201
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 200
    await vibes.call("PUT", "/_simulator/faults", {"known_mdn_conflicts": True})
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 409


async def test_where_documents_disagree_a_put_to_an_unknown_external_id_may_be_a_404(vibes: Vibes) -> None:
    await vibes.call("PUT", "/_simulator/faults", {"unknown_external_id_is_404": True})
    assert (await vibes.call("PUT", PERSONS + "/external/crm-1", {}))[0] == 404
    assert (await vibes.call("POST", PERSONS, STEVE))[0] == 201
    assert (await vibes.call("PUT", PERSONS + "/external/crm-1", {}))[0] == 200
