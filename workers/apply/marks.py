"""Which events are to be applied as facts, and which only claimed: tests, and what is about erased persons."""

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum

from runtime.companies import Companies
from runtime.postgres import Connection, statement
from schemas.callbacks.events import Event
from workers.erasure.subject import subject_of
from workers.erasure.tombstones import find_erased


class Mark(Enum):
    """How an event is to be taken; the value is its callback_type in the log."""

    FACT = None
    TEST = "test"
    """Somebody had Vibes send it; it is logged as it is, and changes nothing."""
    ERASED = "erased"
    """It is about a person who was erased after it; of it only the receipt is logged."""


async def mark_events(connection: Connection, events: Sequence[Event], companies: Companies) -> list[Mark]:
    """Tell how each event is to be taken. One short query, as long as nobody of the companies was erased.

    Raises what asyncpg raises.
    """
    by_company: defaultdict[str, list[int]] = defaultdict(list)
    for place, event in enumerate(events):
        by_company[event.company_key].append(place)
    marks = [Mark.FACT] * len(events)
    rows = await connection.fetch(statement("find_marks"), sorted(by_company)) if by_company else []
    tests = {(row["company_key"], row["event_id"]) for row in rows if row["event_id"] is not None}
    for place, event in enumerate(events) if tests else ():
        if (event.company_key, event.event_id) in tests:
            marks[place] = Mark.TEST
    for company_key in [row["company_key"] for row in rows if row["event_id"] is None]:
        company = companies.get(company_key)
        country = company.default_country if company else None
        places = by_company[company_key]
        subjects = [subject_of(events[place], country) for place in places]
        for found in await find_erased(connection, company_key, subjects):
            marks[places[found]] = Mark.ERASED
    return marks
