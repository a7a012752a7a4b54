"""The Person API."""

from datetime import datetime

from aiohttp import web

from simulator import mdn as numbers
from simulator.api import shapes
from simulator.api.context import answer, api_version, company_of, read_object, simulator_of
from simulator.errors import ConflictError, UnknownRecordError
from simulator.model import Person, PersonPatch
from simulator.persons import Write


async def get_person(request: web.Request) -> web.Response:
    """Answer with a person by person_key (or person_id)."""
    return _show(request, company_of(request).db.persons.find(request.match_info["person_key"]))


async def get_external(request: web.Request) -> web.Response:
    """Answer with a person by external_person_id."""
    persons = company_of(request).db.persons
    return _show(request, persons.find_external(request.match_info["external_person_id"]))


async def find_by_mdn(request: web.Request) -> web.Response:
    """Answer with the person with a number; an array when several have it, as Vibes' own client library expects."""
    if not request.query.get("mdn"):
        raise UnknownRecordError("Name a number: ?mdn=")
    company, version = company_of(request), api_version(request)
    holders = company.db.persons.holders(numbers.parse(request.query["mdn"], version))
    if not holders:
        raise UnknownRecordError("No person has this MDN")
    if len(holders) == 1:
        return _show(request, holders[0])
    return answer([shapes.person(holder, company.config.company_key, version) for holder in holders])


async def post_person(request: web.Request) -> web.Response:
    """Add a person (201), or merge into the one with the same identifiers (200)."""
    patch = await _read(request)
    company, now = company_of(request), simulator_of(request).clock()
    mdn = patch.get("mdn")
    if mdn and simulator_of(request).faults.settings.known_mdn_conflicts and company.db.persons.holders(mdn):
        raise ConflictError("The MDN is already associated with another person record")
    write = company.db.persons.post(patch, now)
    # An add request that matches fires person_updated even when it changes nothing.
    company.tell([company.announcer.write(write, now)], now)
    return _show(request, write.person, 201 if write.created else 200)


async def put_person(request: web.Request) -> web.Response:
    """Patch the person with this person_key."""
    patch = await _read(request)
    company, now = company_of(request), simulator_of(request).clock()
    person = company.db.persons.find(request.match_info["person_key"])
    write = Write(person, created=False, changed=company.db.persons.change(person, patch, now))
    return _show_write(request, write, now)


async def put_external(request: web.Request) -> web.Response:
    """Patch or add the person with this external_person_id."""
    patch = await _read(request)
    company, now = company_of(request), simulator_of(request).clock()
    external_person_id = request.match_info["external_person_id"]
    if simulator_of(request).faults.settings.unknown_external_id_is_404:
        company.db.persons.find_external(external_person_id)
    return _show_write(request, company.db.persons.put_external(external_person_id, patch, now), now)


async def _read(request: web.Request) -> PersonPatch:
    return shapes.read_person(await read_object(request), api_version(request))


def _show(request: web.Request, person: Person, status: int = 200) -> web.Response:
    company_key = company_of(request).config.company_key
    return answer(shapes.person(person, company_key, api_version(request)), status)


def _show_write(request: web.Request, write: Write, now: datetime) -> web.Response:
    if write.changed:  # Vibes documents person_updated for a modified person, so the same PUT again fires nothing
        company = company_of(request)
        company.tell([company.announcer.write(write, now)], now)
    return _show(request, write.person, 201 if write.created else 200)


_PERSONS = "/{company_key}/mobiledb/persons"
ROUTES = [
    web.get(_PERSONS, find_by_mdn),
    web.post(_PERSONS, post_person),
    web.post(_PERSONS + "/", post_person),
    web.get(_PERSONS + "/external/{external_person_id}", get_external),
    web.put(_PERSONS + "/external/{external_person_id}", put_external),
    web.get(_PERSONS + "/{person_key}", get_person),
    web.put(_PERSONS + "/{person_key}", put_person),
]
