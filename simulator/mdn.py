"""Mobile numbers (MDNs): the notation of each API version, and what a number says about its carrier and place.

The MobileDB holds E.164. Version 2 of the API speaks E.164; version 1, which is also meant when the header is
missing, speaks national numbers without a country code and refuses E.164.
"""

import re
from typing import Final

from simulator.errors import BadFormatError

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NATIONAL: Final = re.compile(r"[2-9][0-9]{9}", re.ASCII)
_CARRIERS: Final = ("101", "102", "103", "104", "105")
_TIMEZONES: Final = ("US/Eastern", "US/Central", "US/Mountain", "US/Pacific")
_LANDLINES: Final = "+1900"


def parse(number: str, api_version: int) -> str:
    """Return `number` in E.164.

    Raises:
        BadFormatError: the number is not in the notation of `api_version`.

    """
    if api_version == 1 and _NATIONAL.fullmatch(number):
        return f"+1{number}"
    if api_version == 2 and _E164.fullmatch(number):
        return number
    wanted = "E.164, such as +12135551234" if api_version == 2 else "national, such as 2135551234"
    raise BadFormatError(f"The MDN must be {wanted} (X-API-Version {api_version})", "countrynotsupported")


def render(number: str, api_version: int) -> str:
    """Return an E.164 number in the notation of `api_version`."""
    if api_version == 2:
        return number
    return number[2:] if number.startswith("+1") else number[1:]


def has_carrier(number: str) -> bool:
    """Whether a provisioned carrier serves the number. Here the +1900 numbers stand for landlines, served by none."""
    return not number.startswith(_LANDLINES)


def carrier_of(number: str) -> str:
    """Return the carrier code a look-up gives for the number."""
    return _CARRIERS[int(number[-2:]) % len(_CARRIERS)]


def timezone_of(number: str) -> str | None:
    """Return the legacy zone name of a North American area code; None elsewhere."""
    return _TIMEZONES[int(number[2:5]) % len(_TIMEZONES)] if number.startswith("+1") else None
