"""From rows of the database to what is decided by. Pure."""

import json
from typing import Any

import asyncpg

from schemas.facts import PersonIdentity
from workers.person_sync.state import CrmRecord, KnownPerson


def known_person(row: asyncpg.Record) -> KnownPerson:
    """Return the person in a row of `person_sync_load`."""
    return KnownPerson(
        identity=PersonIdentity(row["person_id"], row["person_key"]),
        hydrated=row["hydrated"],
        external_person_id=row["external_person_id"],
        external_person_id_at=row["external_person_id_at"],
        mdn=row["mdn"],
        mdn_e164=row["mdn_e164"],
        custom_fields=json_object(row["custom_fields"]),
    )


def crm_record(row: asyncpg.Record) -> CrmRecord:
    """Return the record of the CRM in a row of `person_sync_load` or `reconcile_load_records`."""
    bound = row["crm_person_id"] or row["crm_person_key"]
    return CrmRecord(
        external_person_id=row["record_id"],
        mdn=row["crm_mdn"],
        mdn_e164=row["crm_mdn_e164"],
        removes_mdn=row["crm_removes_mdn"],
        carrier_code=row["crm_carrier_code"],
        custom_fields=json_object(row["crm_custom_fields"]),
        bound_to=PersonIdentity(row["crm_person_id"], row["crm_person_key"]) if bound else None,
    )


def json_object(text: str | None) -> dict[str, Any]:
    """Return the object in a jsonb column; an empty one for anything else."""
    # Not orjson: a number too long for it would lose digits here, and be written to Vibes like that.
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
