"""Have Vibes send a test event, and record it so that it is not applied as a fact."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg

from cli.services import postgres
from cli.vibes_account import Account
from runtime.postgres import POSTGRES_ERRORS, Connection, statement
from runtime.settings import load_settings
from schemas.errors import ServiceError
from vibes_api import CallbackType, JsonObject, NotFound, QueuedTest, Unavailable

_REMEMBERED_DAYS = 30
_LOCK_SECONDS = 15
"""How long apply may keep the command waiting."""
_MOST_SECONDS = 15.0
"""How long the command may keep apply waiting for Vibes' answer; the server ends it some seconds later by itself."""
_GRACE_SECONDS = 5.0
_UNRECORDED = "if Vibes sends the test event all the same, it is applied as a fact"


async def send(account: Account, callback_type: CallbackType, data: JsonObject | None) -> QueuedTest:
    """Have Vibes send a test event; apply takes it for a fact. Raises VibesError, ServiceError."""
    try:
        return await account.client.callbacks.send_test(callback_type, data)
    except NotFound:
        raise ServiceError(f"no active registration of type {callback_type}: register one first") from None


async def send_recorded(account: Account, callback_type: CallbackType, data: JsonObject | None) -> QueuedTest:
    """Have Vibes send a test event that apply will not take for a fact. Raises VibesError, ServiceError.

    Vibes tells the event's id in its answer, and may send the event before it answers. So apply, which shares the
    company's identities in every transaction, is kept waiting from before the request until the id is recorded.
    """
    settings = load_settings()
    seconds = min(settings.person_api_timeout_seconds, _MOST_SECONDS)
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(postgres(settings))
        except ServiceError as error:
            raise ServiceError(
                f"{error}\nA test event is recorded, so that it is not applied; --apply-as-fact sends it unrecorded"
            ) from error
        try:
            async with connection.transaction():
                await _keep_apply_waiting(connection, account.company.company_key, seconds)
                queued = await _send_in_time(account, callback_type, data, seconds)
                key, event_id = account.company.company_key, queued.event_id
                await connection.execute(
                    statement("remember_test_event"), key, event_id, callback_type.value, _REMEMBERED_DAYS
                )
        except asyncpg.LockNotAvailableError as error:
            raise ServiceError("apply is at work on this company for too long; nothing was sent: try again") from error
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres failed ({type(error).__name__}); {_UNRECORDED}") from error
        return queued


async def _keep_apply_waiting(connection: Connection, company_key: str, seconds: float) -> None:
    """Take the company's identities alone, until the end of the transaction or of `seconds` without a statement."""
    await connection.execute(
        "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)",
        f"{_LOCK_SECONDS}s",
        f"{int(1000 * (seconds + _GRACE_SECONDS))}ms",
    )
    await connection.execute(statement("lock_identities"), [company_key], True)


async def _send_in_time(
    account: Account, callback_type: CallbackType, data: JsonObject | None, seconds: float
) -> QueuedTest:
    """Send it. Raises ServiceError when it may have been sent and its id is not known, VibesError when it was not."""
    try:
        async with asyncio.timeout(seconds):
            queued = await send(account, callback_type, data)
    except TimeoutError as error:
        raise ServiceError(f"Vibes did not answer in {seconds:g} s; {_UNRECORDED}") from error
    except Unavailable as error:
        if error.never_processed:
            raise
        raise ServiceError(f"{error}; {_UNRECORDED}") from error
    if queued.event_id is None:
        raise ServiceError(f"Vibes did not tell the id of the test event; {_UNRECORDED}")
    return queued
