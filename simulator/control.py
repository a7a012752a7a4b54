"""The control API under /_simulator/: start runs, read the truth, switch faults. Vibes has nothing like it."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

import orjson
from aiohttp import web

from simulator.api import shapes
from simulator.api.context import answer, answer_refusal, read_object, simulator_of
from simulator.api.guards import Handler
from simulator.company import Company
from simulator.errors import RefusedError, UnknownRecordError, UnprocessableError
from simulator.model import JsonObject
from simulator.runs import RunSpec
from simulator.settings import read
from simulator.truth import truth

_LINES_AT_ONCE: Final = 500
_API_VERSION: Final = 2


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal into its answer."""
    try:
        return await handler(request)
    except RefusedError as refusal:
        return answer_refusal(refusal)


async def start_run(request: web.Request) -> web.Response:
    """Begin a run; the body has the fields of `RunSpec`."""
    body = await read_object(request)
    if not isinstance(body.get("company_key"), str):
        raise UnprocessableError("company_key is required: the key of a configured company")
    run = simulator_of(request).start_run(read(RunSpec(body["company_key"]), body))
    return answer({"id": run.run_id}, 201)


async def get_run(request: web.Request) -> web.Response:
    """Answer with the figures of a run."""
    run = simulator_of(request).runs.get(request.match_info["run_id"])
    if run is None:
        raise UnknownRecordError("No run has this id")
    return answer(run.to_json())


async def list_runs(request: web.Request) -> web.Response:
    """Answer with the figures of all runs."""
    return answer([run.to_json() for run in simulator_of(request).runs.values()])


async def list_companies(request: web.Request) -> web.Response:
    """Answer with what each company holds, where its ledger's entries stand, and what became of its echoes."""
    return answer(
        [
            {
                "company_key": company_key,
                "persons": len(company.db.persons),
                "ledger": company.ledger.states(),
                "echoes": company.echoes.to_json(),
            }
            for company_key, company in simulator_of(request).companies.items()
        ]
    )


async def get_ledger(request: web.Request) -> web.StreamResponse:
    """Answer with the ledger, one entry a line; `?state=lost_4xx` gives only those in that state."""
    company, wanted = _company(request), request.query.get("state")
    entries = [entry for entry in company.ledger if wanted in (None, entry.state)]
    return await _stream(request, (entry.to_json(company.config.company_key) for entry in entries))


async def get_mobiledb(request: web.Request) -> web.StreamResponse:
    """Answer with the persons, then the stays, one a line."""
    company = _company(request)
    return await _stream(request, truth(company.db, company.ledger.event_ids()))


async def post_persons(request: web.Request) -> web.Response:
    """Have persons, as if they had always been there: {company_key, persons: [...]}, each the body of a person write.

    That is no call (no limit, no fault) and tells nobody. Those before one that is refused are there all the same.
    """
    body, now = await read_object(request), simulator_of(request).clock()
    company, persons = simulator_of(request).company(str(body.get("company_key"))), body.get("persons")
    if not (isinstance(persons, list) and all(isinstance(person, dict) for person in persons)):
        raise UnprocessableError("persons is required: a list of objects, each the body of a person write")
    for patch in [shapes.read_person(person, _API_VERSION) for person in persons]:
        company.db.persons.post(patch, now)
    return answer({"persons": len(company.db.persons)}, 201)


async def put_faults(request: web.Request) -> web.Response:
    """Change some of the fault settings; the others stay as they are."""
    faults = simulator_of(request).faults
    faults.settings = read(faults.settings, await read_object(request))
    return answer(faults.settings)


async def get_api_calls(request: web.Request) -> web.Response:
    """Answer with the calls of the platform API by route and status, and how near to the limit each company came."""
    simulator = simulator_of(request)
    calls = [
        {"company_key": company_key, "method": method, "route": route, "status": status, "count": count}
        for (company_key, method, route, status), count in sorted(simulator.calls.items())
    ]
    return answer(
        {
            "total": simulator.calls.total(),
            "rate_limited": sum(call["count"] for call in calls if call["status"] == "429"),
            "calls": calls,
            "companies": {
                company_key: {"peak_per_second": company.limit.peak, "over_the_limit": company.limit.refused}
                for company_key, company in simulator.companies.items()
            },
        }
    )


async def post_reply(request: web.Request) -> web.Response:
    """Let somebody answer the pending sign-up to a campaign: {company_key, acquisition_id, person_key, accepted}."""
    body, now = await read_object(request), simulator_of(request).clock()
    company = simulator_of(request).company(str(body.get("company_key")))
    campaign = company.db.campaigns.find(str(body.get("acquisition_id")))
    person = company.db.persons.find(str(body.get("person_key")))
    participation = company.db.campaigns.pending(campaign, person, now)
    if participation is None:
        raise UnknownRecordError("The person has no pending participation in this campaign")
    stay = company.db.reply(participation, now, accepted=body.get("accepted") is True)
    company.tell(company.announcer.participation(participation, now), now)
    if stay is not None:
        company.tell([company.announcer.opt_in(stay, now)], now)
    return answer({"status": participation.status})


def _company(request: web.Request) -> Company:
    return simulator_of(request).company(request.query.get("company_key", ""))


async def _stream(request: web.Request, lines: Iterable[JsonObject]) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/x-ndjson"
    await response.prepare(request)
    rest = iter(lines)
    while chunk := b"".join(orjson.dumps(line) + b"\n" for line in islice(rest, _LINES_AT_ONCE)):
        await response.write(chunk)
        await asyncio.sleep(0)  # a run goes on meanwhile
    await response.write_eof()
    return response


ROUTES = [
    web.post("/runs", start_run),
    web.get("/runs", list_runs),
    web.get("/runs/{run_id}", get_run),
    web.get("/companies", list_companies),
    web.get("/ledger", get_ledger),
    web.get("/mobiledb", get_mobiledb),
    web.post("/persons", post_persons),
    web.put("/faults", put_faults),
    web.get("/api-calls", get_api_calls),
    web.post("/replies", post_reply),
]
