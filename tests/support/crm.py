"""Changes of the CRM: strategies for them, messages of them, and applying them without a broker."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st

from runtime.companies import Companies
from runtime.postgres import Connection, Pool
from schemas.crm_change import CrmChange
from schemas.crm_message import CrmMessage, encode
from tests.support.applying import COMPANIES
from workers.apply.crm_reading import ReadChange, read_changes
from workers.apply.crm_settle import ChangeOutcome, settle_changes

T0 = datetime(2024, 1, 1, tzinfo=UTC)

# What PostgreSQL takes: no NUL, no half of a surrogate pair.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
choices = st.fixed_dictionaries({"id": st.integers(0, 9), "name": texts}, optional={"option_key": texts})
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | choices,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
# Few values, so that fields collide and ties are common.
fields = st.fixed_dictionaries(
    {},
    optional={
        "mdn": st.sampled_from([None, "+13125550100", "(312) 555-0101"]),
        "carrier_code": st.sampled_from([None, "104", "105"]),
        "custom_fields.a": st.sampled_from([None, "x", "y", 1, 1.0, {"id": 1, "name": "One"}, ["x"]]),
        "custom_fields.ä b": json_values,
    },
)


def change(external_person_id: str, hours: float = 0, **values: Any) -> CrmChange:
    """Return a change at that hour; values are custom fields, but for `mdn` and `carrier_code`."""
    told: Mapping[str, Any] = {
        name if name in ("mdn", "carrier_code") else f"custom_fields.{name}": value for name, value in values.items()
    }
    return CrmChange(external_person_id, T0 + timedelta(hours=hours), told)


def crm_message(
    changes: Iterable[CrmChange], *, bulk: bool = False, company_key: str = "acme", message_id: UUID | None = None
) -> bytes:
    """Return the body of a broker message with these changes."""
    return encode(CrmMessage(message_id or uuid4(), company_key, datetime.now(UTC), bulk, list(changes)))


async def apply_messages(pool: Pool, *messages: bytes, companies: Companies = COMPANIES) -> list[str]:
    """Apply messages in one batch; return the outcome of every change, in order."""
    changes: list[ReadChange] = [item for body in messages for item in read_changes(body).changes]
    outcomes: dict[ReadChange, ChangeOutcome] = await settle_changes(pool, changes, companies)
    return [outcomes[item].value for item in changes]


async def apply_changes(pool: Pool, *changes: CrmChange, bulk: bool = False) -> list[str]:
    """Apply changes in one batch; return the outcome of every change, in order."""
    return await apply_messages(pool, crm_message(changes, bulk=bulk))


async def records(connection: "Connection | Pool") -> list[dict[str, Any]]:
    """Return all records, but for when they were received, which is a matter of order."""
    rows = await connection.fetch(
        "SELECT company_key, external_person_id, mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at "
        'FROM crm_persons ORDER BY company_key, external_person_id COLLATE "C"'
    )
    return [dict(row) for row in rows]
