"""The payload objects of the callback types, in the shapes Vibes documents. One function a family."""

import random
from datetime import datetime
from typing import Final

from simulator.model import JsonObject, Participation, Person, Stay, SubscriptionList
from simulator.seeds import new_uuid
from simulator.times import spell, spell_coarse

APP_ID: Final = "abe57f09-3126-4a7e-abc5-cac779710fd7"
SOURCE_CODE: Final = "52623"
WALLET_TOKEN: Final = "r3zhm8"  # noqa: S105 - a campaign's public name in urls, as in Vibes' samples, not a secret


def person_url(company_key: str, person: Person) -> str:
    """Return the relative URL that Vibes prints for a person."""
    return f"/companies/{company_key}/mobiledb/persons/{person.person_id}"


def list_url(company_key: str, list_id: str) -> str:
    """Return the relative URL that Vibes prints for a subscription list."""
    return f"/companies/{company_key}/mobiledb/subscription_lists/{list_id}"


def person(company_key: str, who: Person, rng: random.Random) -> JsonObject:
    """`person` of person_*: the complete state. Like Vibes' sample it has no person_key."""
    state: JsonObject = {"person_id": who.person_id}
    if who.had_external:
        state["external_person_id"] = who.external_person_id
    if who.had_phone:
        state["mobile_phone"] = {"mdn": who.mdn, "carrier_code": who.carrier_code}
    state |= {
        "timezone": who.timezone,
        "custom_fields": who.custom_fields,
        "created_at": spell_coarse(who.created_at, rng),
        "updated_at": spell_coarse(who.updated_at, rng),
        "url": person_url(company_key, who),
    }
    if who.timezone_source:
        state["timezone_source"] = who.timezone_source
    return state


def subscription(company_key: str, stay: Stay, rng: random.Random) -> JsonObject:
    """`subscription` of subscription_*: a stay that begins, or one that has ended."""
    who = stay.person
    person_: JsonObject = {"id": who.person_id, "person_key": who.person_key}
    if who.external_person_id:
        person_ |= {"external_id": who.external_person_id, "external_person_id": who.external_person_id}
    person_["url"] = person_url(company_key, who)
    if who.mdn:
        person_["mobile_phone"] = {"mdn": who.mdn}
    body: JsonObject = {
        "person": person_,
        "subscription_list": {"id": stay.list_id, "url": list_url(company_key, stay.list_id)},
        "opt_in_date": spell(stay.opt_in_date, rng),
    }
    if stay.opt_out_date is not None:
        body |= {"opt_out_date": spell(stay.opt_out_date, rng), "opt_out_reason": stay.opt_out_reason}
    return body


def old_subscription(company_key: str, stay: Stay, rng: random.Random) -> JsonObject:
    """Return the 2017 form: no number and no person_key, but the campaign and an URL of the subscription."""
    body = subscription(company_key, stay, rng)
    body["person"] = {name: value for name, value in body["person"].items() if name in ("id", "external_id", "url")}
    if stay.acquisition_id:
        url = f"/companies/{company_key}/campaigns/acquisition/{stay.acquisition_id}"
        body["acquisition_campaign"] = {"id": stay.acquisition_id, "url": url}
    body["url"] = f"{person_url(company_key, stay.person)}/subscriptions/{stay.list_id}"
    return body


def participant(company_key: str, participation: Participation, rng: random.Random) -> JsonObject:
    """`participant` of ack_participant_* and company_participant_*."""
    who, campaign = participation.person, participation.campaign
    person_: JsonObject = {"id": who.person_id, "url": person_url(company_key, who)}
    if who.external_person_id:
        person_["external_id"] = who.external_person_id
    if who.mdn:
        person_["mobile_phone"] = {"mdn": who.mdn}
    acquisition: JsonObject = {
        "id": campaign.campaign_id,
        "description": campaign.description,
        "url": f"/companies/{company_key}/campaigns/acquisition/{campaign.acquisition_id}",
    }
    if participation.by_keyword:
        acquisition["keyword"] = campaign.keyword
    return {
        "person": person_,
        "acquisition_campaign": acquisition,
        "participation_date": spell_coarse(participation.participation_date, rng),
        "expire_date": spell_coarse(participation.expire_date, rng),
        "status": participation.status,
    }


def subscription_list(company_key: str, which: SubscriptionList) -> JsonObject:
    """`subscription_list` of subscription_list_*. There is no status: archiving shows only as removals."""
    url = list_url(company_key, which.list_id)
    return {
        "id": which.list_id,
        "name": which.name,
        "url": url,
        "subscribers_url": f"{url}/subscribers",
        "acquisition_campaigns_url": f"{url}/acquisition_campaigns",
    }


def device_person(company_key: str, who: Person) -> JsonObject:
    """`person` of device_*."""
    body: JsonObject = {"person_id": who.person_id, "url": person_url(company_key, who)}
    return body | ({"external_id": who.external_person_id} if who.external_person_id else {})


def push_device(device_id: str, push_token: str | None, device_os: str) -> JsonObject:
    """`push_device` of device_*. The token is missing while push is switched off."""
    url = f"/mobile_apps/{APP_ID}/devices/{device_id}"
    body: JsonObject = {"app_id": APP_ID, "vibes_device_id": device_id, "device_os": device_os, "url": url}
    return body | ({"push_token": push_token} if push_token else {})


def unmatched_message(company_key: str, mdn: str, carrier: str, text: str, rng: random.Random) -> JsonObject:
    """Return the payload of unmatched_message_received; it stands at the top level and names no person."""
    return {
        "participant": {"mdn": mdn, "carrier_id": carrier},
        "source_code": {
            "company_key": company_key,
            "code": SOURCE_CODE,
            "country_code": "1",
            "code_type": "SC",
            "default_response": "This is the default response message. Thanks",
            "response_sent": rng.random() < 0.5,
        },
        "message": text,
        "message_id": new_uuid(rng),
        "txn_id": new_uuid(rng),
    }


def wallet(
    company_key: str,
    item: str,
    installed: datetime,
    removed: datetime | None,
    rng: random.Random,
) -> JsonObject:
    """Return the payload of wallet_item_*. `item` is the customer's own text, not a UUID; no person is named."""
    url = f"/companies/{company_key}/campaigns/wallet/{WALLET_TOKEN}"
    return {
        "wallet_instance": {
            "registered_at": spell_coarse(installed, rng),
            "unregistered_at": None if removed is None else spell_coarse(removed, rng),
            "wallet_instance_uid": f"instance-of-{item}",
            "provider": "google" if item.endswith(("0", "2", "4", "6", "8")) else "apple",
        },
        "wallet_item": {
            "uuid": item,
            "wallet_object_uid": f"j8hddfgu65-{item}",
            "tokens": {"first_name": "Calrissian"},
            "url": f"{url}/items/{item}",
        },
        "wallet_campaign": {
            "wallet_campaign_uid": "cc2ba6ca-557f-4335-9df0-ee5d3c541d0a",
            "token": WALLET_TOKEN,
            "url": f"{url}/",
        },
    }


def event_processed(
    company_key: str, inner_id: str, event_type: str, data: JsonObject, action: JsonObject
) -> JsonObject:
    """`event_processed`: one step of a message's way. Several callbacks share the inner event_id."""
    url = f"/companies/{company_key}/mobiledb/event_triggered_messages/{event_type}"
    return {
        "event_id": inner_id,
        "event_type": event_type,
        "event_data": data,
        "debug_data": {"field": "CUST_SYSTEM"},
        "action": action | {"resource_url": url},
    }
