"""The subscription lists of one MobileDB and who stayed on them, from when to when. Pure: the caller gives the time."""

from collections.abc import Iterator
from datetime import datetime

from simulator.errors import ConflictError, UnknownRecordError, UnprocessableError
from simulator.model import Person, Stay, SubscriptionList
from simulator.times import SECOND, floor_to


class Stays:
    """Lists and stays. A person who leaves a list and joins again has two stays, the second one later."""

    def __init__(self) -> None:
        self.lists: dict[str, SubscriptionList] = {}
        self._of_person: dict[str, list[Stay]] = {}
        self._latest: dict[tuple[str, str], Stay] = {}
        self._active: dict[str, dict[str, Stay]] = {}

    def __iter__(self) -> Iterator[Stay]:
        return (stay for stays in self._of_person.values() for stay in stays)

    def add_list(self, list_id: str, name: str) -> SubscriptionList:
        """Open a list."""
        subscription_list = self.lists[list_id] = SubscriptionList(list_id, name)
        self._active[list_id] = {}
        return subscription_list

    def open_lists(self) -> list[SubscriptionList]:
        """Return the lists that can be joined, oldest first."""
        return [each for each in self.lists.values() if not each.archived]

    def find_list(self, list_id: str) -> SubscriptionList:
        """Return the list with this id.

        Raises:
            UnknownRecordError: there is none.

        """
        found = self.lists.get(list_id)
        if found is None:
            raise UnknownRecordError("No subscription list has this id")
        return found

    def active(self, person: Person, list_id: str) -> Stay | None:
        """Return the stay that goes on now."""
        return self._active[list_id].get(person.person_id)

    def subscribers(self, list_id: str) -> dict[str, Stay]:
        """Return the stays that go on now on a list, by person_id, in order of opt-in."""
        return self._active[list_id]

    def of_person(self, person: Person, *, active_only: bool) -> list[Stay]:
        """Return a person's stays in order of opt-in."""
        stays = self._of_person.get(person.person_id, [])
        return [stay for stay in stays if stay.opt_out_date is None or not active_only]

    def free_since(self, person: Person, list_id: str) -> datetime | None:
        """Return when this person's next stay on this list may begin: a second after the last one's end, if any."""
        before = self._latest.get((person.person_id, list_id))
        if before is None or before.opt_out_date is None:
            return None
        return before.opt_out_date + SECOND

    def opt_in(self, person: Person, list_id: str, now: datetime, acquisition_id: str | None = None) -> Stay:
        """Begin a stay, later than the end of any earlier stay of this person on this list.

        Raises:
            UnknownRecordError: no such list.
            ConflictError: the person is on the list already.
            UnprocessableError: the list is archived.

        """
        if self.find_list(list_id).archived:
            raise UnprocessableError("The subscription list is archived")
        if self.active(person, list_id):
            raise ConflictError("The person is already subscribed to the list")
        opt_in_date = floor_to(now, SECOND)
        opt_in_date = max(opt_in_date, self.free_since(person, list_id) or opt_in_date)
        stay = Stay(person, list_id, opt_in_date, acquisition_id)
        self._of_person.setdefault(person.person_id, []).append(stay)
        self._latest[person.person_id, list_id] = self._active[list_id][person.person_id] = stay
        return stay

    def opt_out(self, person: Person, list_id: str, now: datetime, reason: str) -> Stay:
        """End the stay that goes on now, a second after its start at the earliest.

        Raises:
            UnknownRecordError: no such list, or the person is not on it.

        """
        self.find_list(list_id)
        stay = self._active[list_id].pop(person.person_id, None)
        if stay is None:
            raise UnknownRecordError("The person is not subscribed to the list")
        stay.opt_out_date = max(floor_to(now, SECOND), stay.opt_in_date + SECOND)
        stay.opt_out_reason = reason
        return stay

    def archive(self, list_id: str, now: datetime) -> list[Stay]:
        """Close a list for good and end every stay on it, each with the reason list_archived.

        Raises:
            UnknownRecordError: no such list.

        """
        self.find_list(list_id).archived = True
        subscribers = [stay.person for stay in self._active[list_id].values()]
        return [self.opt_out(person, list_id, now, "list_archived") for person in subscribers]
