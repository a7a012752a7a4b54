"""Models of the callback bodies. Everything is optional, unknown fields are ignored here and kept in the payload.

A field of an unexpected JSON type reads as None: one odd value must not hide the rest of the event.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from schemas.callbacks.types import CallbackType
from schemas.values import read_object, read_text, read_timestamp

Text = Annotated[str | None, BeforeValidator(read_text)]
Timestamp = Annotated[datetime | None, BeforeValidator(read_timestamp)]
Flag = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Json = Annotated[dict[str, Any] | None, BeforeValidator(read_object)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class MobilePhone(_Part):
    """The one active phone of a person."""

    mdn: Text = None
    carrier_code: Text = None


class PersonReference(_Part):
    """A person as any family of callbacks names one; each family uses some of these fields."""

    id: Text = None
    person_id: Text = None
    person_key: Text = None
    external_person_id: Text = None
    external_id: Text = None
    mobile_phone: Annotated[MobilePhone | None, BeforeValidator(read_object)] = None

    @property
    def vibes_id(self) -> str | None:
        """Vibes' deprecated id, under either of its names."""
        return self.person_id or self.id

    @property
    def customer_id(self) -> str | None:
        """The customer's id, under either of its names."""
        return self.external_person_id or self.external_id

    @property
    def mdn(self) -> str | None:
        """The phone number as Vibes wrote it."""
        return self.mobile_phone.mdn if self.mobile_phone else None


class Person(PersonReference):
    """The complete state of a person (person_added, person_updated, and the Person API's answers)."""

    timezone: Text = None
    timezone_source: Text = None
    custom_fields: Json = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    url: Text = None


class SubscriptionList(_Part):
    """A subscription list; callbacks about one of its subscribers carry its id and url only."""

    id: Text = None
    name: Text = None
    url: Text = None


class AcquisitionCampaign(_Part):
    """An opt-in flow. Its id and the id in its url may differ."""

    id: Text = None
    description: Text = None
    keyword: Text = None
    url: Text = None


class Subscription(_Part):
    """One stay of one person on one list. It has no id of its own."""

    person: Annotated[PersonReference | None, BeforeValidator(read_object)] = None
    subscription_list: Annotated[SubscriptionList | None, BeforeValidator(read_object)] = None
    acquisition_campaign: Annotated[AcquisitionCampaign | None, BeforeValidator(read_object)] = None
    opt_in_date: Timestamp = None
    opt_out_date: Timestamp = None
    opt_out_reason: Text = None


class Participant(_Part):
    """One participation in an acquisition campaign. PENDING is no consent yet."""

    person: Annotated[PersonReference | None, BeforeValidator(read_object)] = None
    acquisition_campaign: Annotated[AcquisitionCampaign | None, BeforeValidator(read_object)] = None
    subscription_list: Annotated[SubscriptionList | None, BeforeValidator(read_object)] = None
    participation_date: Timestamp = None
    expire_date: Timestamp = None
    status: Text = None


class PushDevice(_Part):
    """An app on a device. The push token is credential-like and not read here."""

    app_id: Text = None
    vibes_device_id: Text = None
    device_os: Text = None


class Sender(_Part):
    """Who sent an unmatched message: the only place where `carrier_id` is used and no person is named."""

    mdn: Text = None
    carrier_id: Text = None


class SourceCode(_Part):
    """The short code a message was sent to."""

    company_key: Text = None
    code: Text = None
    country_code: Text = None
    code_type: Text = None
    response_sent: Flag = None


class WalletInstance(_Part):
    """One installation of a pass."""

    registered_at: Timestamp = None
    unregistered_at: Timestamp = None
    wallet_instance_uid: Text = None
    provider: Text = None


class WalletItem(_Part):
    """A pass; its uuid is text of the customer's."""

    uuid: Text = None
    wallet_object_uid: Text = None
    expiration_date: Timestamp = None


class WalletCampaign(_Part):
    """The campaign of a pass."""

    wallet_campaign_uid: Text = None
    token: Text = None


class Action(_Part):
    """What Vibes did with an event the customer had submitted."""

    type: Text = None
    status: Text = None
    status_reason: Text = None


class ProcessedEvent(_Part):
    """An event the customer had submitted; many callbacks share its event_id."""

    event_id: Text = None
    event_type: Text = None
    event_data: Json = None
    action: Annotated[Action | None, BeforeValidator(read_object)] = None


class CallbackBody(_Part):
    """What every body has."""

    event_id: Text = None
    event_date: Timestamp = None


class SubscriptionBody(CallbackBody):
    """subscription_added, subscription_removed."""

    subscription: Annotated[Subscription | None, BeforeValidator(read_object)] = None


class PersonBody(CallbackBody):
    """person_added, person_updated."""

    person: Annotated[Person | None, BeforeValidator(read_object)] = None


class ParticipantBody(CallbackBody):
    """ack_participant_*, company_participant_*. The list stands beside the participant or inside it."""

    participant: Annotated[Participant | None, BeforeValidator(read_object)] = None
    subscription_list: Annotated[SubscriptionList | None, BeforeValidator(read_object)] = None


class DeviceBody(CallbackBody):
    """device_added, device_updated, device_removed."""

    person: Annotated[PersonReference | None, BeforeValidator(read_object)] = None
    push_device: Annotated[PushDevice | None, BeforeValidator(read_object)] = None


class SubscriptionListBody(CallbackBody):
    """subscription_list_added, subscription_list_updated."""

    subscription_list: Annotated[SubscriptionList | None, BeforeValidator(read_object)] = None


class UnmatchedMessageBody(CallbackBody):
    """unmatched_message_received."""

    participant: Annotated[Sender | None, BeforeValidator(read_object)] = None
    source_code: Annotated[SourceCode | None, BeforeValidator(read_object)] = None
    message_id: Text = None
    txn_id: Text = None
    receipt_date: Timestamp = None


class WalletBody(CallbackBody):
    """wallet_item_install, wallet_item_remove."""

    wallet_instance: Annotated[WalletInstance | None, BeforeValidator(read_object)] = None
    wallet_item: Annotated[WalletItem | None, BeforeValidator(read_object)] = None
    wallet_campaign: Annotated[WalletCampaign | None, BeforeValidator(read_object)] = None


class EventProcessedBody(CallbackBody):
    """event_processed."""

    event_processed: Annotated[ProcessedEvent | None, BeforeValidator(read_object)] = None


BODIES: dict[CallbackType, type[CallbackBody]] = {
    CallbackType.ACK_PARTICIPANT_ADDED: ParticipantBody,
    CallbackType.ACK_PARTICIPANT_CHANGED: ParticipantBody,
    CallbackType.COMPANY_PARTICIPANT_ADDED: ParticipantBody,
    CallbackType.COMPANY_PARTICIPANT_CHANGED: ParticipantBody,
    CallbackType.EVENT_PROCESSED: EventProcessedBody,
    CallbackType.PERSON_ADDED: PersonBody,
    CallbackType.PERSON_UPDATED: PersonBody,
    CallbackType.DEVICE_ADDED: DeviceBody,
    CallbackType.DEVICE_REMOVED: DeviceBody,
    CallbackType.DEVICE_UPDATED: DeviceBody,
    CallbackType.SUBSCRIPTION_ADDED: SubscriptionBody,
    CallbackType.SUBSCRIPTION_REMOVED: SubscriptionBody,
    CallbackType.SUBSCRIPTION_LIST_ADDED: SubscriptionListBody,
    CallbackType.SUBSCRIPTION_LIST_UPDATED: SubscriptionListBody,
    CallbackType.UNMATCHED_MESSAGE_RECEIVED: UnmatchedMessageBody,
    CallbackType.WALLET_ITEM_INSTALL: WalletBody,
    CallbackType.WALLET_ITEM_REMOVE: WalletBody,
}
"""The model of each type."""
