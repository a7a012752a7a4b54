"""`vibes-pipeline persons show`: everything the database knows about somebody."""

import asyncio
from typing import Annotated, Any

import typer

from cli.conflicts.inputs import Json, Unmasked
from cli.persons import lookup
from cli.persons.lookup import Row
from cli.persons.views import masked_row, print_dossier
from cli.printing import as_json
from cli.services import postgres
from cli.vibes_account import CompanyKey, choose_company
from runtime.companies import Company, load_companies
from runtime.postgres import Connection
from runtime.settings import load_settings
from schemas.crm_change import mdn_e164
from schemas.errors import ConfigurationError, ServiceError
from workers.mirror.identity import crm_record_uid

Dossier = dict[str, Any]


def show(
    external_id: Annotated[str | None, typer.Option(help="The CRM's id.")] = None,
    person_key: Annotated[str | None, typer.Option(help="Vibes' key.")] = None,
    person_id: Annotated[str | None, typer.Option(help="Vibes' (deprecated) id.")] = None,
    mdn: Annotated[str | None, typer.Option(help="Mobile number; several persons may have had it.")] = None,
    company: CompanyKey = None,
    unmasked: Unmasked = False,
    json: Json = False,
) -> None:
    """Show somebody: as Vibes has them, their subscriptions, the CRM's record, syncs, last calls and events."""
    given = [value for value in (external_id, person_key, person_id, mdn) if value is not None]
    if len(given) != 1 or not given[0].strip():
        raise ConfigurationError("give one of --external-id, --person-key, --person-id, --mdn")
    settings = load_settings()
    chosen = choose_company(load_companies(settings.companies_file), company)
    number = mdn_e164(mdn, chosen.default_country) if mdn else None
    if mdn and number is None:
        raise ConfigurationError("--mdn: not a phone number; write it with + and the country code")

    async def read() -> Dossier:
        async with postgres(settings) as connection:
            return await gather(
                connection,
                chosen,
                external_person_id=external_id,
                person_key=person_key,
                person_id=person_id,
                number=number,
            )

    dossier = asyncio.run(read())
    if not (dossier["persons"] or dossier["crm"] or dossier["syncs"]):
        raise ServiceError("neither the mirror, nor the CRM's records, nor the outbox have anybody like that")
    if not unmasked:
        dossier = mask(dossier)
    if json:
        print(as_json(dossier))
    else:
        print_dossier(dossier)


async def gather(
    connection: Connection,
    company: Company,
    *,
    external_person_id: str | None = None,
    person_key: str | None = None,
    person_id: str | None = None,
    number: str | None = None,
) -> Dossier:
    """Return what is known about whoever has one of these ids, or this number (E.164)."""
    key = company.company_key
    uids = await lookup.find_person_uids(
        connection,
        key,
        external_person_id=external_person_id,
        person_key=person_key,
        person_id=person_id,
        mdn_e164=number,
    )
    persons = await lookup.persons(connection, key, uids)
    records = await _records(connection, key, persons, external_person_id, number)
    for record in records:
        # A record is written to the person it is bound to, who may lack its id and its number.
        bound = {"person_key": record["person_key"], "person_id": record["person_id"]}
        uids = list(dict.fromkeys([*uids, *await lookup.find_person_uids(connection, key, **bound)]))
    externals: set[str] = {record["external_person_id"] for record in records}
    if external_person_id:
        externals.add(external_person_id)
    everybody = [*uids, *(crm_record_uid(key, external) for external in sorted(externals))]
    stays = await lookup.stays(connection, key, uids)
    return {
        "company_key": key,
        "persons": [_with_stays(person, stays) for person in await lookup.persons(connection, key, uids)],
        "crm": records,
        "syncs": await lookup.syncs(connection, key, everybody),
        "calls": await lookup.calls(connection, key, everybody),
        "events": await lookup.events(connection, key, uids),
    }


def mask(dossier: Dossier) -> Dossier:
    """Return the dossier with numbers, addresses and Vibes' words masked."""
    return {
        name: [masked_row(row) for row in value] if isinstance(value, list) else value
        for name, value in dossier.items()
    }


async def _records(
    connection: Connection, company_key: str, persons: list[Row], external: str | None, number: str | None
) -> list[Row]:
    externals = [external, *(person["external_person_id"] for person in persons)]
    return await lookup.crm_records(
        connection,
        company_key,
        external_person_ids=[each for each in externals if each],
        mdns_e164=[number] if number else [],
        person_keys=[person["person_key"] for person in persons if person["person_key"]],
    )


def _with_stays(person: Row, stays: list[Row]) -> Row:
    own = [stay for stay in stays if stay["person_uid"] == person["person_uid"]]
    return {**person, "subscriptions": [{k: v for k, v in stay.items() if k != "person_uid"} for stay in own]}
