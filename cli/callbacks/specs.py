"""What to register, from what a person wrote; everything is checked before anything is sent. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from cli.callbacks.parameters import read_parameters, to_send
from schemas.values import read_timestamp
from vibes_api import CallbackSpec, CallbackType

Method = Literal["POST", "PUT"]
ContentType = Literal["application/json", "text/json"]

METHODS: Final[tuple[Method, ...]] = ("POST", "PUT")
CONTENT_TYPES: Final[tuple[ContentType, ...]] = ("application/json", "text/json")
_DATES: Final = ("2017-01-01T00:00Z", "2017-01-01")


def make_spec(
    callback_type: CallbackType,
    parameters: Mapping[str, object],
    url: str,
    *,
    method: Method = "POST",
    content_type: ContentType = "application/json",
    start_date: str | None = None,
    end_date: str | None = None,
) -> CallbackSpec:
    """Return the registration to send; the URL has been checked. Raises ValueError saying what is wrong with it."""
    start, end = _moment("start date", start_date), _moment("end date", end_date)
    if start and end and end <= start:
        raise ValueError(f"the end date {end_date} is not after the start date {start_date}")
    return CallbackSpec(
        callback_type=callback_type.value,  # a plain text: it becomes a key of the JSON body too
        url=url,
        parameters=to_send(callback_type, read_parameters(callback_type, parameters)),
        method=method,
        content_type=content_type,
        start_date=start_date,
        end_date=end_date,
    )


def _moment(what: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    moment = read_timestamp(value)
    if moment is None:
        raise ValueError(f"the {what} {value!r} is no time. Examples: {', '.join(_DATES)}")
    return moment
