"""How the platform says no: one exception a status, with the words for the `errors` array of the body."""

from typing import ClassVar


class RefusedError(Exception):
    """A request that Vibes would answer with a 4xx.

    `code` goes into the errors body beside the message. Vibes publishes no table of codes; some are numbers,
    some are words such as MDNHASCONFIRMATIONBLOCK.
    """

    status: ClassVar[int] = 422

    def __init__(self, message: str, code: int | str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.status if code is None else code


class BadFormatError(RefusedError):
    """400: the request itself is not well formed, for example a number in the wrong notation."""

    status = 400


class UnauthorizedError(RefusedError):
    """401: no credentials, or wrong ones."""

    status = 401


class ForbiddenError(RefusedError):
    """403: good credentials of another company."""

    status = 403


class UnknownRecordError(RefusedError):
    """404: no such person, list, campaign, callback or active subscription."""

    status = 404


class ConflictError(RefusedError):
    """409: the request contradicts what the MobileDB holds."""

    status = 409


class UnprocessableError(RefusedError):
    """422: understood, but not possible."""

    status = 422


class TooManyRequestsError(RefusedError):
    """429: over the limit. Vibes documents neither limit headers nor a Retry-After."""

    status = 429
