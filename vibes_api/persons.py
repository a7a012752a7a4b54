"""Persons: the records of a company's mobile database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vibes_api import routes
from vibes_api.errors import NotFound
from vibes_api.values import JsonObject, JsonValue, ShapeError, as_object, as_objects, first_text, inner, text

if TYPE_CHECKING:
    from vibes_api.answers import Answer
    from vibes_api.patch import PersonPatch
    from vibes_api.transport import Transport


@dataclass(frozen=True, slots=True)
class Person:
    """A person as Vibes holds it. What is absent, null or blank at Vibes is None here.

    `person_key` is the canonical id and is text of no fixed form (Vibes' own samples are not UUIDs);
    `person_id` is the deprecated one. Times are the text Vibes sent: it writes them in many forms. Values of
    `custom_fields` are strings, `{id, name, option_key}` objects, arrays of those, or None. `raw` is the
    whole answer, with every field that this class does not know. Personal data stays out of the repr.
    """

    person_key: str | None
    person_id: str | None
    external_person_id: str | None = field(repr=False)
    mdn: str | None = field(repr=False)
    carrier_code: str | None = field(repr=False)
    timezone: str | None = field(repr=False)
    timezone_source: str | None = field(repr=False)
    custom_fields: JsonObject = field(repr=False)
    created_at: str | None
    updated_at: str | None
    url: str | None = field(repr=False)
    raw: JsonObject = field(repr=False)

    @classmethod
    def from_json(cls, data: JsonValue) -> Person:
        """Read a person entity in any of its documented spellings; ShapeError when it is not an object."""
        source = as_object(data)
        phone = inner(source, "mobile_phone", "mobile")
        return cls(
            person_key=text(source.get("person_key")),
            person_id=first_text(source, "person_id", "id"),
            external_person_id=first_text(source, "external_person_id", "external_id"),
            mdn=text(phone.get("mdn")),
            carrier_code=first_text(phone, "carrier_code", "carrier_id"),
            timezone=text(source.get("timezone")),
            timezone_source=text(source.get("timezone_source")),
            custom_fields=inner(source, "custom_fields"),
            created_at=first_text(source, "created_at", "created_date"),
            updated_at=first_text(source, "updated_at", "updated_date"),
            url=text(source.get("url")),
            raw=source,
        )


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a write: the person as answered, None when the body was empty (as older guides describe).

    Never conclude from `status` 200 or 201 whether a person was created or updated: Vibes' documents use both
    for both, and a retry of a create is answered like an update. Read the person again if it matters.
    """

    person: Person | None
    status: int


class Persons:
    """`client.persons`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, person_key: str) -> Person:
        """Return a person by person_key (Vibes also takes a person_id in this place). NotFound if unknown."""
        return await self._transport.call(routes.GET_PERSON, _person, ids={"person_key": person_key})

    async def get_by_external_id(self, external_person_id: str) -> Person:
        """Return a person by the id you gave it. NotFound if unknown."""
        ids = {"external_person_id": external_person_id}
        return await self._transport.call(routes.GET_PERSON_BY_EXTERNAL_ID, _person, ids=ids)

    async def find_by_mdn(self, mdn: str) -> list[Person]:
        """Return everybody with this number, in E.164 form (`+12135551234`); an empty list for nobody.

        One number may belong to several persons: numbers are ported and given to new owners. Raises
        BadRequest for a number in another form.
        """
        try:
            return await self._transport.call(routes.FIND_PERSONS, _persons, query={"mdn": mdn})
        except NotFound:
            return []

    async def add(self, person: PersonPatch) -> Written:
        """Add a person, or update the one with the same number or external id. Subscribes nobody to any list.

        Raises Conflict when number and external id belong to different persons, Unprocessable for an unknown
        custom field or a number that cannot be reached.
        """
        return await self._transport.call(routes.ADD_PERSON, _written, body=person.to_json())

    async def update(self, person_key: str, patch: PersonPatch) -> Written:
        """Change a person by person_key. NotFound, Conflict (an MDN cannot change) or Unprocessable."""
        return await self._transport.call(
            routes.UPDATE_PERSON, _written, ids={"person_key": person_key}, body=patch.to_json()
        )

    async def update_by_external_id(self, external_person_id: str, patch: PersonPatch) -> Written:
        """Change a person by the id you gave it; errors as in `update`.

        By one document of Vibes an unknown id adds the person, by another it is NotFound: be ready for both.
        """
        return await self._transport.call(
            routes.UPDATE_PERSON_BY_EXTERNAL_ID,
            _written,
            ids={"external_person_id": external_person_id},
            body=patch.to_json(),
        )


def _person(answer: Answer) -> Person:
    return _known(Person.from_json(answer.data))


def _persons(answer: Answer) -> list[Person]:
    return [_known(Person.from_json(item)) for item in as_objects(answer.data)]


def _known(person: Person) -> Person:
    """Return a person that was read; ShapeError for an object that says nothing of whom it is about.

    Proxies and maintenance pages answer 200 with JSON of their own. It must not pass for a person without any data.
    """
    if not (person.person_key or person.person_id or person.external_person_id or person.mdn):
        raise ShapeError("expected a person, with an id or a number")
    return person


def _written(answer: Answer) -> Written:
    return Written(None if answer.data is None else Person.from_json(answer.data), answer.status)
