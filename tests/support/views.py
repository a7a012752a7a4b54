"""The views of current state, and their rows."""

from typing import Any

from runtime.postgres import Pool

VIEWS = (
    "participations",
    "push_devices",
    "wallet_items",
    "subscription_lists",
    "inbound_messages",
    "event_steps",
    "event_outcomes",
)


async def rows(pool: Pool, view: str) -> list[dict[str, Any]]:
    """Return the rows of a view in an order of their own."""
    found = await pool.fetch(f"SELECT * FROM {view}")  # noqa: S608 - one of our views
    return sorted((dict(row) for row in found), key=repr)
