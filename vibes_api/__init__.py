"""Typed asyncio client of the Vibes platform: persons, subscriptions, sign-up and callback registrations.

It needs aiohttp, tenacity and orjson and nothing else of this project. Start with `VibesClient`; see
README.md.
"""

from vibes_api.callbacks import CallbackSpec, CallbackType, QueuedTest, Registration
from vibes_api.campaigns import AcquisitionCampaign
from vibes_api.client import VibesClient
from vibes_api.error_body import ApiError
from vibes_api.errors import (
    AccessDenied,
    BadRequest,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    RateLimited,
    Redirected,
    Rejected,
    ServerError,
    TimedOut,
    Unavailable,
    Unprocessable,
    VibesError,
)
from vibes_api.hooks import Call, Limiter, Observer
from vibes_api.participants import (
    CONFIRMATION_BLOCK,
    EXTERNAL_ID_TAKEN,
    Participation,
    SignUp,
    SignUpOutcome,
)
from vibes_api.patch import UNSET, PersonPatch
from vibes_api.persons import Person, Written
from vibes_api.regions import Region
from vibes_api.retry import RetryPolicy
from vibes_api.subscriptions import Subscription
from vibes_api.values import JsonObject, JsonValue

__all__ = [
    "CONFIRMATION_BLOCK",
    "EXTERNAL_ID_TAKEN",
    "UNSET",
    "AccessDenied",
    "AcquisitionCampaign",
    "ApiError",
    "BadRequest",
    "Call",
    "CallbackSpec",
    "CallbackType",
    "Conflict",
    "ConnectionFailed",
    "InvalidRequest",
    "JsonObject",
    "JsonValue",
    "Limiter",
    "MalformedResponse",
    "NotFound",
    "Observer",
    "Participation",
    "Person",
    "PersonPatch",
    "QueuedTest",
    "RateLimited",
    "Redirected",
    "Region",
    "Registration",
    "Rejected",
    "RetryPolicy",
    "ServerError",
    "SignUp",
    "SignUpOutcome",
    "Subscription",
    "TimedOut",
    "Unavailable",
    "Unprocessable",
    "VibesClient",
    "VibesError",
    "Written",
]
