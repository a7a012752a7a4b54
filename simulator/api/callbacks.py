"""The Callback API: registrations, and test events."""

from aiohttp import web

from simulator.api.context import answer, api_version, company_of, read_object, simulator_of
from simulator.dummies import make_test_event
from simulator.errors import UnknownRecordError, UnprocessableError
from simulator.events import CALLBACK_TYPES


async def register(request: web.Request) -> web.Response:
    """Register a callback."""
    body = await read_object(request)
    company, now = company_of(request), simulator_of(request).clock()
    registration = company.registrations.register(body, api_version(request), now)
    return answer(registration.entity(company.config.company_key), 201)


async def list_all(request: web.Request) -> web.Response:
    """Answer with the active and future registrations."""
    company, now = company_of(request), simulator_of(request).clock()
    return answer([each.entity(company.config.company_key) for each in company.registrations.listed(now)])


async def get(request: web.Request) -> web.Response:
    """One registration."""
    company = company_of(request)
    registration = company.registrations.get(request.match_info["callback_id"])
    return answer(registration.entity(company.config.company_key))


async def update(request: web.Request) -> web.Response:
    """Replace a registration."""
    body = await read_object(request)
    company, now = company_of(request), simulator_of(request).clock()
    callback_id, version = request.match_info["callback_id"], api_version(request)
    registration = company.registrations.update(callback_id, body, version, now)
    return answer(registration.entity(company.config.company_key))


async def cancel(request: web.Request) -> web.Response:
    """End a registration now."""
    company, now = company_of(request), simulator_of(request).clock()
    registration = company.registrations.cancel(request.match_info["callback_id"], now)
    return answer(registration.entity(company.config.company_key))


async def send_test_event(request: web.Request) -> web.Response:
    """Send a dummy event of a type to whoever is registered for it; it changes nothing."""
    body = await read_object(request)
    company, now = company_of(request), simulator_of(request).clock()
    callback_type = body.get("callback_type") or body.get("event_type")
    if callback_type not in CALLBACK_TYPES:
        raise UnprocessableError("callback_type is missing or not one of the 17 types")
    destinations = company.registrations.of_type(callback_type, now)
    if not destinations:
        raise UnknownRecordError("No active callback of this type is registered")
    event = make_test_event(callback_type, body, now)
    company.post(company.router.callbacks_to(destinations, event))
    return answer({"message": "The test callback is queued", "event_id": event.event_id}, 201)


_CALLBACKS = "/{company_key}/config/callbacks"
ROUTES = [
    web.post(_CALLBACKS, register),
    web.post(_CALLBACKS + "/", register),
    web.get(_CALLBACKS, list_all),
    web.get(_CALLBACKS + "/", list_all),
    web.get(_CALLBACKS + "/{callback_id}", get),
    web.put(_CALLBACKS + "/{callback_id}", update),
    web.delete(_CALLBACKS + "/{callback_id}", cancel),
    web.post("/{company_key}/config/callback_events/test", send_test_event),
]
