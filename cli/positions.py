"""Look up where every callback of a span of time is."""

from collections.abc import Callable

from cli.accounts import PositionCheck
from cli.span import Span
from runtime.postgres import Connection, statement

Told = Callable[[int], None]
"""Told now and then how many callbacks have been looked up."""

_MESSAGES_A_QUERY = 2000
_EXAMPLES_A_QUERY = 20


async def check_positions(connection: Connection, span: Span, company_key: str | None, tell: Told) -> PositionCheck:
    """Look up every callback whose message was published in the span, a run of message ids after the other.

    Each run is one statement, so what commits meanwhile is seen as a whole or not at all. Raises what asyncpg raises.
    """
    check = PositionCheck()
    first, end = span.message_ids()
    while True:
        after = await connection.fetchval(statement("account_next_message"), first, end, _MESSAGES_A_QUERY)
        upto = end if after is None else after
        for row in await connection.fetch(statement("account_positions"), first, upto, company_key, _EXAMPLES_A_QUERY):
            check.add(dict(row))
        tell(check.checked)
        if after is None:
            return check
        first = after
