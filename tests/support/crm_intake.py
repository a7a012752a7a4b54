"""Sends changes to ingest as a CRM would, and reads what it puts into the queue."""

import copy
import json
from io import BytesIO
from typing import Any

from runtime.companies import hash_endpoint_key
from schemas.crm_change import CrmChange
from schemas.crm_message import CrmMessage, decode
from tests.support.ingest import COMPANIES, STRANGER, Answer, Ingest, read_raw

TOKEN, SECOND_TOKEN = "t" * 43, "u" * 43

CRM_COMPANIES = copy.deepcopy(COMPANIES)
"""The companies of the other tests, each with a token."""
for _company, _token in zip(CRM_COMPANIES["companies"], (TOKEN, SECOND_TOKEN), strict=True):
    _company["crm_tokens"] = [{"name": "crm", "token_sha256": hash_endpoint_key(_token)}]


PERSON = {
    "external_person_id": "Zoë/42 %41 ünï",
    "mdn": "+13125550100",
    "carrier_code": None,
    "custom_fields": {"favourite/colour": "grün", "score": 7},
    "updated_at": "2026-01-31T12:00:00Z",
}


def persons(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Return that many records, of one person each."""
    return [{"external_person_id": f"p{number}", **fields} for number in range(count)]


async def post_changes(
    ingest: Ingest,
    body: Any,
    *,
    token: str | None = TOKEN,
    query: str = "",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    source: str = STRANGER,
) -> Answer:
    """Send a body (bytes as they are, anything else as JSON), from an address that is not one of Vibes."""
    if isinstance(body, list | dict):
        body = json.dumps(body).encode()
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return await ingest.call(
        method,
        f"{ingest.url}/crm/persons{query}",
        BytesIO(body) if isinstance(body, bytes) else body,
        source=source,
        headers=authorization | (headers or {}),
    )


def told(answer: Answer) -> Any:
    """Return the JSON of an answer."""
    assert answer.headers["Content-Type"].startswith("application/json")
    return json.loads(answer.body)


async def read_crm_messages(amqp_url: str, ingest: Ingest) -> list[CrmMessage]:
    """Take every message out of the queue of the CRM's changes."""
    raw = await read_raw(amqp_url, ingest.topology, ingest.topology.crm_changes)
    return [decode(message.body) for message in raw]


async def read_changes(amqp_url: str, ingest: Ingest) -> list[CrmChange]:
    """Take every change out of the queue, in its order."""
    return [change for message in await read_crm_messages(amqp_url, ingest) for change in message.changes]
