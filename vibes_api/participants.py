"""Participants: sign-up of persons through an acquisition campaign, the only way onto a list by API."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from vibes_api import routes
from vibes_api.errors import Conflict, InvalidRequest
from vibes_api.values import JsonObject, JsonValue, as_object, as_objects, first_text, inner, text

if TYPE_CHECKING:
    from vibes_api.answers import Answer
    from vibes_api.patch import PersonPatch
    from vibes_api.transport import Transport

CONFIRMATION_BLOCK: Final = "MDNHASCONFIRMATIONBLOCK"
"""The person has answered No to this campaign; only the person can join now, by texting the keyword."""
EXTERNAL_ID_TAKEN: Final = "EXTERNALPERSONIDMISMATCH"
"""The external id belongs to another person."""


@dataclass(frozen=True, slots=True)
class Participation:
    """One run of a person through a campaign. `status` is upper case; times are the text Vibes sent."""

    status: str | None
    person_key: str | None
    person_id: str | None
    external_person_id: str | None = field(repr=False)
    participation_date: str | None
    expire_date: str | None
    raw: JsonObject = field(repr=False)

    @classmethod
    def from_json(cls, data: JsonValue) -> Participation:
        """Read a participation; ShapeError when it is not an object."""
        source = as_object(data)
        person = inner(source, "person")
        status = text(source.get("status"))
        return cls(
            status=status.strip().upper() if status else None,
            person_key=text(person.get("person_key")),
            person_id=first_text(person, "person_id", "id"),
            external_person_id=first_text(person, "external_person_id", "external_id"),
            participation_date=text(source.get("participation_date")),
            expire_date=text(source.get("expire_date")),
            raw=source,
        )


class SignUpOutcome(StrEnum):
    """What to tell the person who signed up."""

    PENDING = "pending"  # reply Y to the message on your phone
    SUBSCRIBED = "subscribed"  # done, a welcome message is on its way
    ALREADY_SUBSCRIBED = "already_subscribed"
    ACCEPTED = "accepted"  # Vibes took it without saying which of the first two; the callbacks will tell


@dataclass(frozen=True, slots=True)
class SignUp:
    """The result of a sign-up. `participation` is None when Vibes sent no body."""

    outcome: SignUpOutcome
    participation: Participation | None


class Participants:
    """`client.participants`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def add(self, acquisition_id: str, person: PersonPatch, *, person_key: str | None = None) -> SignUp:
        """Sign a person up, known to Vibes or not; name them by person_key, external id or MDN.

        The person is changed as `person` says, only if the sign-up succeeds. Being on the list already is a
        success. Raises BadRequest (form of the MDN), NotFound (campaign) and Unprocessable, whose `mentions`
        tells CONFIRMATION_BLOCK and EXTERNAL_ID_TAKEN apart from a landline or an unknown custom field.

        Repeated after a lost answer: Vibes answers 200 to a sign-up that is pending already and 409 to a
        complete one, so a repetition changes nothing. That the 200 sends no second confirmation text is our
        reading of Vibes' table (only its 201 speaks of sending one). Use a RetryPolicy of one attempt if you
        cannot accept that risk.
        """
        body = person.to_json() | ({"person_key": person_key} if person_key else {})
        if not (person_key or isinstance(person.external_person_id, str) or isinstance(person.mdn, str)):
            reason = "a participant needs a person_key, an external_person_id or an mdn"
            raise InvalidRequest(routes.ADD_PARTICIPANT.label, reason=reason)
        ids = {"acquisition_id": acquisition_id}
        try:
            return await self._transport.call(routes.ADD_PARTICIPANT, _sign_up, ids=ids, body=body)
        except Conflict:
            return SignUp(SignUpOutcome.ALREADY_SUBSCRIBED, None)

    async def search_pending(
        self,
        acquisition_id: str,
        *,
        mdn: str | None = None,
        external_person_id: str | None = None,
        person_id: str | None = None,
    ) -> list[Participation]:
        """Return the participations that await confirmation, of the person named by exactly one of the three.

        Empty when there are none, also for an unknown person. Raises BadRequest for a malformed MDN and
        InvalidRequest when not exactly one of the three is given.
        """
        named = {"mdn": mdn, "external_person_id": external_person_id, "person_id": person_id}
        query = {name: value for name, value in named.items() if value is not None}
        if len(query) != 1:
            reason = f"name the person by exactly one of {', '.join(named)}"
            raise InvalidRequest(routes.SEARCH_PARTICIPANTS.label, reason=reason)
        ids = {"acquisition_id": acquisition_id}
        return await self._transport.call(routes.SEARCH_PARTICIPANTS, _participations, ids=ids, query=query)


def _sign_up(answer: Answer) -> SignUp:
    participation = None if answer.data is None else Participation.from_json(answer.data)
    status = participation.status if participation else None
    if status == "SUBSCRIBED":
        outcome = SignUpOutcome.SUBSCRIBED
    elif status == "PENDING" or answer.status == 200:
        outcome = SignUpOutcome.PENDING
    else:
        outcome = SignUpOutcome.ACCEPTED
    return SignUp(outcome, participation)


def _participations(answer: Answer) -> list[Participation]:
    return [Participation.from_json(item) for item in as_objects(answer.data)]
