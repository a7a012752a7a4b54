"""One company's MobileDB: persons, lists and stays, campaigns and participants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from simulator import mdn as numbers
from simulator.campaigns import Campaigns
from simulator.errors import ConflictError, UnprocessableError
from simulator.model import Campaign, Participation, ParticipationStatus, Person, PersonPatch, Stay
from simulator.persons import Persons, Write
from simulator.stays import Stays

LIST_NAMES = ("Sales & Offers", "Новости", "Événements d'été", "毎週のお知らせ", "Store Openings", "Rückrufe 📣")


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a sign-up did. `write` is None if a participation was pending already and nothing changed."""

    participation: Participation
    write: Write | None
    stay: Stay | None


class MobileDB:
    """Everything Vibes knows about one company's people.

    Adding a person subscribes nobody: stays begin only through a campaign, a keyword or a file.
    """

    def __init__(self, company_key: str, custom_fields: Sequence[str]) -> None:
        self.company_key = company_key
        self.persons = Persons(company_key, custom_fields)
        self.stays = Stays()
        self.campaigns = Campaigns()

    def open_list(self, now: datetime) -> str:
        """Open the next list with its two campaigns (`ACQ<n>` double opt-in, `ACQ<n>S` single); the list's id.

        The ids take turns in the forms Vibes shows, and one form is beyond what a double can hold.
        """
        number = len(self.stays.lists)
        list_id = (str(1234 + number), f"ABC{12345 + number}", str(2**53 + 1 + 2 * number))[number % 3]
        self.stays.add_list(list_id, f"{LIST_NAMES[number % len(LIST_NAMES)]} {number + 1}")
        for suffix, double_opt_in in (("", True), ("S", False)):
            self.campaigns.add(
                Campaign(
                    acquisition_id=f"ACQ{1000 + number}{suffix}",
                    campaign_id=f"C{1323542 + number}{suffix}",
                    description=f"Join list {number + 1}",
                    keyword=f"JOIN{number + 1}{suffix}",
                    list_id=list_id,
                    double_opt_in=double_opt_in,
                    start_date=now,
                )
            )
        return list_id

    def sign_up(self, acquisition_id: str, patch: PersonPatch, now: datetime, person: Person | None = None) -> SignUp:
        """Add a participant, as a web form does: find or add the person, change it, begin the opt-in flow.

        `person` is given when the request named a person_key or person_id. Nothing is changed on an error.

        Raises:
            UnknownRecordError: no such campaign.
            ConflictError: the person is subscribed already, or an MDN would change.
            UnprocessableError: MDNHASCONFIRMATIONBLOCK, EXTERNALPERSONIDMISMATCH, a landline, an unknown field,
                nobody named, or an archived list.

        """
        campaign = self.campaigns.find(acquisition_id)
        self.campaigns.check_not_blocked(campaign, patch.get("mdn") or (person.mdn if person else None))
        person = person or self._participant(patch)
        if self.stays.lists[campaign.list_id].archived:
            raise UnprocessableError("The campaign's subscription list is archived")
        if person is not None:
            self.campaigns.check_not_blocked(campaign, person.mdn)
            if self.stays.active(person, campaign.list_id):
                raise ConflictError("The person is already subscribed")
            pending = self.campaigns.pending(campaign, person, now)
            if pending is not None:
                return SignUp(pending, None, None)
        write = self._write(person, patch, now)
        participation = self.campaigns.join(campaign, write.person, now)
        subscribed = participation.status is ParticipationStatus.SUBSCRIBED
        stay = self._subscribe(participation, now) if subscribed else None
        return SignUp(participation, write, stay)

    def reply(self, participation: Participation, now: datetime, *, accepted: bool) -> Stay | None:
        """Take the answer of a pending participant, and return the stay it begins when the answer is yes."""
        self.campaigns.answer(participation, accepted=accepted)
        person, list_id = participation.person, participation.campaign.list_id
        if not accepted or self.stays.lists[list_id].archived or self.stays.active(person, list_id):
            return None
        return self._subscribe(participation, now)

    def _subscribe(self, participation: Participation, now: datetime) -> Stay:
        campaign = participation.campaign
        return self.stays.opt_in(participation.person, campaign.list_id, now, campaign.acquisition_id)

    def _participant(self, patch: PersonPatch) -> Person | None:
        mdn = patch.get("mdn")
        if not mdn and not patch.get("external_person_id"):
            raise UnprocessableError("A participant needs a person_key, external_person_id, person_id or MDN")
        if mdn and not numbers.has_carrier(mdn):
            raise UnprocessableError("The MDN is on no provisioned carrier")
        try:
            return self.persons.match(patch)
        except ConflictError as conflict:
            raise UnprocessableError(conflict.message, "EXTERNALPERSONIDMISMATCH") from conflict

    def _write(self, person: Person | None, patch: PersonPatch, now: datetime) -> Write:
        if person is None:
            return Write(self.persons.create(patch, now), created=True, changed=True)
        return Write(person, created=False, changed=self.persons.change(person, patch, now))
