"""The Acquisition API: campaigns, and web sign-up to them."""

from datetime import datetime

from aiohttp import web

from simulator import mdn as numbers
from simulator.api import shapes
from simulator.api.context import answer, api_version, company_of, read_object, simulator_of
from simulator.company import Company
from simulator.errors import UnknownRecordError
from simulator.events import Event
from simulator.mobiledb import SignUp
from simulator.model import Person

_MOST_CAMPAIGNS = 50


async def add_participant(request: web.Request) -> web.Response:
    """Sign somebody up: 201 when the flow begins, 200 when it is pending already."""
    body = await read_object(request)
    patch = shapes.read_person(body, api_version(request))
    company, now = company_of(request), simulator_of(request).clock()
    named = body.get("person_key") or body.get("person_id")
    person = company.db.persons.find(str(named)) if named else None
    sign_up = company.db.sign_up(request.match_info["acquisition_id"], patch, now, person)
    company.tell(_events(company, sign_up, now), now)
    entity = shapes.participation(sign_up.participation, company.config.company_key)
    return answer(entity, 200 if sign_up.write is None else 201)


async def pending_participants(request: web.Request) -> web.Response:
    """Answer with the pending participations of whom mdn, person_id or external_person_id names; often none."""
    company, now = company_of(request), simulator_of(request).clock()
    campaign = company.db.campaigns.find(request.match_info["acquisition_id"])
    found = [company.db.campaigns.pending(campaign, person, now) for person in _named(request)]
    return answer([shapes.participation(each, company.config.company_key) for each in found if each])


async def all_campaigns(request: web.Request) -> web.Response:
    """Answer with the campaigns, 50 at most; 404 when there is none."""
    company = company_of(request)
    campaigns = list(company.db.campaigns.campaigns.values())[:_MOST_CAMPAIGNS]
    if not campaigns:
        raise UnknownRecordError("There is no acquisition campaign")
    return answer([shapes.campaign(campaign, company.config.company_key) for campaign in campaigns])


async def get_campaign(request: web.Request) -> web.Response:
    """One campaign."""
    company = company_of(request)
    campaign = company.db.campaigns.find(request.match_info["acquisition_id"])
    return answer(shapes.campaign(campaign, company.config.company_key))


def _events(company: Company, sign_up: SignUp, now: datetime) -> list[Event]:
    if sign_up.write is None:
        return []
    events = [
        company.announcer.write(sign_up.write, now),
        *company.announcer.participation(sign_up.participation, now),
    ]
    return events if sign_up.stay is None else [*events, company.announcer.opt_in(sign_up.stay, now)]


def _named(request: web.Request) -> list[Person]:
    persons, query = company_of(request).db.persons, request.query
    try:
        if "mdn" in query:
            return persons.holders(numbers.parse(query["mdn"], api_version(request)))
        if "external_person_id" in query:
            return [persons.find_external(query["external_person_id"])]
        return [persons.find(query.get("person_id", ""))]
    except UnknownRecordError:
        return []  # Vibes answers an empty array for people it does not know


_CAMPAIGNS = "/{company_key}/campaigns/acquisition"
ROUTES = [
    web.get(_CAMPAIGNS, all_campaigns),
    web.get(_CAMPAIGNS + "/{acquisition_id}", get_campaign),
    web.get(_CAMPAIGNS + "/{acquisition_id}/participants", pending_participants),
    web.post(_CAMPAIGNS + "/{acquisition_id}/participants", add_participant),
]
