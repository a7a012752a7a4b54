"""The bodies of callbacks in the shapes Vibes documents, put together from templates: about 10 us each.

A person is told by number; every family of types names the same person in another way. `head` is the begin of a body
up to its payload: see `head_of`. Values that no reader looks at are the same everywhere.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

Stay = tuple[str, str]
"""The id of a list, and the opt_in_date."""

_EVENTS_A_SECOND = 40
"""By Vibes' clock, which goes on with the number of the event."""
_BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
_AREA_CODES = ("312", "415", "206", "512", "617", "303", "704", "602", "213", "646")
_NAMES = ("Steve", "Maria", "Zoë", "Ann", "Robert", "Li", "José", "Fatima", "Ingrid", "Tom")
_ZONES = ("US/Central", "US/Eastern", "US/Pacific", "US/Mountain")
_REASONS = ("user_opt_out", "keyword_opt_out", "keyword_opt_out", "keyword_opt_out", "api_opt_out", "bulk_opt_out")
_HOME = "/companies/bench"


def scattered(name: str) -> str:
    """Return an id in the form of a UUID that is always the same for a name, and in no order."""
    text = blake2b(name.encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def moment(number: int) -> str:
    """Return Vibes' time of an event, to the second."""
    return f"{minute(number)}:{number // _EVENTS_A_SECOND % 60:02}Z"


def minute(number: int) -> str:
    """Return Vibes' time of an event to the minute, without a zone: some of Vibes' times have no seconds."""
    return _minute(number // (60 * _EVENTS_A_SECOND))


@lru_cache(maxsize=16)
def _minute(count: int) -> str:
    return (_BEGIN + timedelta(minutes=count)).strftime("%Y-%m-%dT%H:%M")


def head_of(event_id: str, kind: str, number: int, names: tuple[str, ...] = ("callback_type", "event_type")) -> str:
    """Return a body up to its payload. `names` are those of the type: most bodies have the old one beside the new."""
    types = ",".join(f'"{name}":"{kind}"' for name in names)
    return f'{{"event_id":"{event_id}",{types},"event_date":"{moment(number)}"'


def subscription(head: str, person: int, stay: Stay, ended: int | None = None) -> str:
    """Return subscription_added; with the number of the event that `ended` the stay, subscription_removed."""
    list_id, opt_in_date = stay
    person_id, external = _person_id(person), _external_id(person)
    end = ""
    if ended is not None:
        # In one body Vibes spells the zone of the two dates differently.
        opt_out_date = f"{moment(ended)[:-1]}+0000"
        end = f',"opt_out_date":"{opt_out_date}","opt_out_reason":"{_REASONS[ended % len(_REASONS)]}"'
    return (
        f'{head},"subscription":{{"person":{{"id":"{person_id}","external_id":"{external}",'
        f'"external_person_id":"{external}","person_key":"{scattered(f"person/{person}")}",'
        f'"url":"{_HOME}/mobiledb/persons/{person_id}","mobile_phone":{{"mdn":"{_mdn(person)}"}}}},'
        f'"subscription_list":{{"id":"{list_id}","url":"{_HOME}/mobiledb/subscription_lists/{list_id}"}},'
        f'"opt_in_date":"{opt_in_date}"{end}}}}}'
    )


def person_state(head: str, number: int, person: int) -> str:
    """Return person_added or person_updated: the complete state of the person, who has no person_key here."""
    person_id, birthday = _person_id(person), f"19{50 + person % 50}-{person % 12 + 1:02}-{person % 28 + 1:02}"
    return (
        f'{head},"person":{{"person_id":"{person_id}","external_person_id":"{_external_id(person)}",'
        f'"mobile_phone":{{"mdn":"{_mdn(person)}","carrier_code":"{100 + person % 40}"}},'
        f'"timezone":"{_ZONES[person % len(_ZONES)]}","timezone_source":"area_code",'
        f'"custom_fields":{{"first_name":"{_name(person)}","birthdate":"{birthday}T00:00:00Z",'
        f'"rewards_id":"{543_000_000 + person}","points":"{number % 10_000}",'
        f'"favorite_stores":[{{"id":"4","name":"My Hardware Store","option_key":"my_hardware_store"}},'
        f'{{"id":"12","name":"Local Grocery","option_key":"local_grocery"}}]}},'
        f'"created_at":"2024-0{person % 9 + 1}-15T14:30Z","updated_at":"{moment(number)}",'
        f'"url":"{_HOME}/mobiledb/persons/{person_id}"}}}}'
    )


def participant(head: str, number: int, person: int, status: str) -> str:
    """Return ack_participant_added (PENDING) or ack_participant_changed (CONFIRMED, REJECTED)."""
    person_id = _person_id(person)
    return (
        f'{head},"participant":{{"person":{{"id":"{person_id}","external_id":"{_external_id(person)}",'
        f'"mobile_phone":{{"mdn":"{_mdn(person)}"}},"url":"{_HOME}/mobiledb/persons/{person_id}"}},'
        f'"acquisition_campaign":{{"id":"C1323542","description":"Great Acquisition Campaign",'
        f'"url":"{_HOME}/campaigns/acquisition/ACQ1234","keyword":"SUBSCRIBED"}},'
        f'"participation_date":"{minute(number)}Z","expire_date":"{minute(number)}Z","status":"{status}"}}}}'
    )


def event_processed(head: str, number: int, person: int) -> str:
    """Return event_processed: what became of an event that the customer submitted."""
    return (
        f'{head},"event_processed":{{"event_id":"{scattered(f"event/{number}")}","event_type":"day_of_delivery",'
        f'"event_data":{{"first_name":"{_name(person)}","external_person_id":"{_external_id(person)}",'
        f'"delivery_time":"5:00 PM","order_url":"https://example.com/orders/{number}"}},'
        f'"debug_data":{{"field":"CUST_SYSTEM"}},"action":{{"type":"routing","status":"processing",'
        f'"status_reason":"accepted_by_event_triggered_message",'
        f'"resource_url":"{_HOME}/mobiledb/event_triggered_messages/4711"}}}}}}'
    )


def device_added(head: str, person: int) -> str:
    """Return device_added."""
    person_id, device, app = _person_id(person), scattered(f"device/{person}"), scattered("app")
    return (
        f'{head},"person":{{"person_id":"{person_id}","external_id":"{_external_id(person)}",'
        f'"url":"{_HOME}/mobiledb/persons/{person_id}"}},"push_device":{{"app_id":"{app}",'
        f'"vibes_device_id":"{device}","push_token":"{(device * 2).replace("-", "").upper()}",'
        f'"device_os":"ANDROID","url":"/mobile_apps/{app}/devices/{device}"}}}}'
    )


def unmatched_message(head: str, number: int, person: int) -> str:
    """Return unmatched_message_received, which knows its sender by number only."""
    return (
        f'{head},"participant":{{"mdn":"{_mdn(person)}","carrier_id":"104"}},"source_code":{{"company_key":"bench",'
        f'"code":"52623","country_code":"1","code_type":"SC",'
        f'"default_response":"This is the default response message. Thanks","response_sent":true}},'
        f'"message":"Hello, is this still on?","message_id":"{scattered(f"message/{number}")}",'
        f'"txn_id":"{scattered(f"txn/{number}")}","receipt_date":"{moment(number)[:-1]}+00:00"}}'
    )


def wallet_item_install(head: str, number: int, person: int) -> str:
    """Return wallet_item_install, which names no person."""
    return (
        f'{head},"wallet_instance":{{"registered_at":"{minute(number)}Z","unregistered_at":null,'
        f'"wallet_instance_uid":"{scattered(f"wallet/{number}")}","provider":"google"}},'
        f'"wallet_item":{{"uuid":"item-{person}","wallet_object_uid":"{scattered(f"item/{person}")}",'
        f'"expiration_date":"2030-01-14T14:30Z","tokens":{{"first_name":"{_name(person)}"}},'
        f'"url":"{_HOME}/campaigns/wallet/r3zhm8/items/item-{person}"}},'
        f'"wallet_campaign":{{"wallet_campaign_uid":"{scattered("campaign")}","token":"r3zhm8",'
        f'"url":"{_HOME}/campaigns/wallet/r3zhm8/"}}}}'
    )


def _person_id(person: int) -> str:
    return str(12_000_000 + person)


def _external_id(person: int) -> str:
    return f"crm-{person}"


def _mdn(person: int) -> str:
    return f"+1{_AREA_CODES[person % len(_AREA_CODES)]}{2_000_000 + person}"


def _name(person: int) -> str:
    return _NAMES[person % len(_NAMES)]
