"""The Subscription API: who is on which list. There is no route to subscribe: joining is by campaign only."""

from aiohttp import web

from simulator import mdn as numbers
from simulator.api import shapes
from simulator.api.context import answer, api_version, company_of, simulator_of
from simulator.errors import UnknownRecordError
from simulator.model import Person


async def list_of_person(request: web.Request) -> web.Response:
    """Answer with a person's stays: the active ones, with active_only=false all."""
    company = company_of(request)
    active_only = request.query.get("active_only", "true").lower() != "false"
    stays = company.db.stays.of_person(_person(request), active_only=active_only)
    return answer([shapes.stay(stay, company.config.company_key) for stay in stays])


async def get_subscription(request: web.Request) -> web.Response:
    """Answer with a person's active stay on a list, in an array as the OpenAPI of Vibes has it."""
    company, list_id = company_of(request), request.match_info["list_id"]
    company.db.stays.find_list(list_id)
    stay = company.db.stays.active(_person(request), list_id)
    if stay is None:
        raise UnknownRecordError("The person is not subscribed to the list")
    return answer([shapes.stay(stay, company.config.company_key)])


async def unsubscribe(request: web.Request) -> web.Response:
    """End a stay; it comes back as subscription_removed with api_opt_out."""
    company, now = company_of(request), simulator_of(request).clock()
    stay = company.db.stays.opt_out(_person(request), request.match_info["list_id"], now, "api_opt_out")
    company.tell([company.announcer.opt_out(stay, now)], now)
    return web.Response(status=204)


async def all_lists(request: web.Request) -> web.Response:
    """Answer with the lists that can be joined."""
    company = company_of(request)
    lists = company.db.stays.open_lists()
    return answer([shapes.subscription_list(each, company.config.company_key) for each in lists])


async def get_list(request: web.Request) -> web.Response:
    """One list."""
    company = company_of(request)
    which = company.db.stays.find_list(request.match_info["list_id"])
    return answer(shapes.subscription_list(which, company.config.company_key))


async def campaigns_of_list(request: web.Request) -> web.Response:
    """Answer with the acquisition campaigns that lead to a list."""
    company = company_of(request)
    which = company.db.stays.find_list(request.match_info["list_id"])
    campaigns = company.db.campaigns.of_list(which.list_id)
    return answer([shapes.campaign(campaign, company.config.company_key) for campaign in campaigns])


async def find_subscriber(request: web.Request) -> web.Response:
    """Answer with the subscriber of a list with this mdn, person_key or external_person_id."""
    company, version = company_of(request), api_version(request)
    which = company.db.stays.find_list(request.match_info["list_id"])
    for person in _named(request):
        if company.db.stays.active(person, which.list_id):
            return answer(shapes.person(person, company.config.company_key, version))
    raise UnknownRecordError("No subscriber of the list matches")


def _named(request: web.Request) -> list[Person]:
    persons, query = company_of(request).db.persons, request.query
    if "mdn" in query:
        return persons.holders(numbers.parse(query["mdn"], api_version(request)))
    if "external_person_id" in query:
        return [persons.find_external(query["external_person_id"])]
    return [persons.find(query.get("person_key", ""))]


def _person(request: web.Request) -> Person:
    persons, names = company_of(request).db.persons, request.match_info
    if "external_person_id" in names:
        return persons.find_external(names["external_person_id"])
    return persons.find(names["person_key"])


_PERSONS = "/{company_key}/mobiledb/persons"
_LISTS = "/{company_key}/mobiledb/subscription_lists"
ROUTES = [
    route
    for person in (_PERSONS + "/external/{external_person_id}", _PERSONS + "/{person_key}")
    for route in (
        web.get(person + "/subscriptions", list_of_person),
        web.get(person + "/subscriptions/{list_id}", get_subscription),
        web.delete(person + "/subscriptions/{list_id}", unsubscribe),
    )
] + [
    web.get(_LISTS, all_lists),
    web.get(_LISTS + "/", all_lists),
    web.get(_LISTS + "/{list_id}", get_list),
    web.get(_LISTS + "/{list_id}/acquisition_campaigns", campaigns_of_list),
    web.get(_LISTS + "/{list_id}/acquisition_campaigns/", campaigns_of_list),
    web.get(_LISTS + "/{list_id}/subscribers", find_subscriber),
]
