"""The JSON of the platform API: how a person write is read, and how records are shown."""

from typing import Any

from simulator import mdn as numbers
from simulator.bodies import list_url, person_url
from simulator.errors import UnprocessableError
from simulator.model import Campaign, JsonObject, Participation, Person, PersonPatch, Stay, SubscriptionList
from simulator.times import plain

_LONGEST_EXTERNAL_ID = 128


def read_person(body: JsonObject, api_version: int) -> PersonPatch:
    """Return the fields of a person write.

    person_id, timezone_source, created_at, updated_at and unknown fields are ignored, as Vibes does.

    Raises:
        BadFormatError: the MDN is not in the notation of the version.
        UnprocessableError: a field has a wrong type, or the external id is too long.

    """
    patch: PersonPatch = {}
    if "external_person_id" in body:
        patch["external_person_id"] = _text(body, "external_person_id", _LONGEST_EXTERNAL_ID)
    if "timezone" in body:
        patch["timezone"] = _text(body, "timezone", 64)
    if "mobile_phone" in body:
        patch |= _read_phone(body["mobile_phone"], api_version)
    if body.get("custom_fields") is not None:
        if not isinstance(body["custom_fields"], dict):
            raise UnprocessableError("custom_fields must be an object")
        patch["custom_fields"] = body["custom_fields"]
    return patch


def _read_phone(phone: Any, api_version: int) -> PersonPatch:
    if phone is None:
        return {"mdn": None, "carrier_code": None}
    if not isinstance(phone, dict):
        raise UnprocessableError("mobile_phone must be an object")
    patch: PersonPatch = {}
    if "mdn" in phone:
        mdn = _text(phone, "mdn", 32)
        patch["mdn"] = None if mdn is None else numbers.parse(mdn, api_version)
    if "carrier_code" in phone:
        patch["carrier_code"] = _text(phone, "carrier_code", 32)
    return patch


def _text(body: JsonObject, name: str, longest: int) -> str | None:
    value = body[name]
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= longest):
        raise UnprocessableError(f"{name} must be null or text of 1 to {longest} characters")
    return value


def person(who: Person, company_key: str, api_version: int) -> JsonObject:
    """Return a person."""
    entity: JsonObject = {"person_id": who.person_id, "person_key": who.person_key}
    if who.had_external:
        entity["external_person_id"] = who.external_person_id
    if who.had_phone:
        mdn = None if who.mdn is None else numbers.render(who.mdn, api_version)
        entity["mobile_phone"] = {"mdn": mdn, "carrier_code": who.carrier_code}
    return entity | {
        "timezone": who.timezone,
        "timezone_source": who.timezone_source,
        "custom_fields": who.custom_fields,
        "created_at": plain(who.created_at),
        "updated_at": plain(who.updated_at),
        "url": person_url(company_key, who),
    }


def stay(which: Stay, company_key: str) -> JsonObject:
    """Return a subscription."""
    url = person_url(company_key, which.person)
    entity: JsonObject = {
        "person": {"id": which.person.person_id, "url": url},
        "subscription_list": {"id": which.list_id, "url": list_url(company_key, which.list_id)},
        "opt_in_date": plain(which.opt_in_date),
        "url": f"{url}/subscriptions/{which.list_id}",
    }
    if which.opt_out_date is not None:
        entity |= {"opt_out_date": plain(which.opt_out_date), "opt_out_reason": which.opt_out_reason}
    return entity


def subscription_list(which: SubscriptionList, company_key: str) -> JsonObject:
    """Return a subscription list."""
    url = list_url(company_key, which.list_id)
    return {
        "id": which.list_id,
        "name": which.name,
        "url": url,
        "subscribers_url": f"{url}/subscribers",
        "acquisition_campaigns_url": f"{url}/acquisition_campaigns",
    }


def campaign(which: Campaign, company_key: str) -> JsonObject:
    """Return an acquisition campaign."""
    return {
        "acquisition_id": which.acquisition_id,
        "description": which.description,
        "campaign_type": {"code": "acquisition"},
        "status": "active",
        "start_date": plain(which.start_date),
        "acquisition_campaign": {"keywords": [which.keyword]},
        "url": f"/companies/{company_key}/campaigns/acquisition/{which.acquisition_id}",
    }


def participation(which: Participation, company_key: str) -> JsonObject:
    """Return a participant of a campaign."""
    who = which.person
    person_: JsonObject = {
        "person_id": who.person_id,
        "person_key": who.person_key,
        "url": person_url(company_key, who),
    }
    if who.external_person_id:
        person_["external_person_id"] = who.external_person_id
    return {
        "person": person_,
        "participation_date": plain(which.participation_date),
        "expire_date": plain(which.expire_date),
        "status": which.status,
    }
