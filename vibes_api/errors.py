"""What can go wrong with a call, in three families.

`Rejected`: this request is bad, sending it again unchanged is pointless. `AccessDenied`: no request of this
account will pass. `Unavailable`: the environment is bad, the same request may pass later.
The text of every error is fit for a log: status, route template and codes, never an id, a number or a message
of Vibes (those may quote the caller's data; they are in `.errors`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibes_api.error_body import ApiError

_SHOWABLE_CODE = re.compile(r"(?!.*\d{5})[\w .-]{1,64}", re.ASCII)


class VibesError(Exception):
    """Base of all errors of this client.

    Attributes:
        route: the route template, for example `PUT /persons/{person_key}`.
        status: the HTTP status, None when no answer came.
        errors: what Vibes said; may hold personal data.
        attempt: which attempt of the call ended this way, counted from 1.
        retry_after: seconds Vibes asked to wait, or None. Vibes documents no such header.
        never_processed: True when Vibes certainly did not act on the request.

    """

    kind: ClassVar[str] = "error"
    meaning: ClassVar[str] = "the call failed"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        route: str,
        *,
        status: int | None = None,
        reason: str = "",
        errors: Sequence[ApiError] = (),
        body: bytes = b"",
        attempt: int = 1,
        retry_after: float | None = None,
        never_processed: bool = False,
    ) -> None:
        super().__init__(route, status, reason)
        self.route = route
        self.status = status
        self.reason = reason
        self.errors = list(errors)
        self.attempt = attempt
        self.retry_after = retry_after
        self.never_processed = never_processed
        self._body = body

    def mentions(self, word: str) -> bool:
        """Tell whether `word` occurs anywhere in the body of the answer, in any letter case.

        Vibes names its codes (such as MDNHASCONFIRMATIONBLOCK) but not the place in the body where they
        stand.
        """
        return word.casefold() in self._body.decode(errors="replace").casefold()

    def __str__(self) -> str:
        outcome = "got no answer" if self.status is None else f"was answered {self.status}"
        codes = ", ".join(_showable(error.code) for error in self.errors if error.code)
        parts = [f"{self.route} {outcome}", self.meaning, self.reason, f"codes: {codes}" if codes else ""]
        return "; ".join(part for part in parts if part)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class Rejected(VibesError):  # noqa: N818 - the name says what happened
    """The request is bad: final until somebody changes it. Raised as such for a 4xx without a class."""

    kind = "rejected"
    meaning = "Vibes refuses the request; change it before sending it again"


class InvalidRequest(Rejected):
    """The request cannot be sent: a blank id, a value JSON cannot carry. Nothing left this machine."""

    kind = "invalid_request"
    meaning = "not sent, because it cannot be written down"


class BadRequest(Rejected):
    """400, for example an MDN that is not in E.164 form."""

    kind = "bad_request"
    meaning = "malformed; check the MDN's form (+ and country code)"


class NotFound(Rejected):
    """404: no such person, registration or campaign, or (subscriptions) the person is not on the list."""

    kind = "not_found"
    meaning = "there is no such thing at Vibes"


class Conflict(Rejected):
    """409: MDN or external id belong to somebody else, or an MDN would change (set or remove it instead)."""

    kind = "conflict"
    meaning = "it contradicts what Vibes holds; somebody has to decide which is right"


class Unprocessable(Rejected):
    """422: not possible: unknown custom field, bad option, number on no provisioned carrier."""

    kind = "unprocessable"
    meaning = "understood but not possible; check custom fields and the kind of number"


class AccessDenied(VibesError):  # noqa: N818 - as above
    """401, 403 or 407: final for every call of this account until its credentials are right."""

    kind = "access_denied"
    meaning = "check user name, password, client certificate, company key and region"


class Unavailable(VibesError):  # noqa: N818 - as above
    """The environment is bad: keep the request, send it again later."""

    kind = "unavailable"
    meaning = "try again later"


class RateLimited(Unavailable):
    """429: over 100 requests/s for this company key (or what else Vibes has agreed with you)."""

    kind = "rate_limited"
    meaning = "too many requests; slow down"
    retryable = True


class ServerError(Unavailable):
    """5xx, or a status outside HTTP."""

    kind = "server_error"
    meaning = "Vibes has trouble; try again later"
    retryable = True


class ConnectionFailed(Unavailable):
    """No connection, or it was lost before the whole answer was read."""

    kind = "connection_failed"
    meaning = "check network, DNS and TLS, or try again later"
    retryable = True


class TimedOut(Unavailable):
    """No complete answer within the timeout, or 408. Vibes may have acted on the request."""

    kind = "timed_out"
    meaning = "no complete answer in time; try again later"
    retryable = True


class Redirected(Unavailable):
    """3xx. Never followed, since that would carry the credentials elsewhere, and not retried here."""

    kind = "redirected"
    meaning = "redirects are not followed; check the base URL"


class MalformedResponse(Unavailable):
    """2xx with a body that is not JSON, too large or misshapen. Not retried: Vibes has acted already."""

    kind = "malformed_response"
    meaning = "the answer cannot be read; check that the base URL is Vibes and no gateway speaks in between"


_BY_STATUS: dict[int, type[VibesError]] = {
    400: BadRequest,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    407: AccessDenied,
    408: TimedOut,
    409: Conflict,
    422: Unprocessable,
    429: RateLimited,
}
_BY_HUNDRED: dict[int, type[VibesError]] = {3: Redirected, 4: Rejected}


def error_class(status: int) -> type[VibesError]:
    """Return the class for an answer with a status other than 2xx."""
    return _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, ServerError)


def _showable(code: str | None) -> str:
    """Return a code fit for a log; anything that might be a number or a sentence becomes a question mark."""
    return code if code and _SHOWABLE_CODE.fullmatch(code) else "?"
