"""How a person's stays differ. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.facts import OptIn, OptOut, PersonIdentity, Stay
from workers.reconcile.answer import MINUTE, Answer, ListedStay, cut_off, same_moment
from workers.reconcile.drift import Drift, Kind
from workers.reconcile.here import HeldStay, Here, goes_on, is_ended

SETTLED = timedelta(hours=1)
"""What happened at Vibes so long before it was asked is in its answer, whatever lags behind there, and however much the
clocks differ. Later things are left for the next run where a repair could not be undone."""

RECONCILED = "reconciled"
"""The reason of an opt-out that nobody told: Vibes has no such stay."""

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Told:
    """Who the stays are of, and by what the repairs are known."""

    person: PersonIdentity
    event_id: str
    at: datetime
    """When Vibes was asked: later than what a callback of the same opt-in or opt-out says, so that the callback, should
    it come, takes the place of the repair as the proof."""

    def stay(self, list_id: str, opt_in_date: datetime) -> Stay:
        """Return a stay of the person about which nothing is told."""
        return Stay(self.person, list_id, opt_in_date)

    def opt_in(self) -> OptIn:
        """Return the proof that a stay began."""
        return OptIn(self.at, self.event_id)

    def opt_out(self, date: datetime, reason: str | None) -> OptOut:
        """Return the proof that a stay ended."""
        return OptOut(date, self.at, self.event_id, reason)


def in_doubt(here: Here, answer: Answer) -> bool:
    """Tell whether the confirmed stays have to be asked for: some stay goes on on one side only.

    Vibes lists stays that wait for confirmation together with ended ones, and nothing tells them from those that go
    on; only the route of the active ones leaves them out (docs/vibes.md, "Subscriptions").
    """
    missing = any(
        listed.opt_out_date is None and not _goes_on_here(listed, here.stays) for listed in answer.listing.stays
    )
    return missing or any(True for _ in _absent(here, answer))


def compare_stays(here: Here, answer: Answer, told: Told) -> Iterator[Drift]:
    """Yield how the stays here differ from those Vibes lists."""
    if answer.listing.unreadable:
        yield Drift(Kind.STAY_UNREADABLE, remark=f"{answer.listing.unreadable} listed without list, start or end")
    for listed in answer.listing.stays:
        held = _counterpart(listed, here.stays)
        if listed.opt_out_date is None:
            yield from _compare_active(listed, held, here, answer, told)
        else:
            yield from _compare_ended(listed, listed.opt_out_date, held, told)
    for stay in _absent(here, answer):
        yield _end(stay, answer, told)


def end_all(here: Here, told: Told, *, repair: bool) -> Iterator[Drift]:
    """Yield the stays by which a person whom Vibes does not know is subscribed here."""
    remark = None if repair else "the person is gone at Vibes; --close-gone ends it here"
    for stay in _settled(here, told.at):
        facts = (_ended(stay, told.at - SETTLED, told),) if repair else ()
        yield Drift(Kind.STAY_ABSENT, ("opt_out_date",), stay.list_id, facts, remark=remark)


def _compare_active(
    listed: ListedStay, held: HeldStay | None, here: Here, answer: Answer, told: Told
) -> Iterator[Drift]:
    """Compare a stay without an end: it counts only if the route of the confirmed ones lists it too."""
    if _goes_on_here(listed, here.stays) or answer.confirmed is None or not _is_in(listed, answer.confirmed.stays):
        return
    if held is None:
        yield Drift(Kind.STAY_MISSING, ("opt_in_date",), listed.list_id, (_begun(listed, told),))
    if held is not None or is_ended(listed.list_id, cut_off(listed.opt_in_date), here.stays):
        yield Drift(
            Kind.STAY_ENDED_HERE,
            ("opt_out_date",),
            listed.list_id,
            remark="an opt-out was told here that Vibes does not have; in doubt a person is not subscribed",
        )


def _compare_ended(listed: ListedStay, opt_out_date: datetime, held: HeldStay | None, told: Told) -> Iterator[Drift]:
    opt_out = told.opt_out(opt_out_date, listed.opt_out_reason)
    if held is None:
        stay = _begun(listed, told)._replace(opt_out=opt_out)
        yield Drift(Kind.STAY_MISSING, ("opt_in_date", "opt_out_date"), listed.list_id, (stay,))
        return
    stay = told.stay(held.list_id, held.opt_in_date)._replace(opt_out=opt_out)
    if held.opt_out_date is None:
        yield Drift(Kind.OPT_OUT_MISSING, ("opt_out_date",), listed.list_id, (stay,))
        return
    fields = _differing(listed, opt_out_date, held, held.opt_out_date)
    if fields:
        earlier = opt_out_date < held.opt_out_date and "opt_out_date" in fields
        remark = None if earlier else "the earliest opt-out told, and the first to tell it, stays"
        yield Drift(Kind.OPT_OUT_DIFFERS, fields, listed.list_id, (stay,) if earlier else (), remark=remark)


def _differing(listed: ListedStay, listed_end: datetime, held: HeldStay, held_end: datetime) -> tuple[str, ...]:
    reason = listed.opt_out_reason
    differ = {
        "opt_out_date": not same_moment(listed_end, held_end),
        # Daily extracts print the reasons in capitals.
        "opt_out_reason": reason is not None and reason.casefold() != (held.opt_out_reason or "").casefold(),
    }
    return tuple(name for name, differs in differ.items() if differs)


def _begun(listed: ListedStay, told: Told) -> Stay:
    # Every documented callback has whole seconds: the late callback of this stay has to mean the same one.
    stay = told.stay(listed.list_id, cut_off(listed.opt_in_date))
    return stay._replace(opt_in=told.opt_in(), acquisition_campaign_id=listed.acquisition_campaign_id)


def _absent(here: Here, answer: Answer) -> Iterator[HeldStay]:
    """Yield the stays by which the person is subscribed here and that Vibes does not list at all."""
    if answer.listing.unreadable or (answer.confirmed and answer.confirmed.unreadable):
        return
    listed = (*answer.listing.stays, *(answer.confirmed.stays if answer.confirmed else ()))
    for stay in _settled(here, answer.asked_at):
        if not any(_is_same(each, stay) for each in listed):
            yield stay


def _settled(here: Here, asked_at: datetime) -> Iterator[HeldStay]:
    """Yield the stays by which the person is subscribed here and that Vibes' answers must know of by now."""
    for stay in here.stays:
        if stay.opt_in_date < asked_at - SETTLED and goes_on(stay, here.stays):
            yield stay


def _end(stay: HeldStay, answer: Answer, told: Told) -> Drift:
    """End a stay Vibes does not have when that must have been at the latest.

    An end ends every stay on the list that began before it (view current_subscriptions), so where one goes on at Vibes
    the date is before that: even before the stay's own beginning, which says that it never was.
    """
    going_on = [
        cut_off(other.opt_in_date, MINUTE) - _INSTANT
        for other in answer.listing.stays
        if other.list_id == stay.list_id and other.opt_out_date is None
    ]
    date = min([told.at - SETTLED, *going_on])
    return Drift(Kind.STAY_ABSENT, ("opt_out_date",), stay.list_id, (_ended(stay, date, told),))


def _ended(stay: HeldStay, date: datetime, told: Told) -> Stay:
    return told.stay(stay.list_id, stay.opt_in_date)._replace(opt_out=told.opt_out(date, RECONCILED))


def _counterpart(listed: ListedStay, stays: Sequence[HeldStay]) -> HeldStay | None:
    exact = (stay for stay in stays if stay.list_id == listed.list_id and stay.opt_in_date == listed.opt_in_date)
    near = (stay for stay in stays if _is_same(listed, stay))
    return next(exact, None) or next(near, None)


def _goes_on_here(listed: ListedStay, stays: tuple[HeldStay, ...]) -> bool:
    return any(_is_same(listed, stay) and goes_on(stay, stays) for stay in stays)


def _is_in(listed: ListedStay, others: Iterable[ListedStay]) -> bool:
    return any(
        other.list_id == listed.list_id and same_moment(other.opt_in_date, listed.opt_in_date) for other in others
    )


def _is_same(listed: ListedStay, stay: HeldStay) -> bool:
    return listed.list_id == stay.list_id and same_moment(listed.opt_in_date, stay.opt_in_date)
