"""Acquisition campaigns and their participants. Pure: the caller gives the time."""

from datetime import datetime, timedelta

from simulator.errors import UnknownRecordError, UnprocessableError
from simulator.model import Campaign, Participation, ParticipationStatus, Person
from simulator.times import SECOND, floor_to

_PENDING_FOR = timedelta(hours=24)


class Campaigns:
    """Who takes part in which opt-in flow."""

    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self._latest: dict[tuple[str, str], Participation] = {}
        self._blocked: set[tuple[str, str]] = set()

    def add(self, campaign: Campaign) -> None:
        """Open a campaign."""
        self.campaigns[campaign.acquisition_id] = campaign

    def find(self, acquisition_id: str) -> Campaign:
        """Return the campaign with this acquisition_id.

        Raises:
            UnknownRecordError: there is none.

        """
        campaign = self.campaigns.get(acquisition_id)
        if campaign is None:
            raise UnknownRecordError("No acquisition campaign has this id")
        return campaign

    def of_list(self, list_id: str) -> list[Campaign]:
        """Return the campaigns that lead to a list."""
        return [campaign for campaign in self.campaigns.values() if campaign.list_id == list_id]

    def pending(self, campaign: Campaign, person: Person, now: datetime) -> Participation | None:
        """Return the participation that still waits for the person's answer."""
        latest = self._latest.get((campaign.acquisition_id, person.person_id))
        if latest is None or latest.status is not ParticipationStatus.PENDING or latest.expire_date <= now:
            return None
        return latest

    def check_not_blocked(self, campaign: Campaign, mdn: str | None) -> None:
        """Pass unless the number answered No to this campaign: then only the person can join, by keyword.

        Raises:
            UnprocessableError: it did (MDNHASCONFIRMATIONBLOCK).

        """
        if (campaign.acquisition_id, mdn) in self._blocked:
            raise UnprocessableError("The MDN has declined this campaign", "MDNHASCONFIRMATIONBLOCK")

    def join(self, campaign: Campaign, person: Person, now: datetime, *, by_keyword: bool = False) -> Participation:
        """Begin a participation: pending with double opt-in, else subscribed at once."""
        joined = floor_to(now, SECOND)
        earlier = self._latest.get((campaign.acquisition_id, person.person_id))
        if earlier is not None:
            joined = max(joined, earlier.participation_date + SECOND)
        status = ParticipationStatus.PENDING if campaign.double_opt_in else ParticipationStatus.SUBSCRIBED
        participation = Participation(person, campaign, joined, joined + _PENDING_FOR, status, by_keyword)
        self._latest[campaign.acquisition_id, person.person_id] = participation
        return participation

    def answer(self, participation: Participation, *, accepted: bool) -> None:
        """Take the person's reply to a pending participation: Y, or anything that means no."""
        participation.status = ParticipationStatus.CONFIRMED if accepted else ParticipationStatus.REJECTED
        if not accepted and participation.person.mdn:
            self._blocked.add((participation.campaign.acquisition_id, participation.person.mdn))
