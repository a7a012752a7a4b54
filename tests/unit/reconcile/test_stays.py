"""How a person's stays in the mirror differ from those Vibes lists, and what the repairs do."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.errors import MessageError
from schemas.facts import BEGINNING, OptIn, OptOut, Stay
from tests.unit.reconcile.stories import ASKED_AT, DAY, LONG_AGO, PERSON, UID, answer, here
from workers.mirror.fold import StayState, fold
from workers.reconcile.answer import Answer, ListedStay, Listing, read_listing, same_moment
from workers.reconcile.compare import Origin, compare
from workers.reconcile.drift import Drift, Kind
from workers.reconcile.here import HeldStay, Here, goes_on
from workers.reconcile.stays import RECONCILED, in_doubt

ENDED = LONG_AGO + 30 * DAY
ACTIVE = ListedStay("L1", LONG_AGO)
LISTED: dict[str, Any] = {"subscription_list": {"id": 1234}, "opt_in_date": "2024-01-15T15:34:52Z"}
LEFT = ListedStay("L1", LONG_AGO, ENDED, "keyword_opt_out")


def differences(mirror: Here, told: Answer) -> list[Drift]:
    return compare(mirror, told, Origin("reconcile:run"))


def the_difference(mirror: Here, told: Answer) -> Drift:
    (drift,) = differences(mirror, told)
    return drift


def told_by(drift: Drift) -> Stay:
    (fact,) = drift.facts
    assert isinstance(fact, Stay)
    return fact


def folded(*facts: Stay) -> dict[datetime, StayState]:
    return {key[2]: state for key, state in fold(facts, {PERSON: UID}).stays.items()}


class TestMissing:
    def test_a_stay_that_goes_on_is_stored_once_the_confirmed_ones_have_it(self) -> None:
        assert in_doubt(here(), answer(ACTIVE))
        drift = the_difference(here(), answer(ACTIVE, confirmed=(ACTIVE,)))
        assert (drift.kind, drift.list_id) == (Kind.STAY_MISSING, "L1")
        assert told_by(drift) == Stay(PERSON, "L1", LONG_AGO, OptIn(ASKED_AT, "reconcile:run"))

    def test_one_that_waits_for_confirmation_is_no_consent(self) -> None:
        assert differences(here(), answer(ACTIVE, confirmed=())) == []

    def test_one_that_has_ended_is_stored_with_its_end(self) -> None:
        told = answer(LEFT)
        assert not in_doubt(here(), told)
        stay = told_by(the_difference(here(), told))
        assert stay.opt_in == OptIn(ASKED_AT, "reconcile:run")
        assert stay.opt_out == OptOut(ENDED, ASKED_AT, "reconcile:run", "keyword_opt_out")

    def test_the_campaign_is_kept(self) -> None:
        listed = replace(LEFT, acquisition_campaign_id="C1")
        assert told_by(the_difference(here(), answer(listed))).acquisition_campaign_id == "C1"

    def test_a_time_with_milliseconds_is_kept_as_callbacks_tell_it(self) -> None:
        finer = replace(LEFT, opt_in_date=LONG_AGO.replace(microsecond=664_000))
        assert told_by(the_difference(here(), answer(finer))).opt_in_date == LONG_AGO

    def test_one_that_an_opt_out_without_a_start_ended_here_is_stored_and_stays_ended(self) -> None:
        ended = HeldStay("L1", BEGINNING, ENDED, "disconnect")
        missing, kept = differences(here(ended), answer(ACTIVE, confirmed=(ACTIVE,)))
        assert (missing.kind, kept.kind) == (Kind.STAY_MISSING, Kind.STAY_ENDED_HERE)
        assert not kept.repairable


class TestOptOuts:
    def test_an_opt_out_nobody_told_is_stored(self) -> None:
        drift = the_difference(here(HeldStay("L1", LONG_AGO)), answer(LEFT))
        assert drift.kind is Kind.OPT_OUT_MISSING
        stay = told_by(drift)
        assert stay.opt_out == OptOut(ENDED, ASKED_AT, "reconcile:run", "keyword_opt_out")
        assert stay.opt_in is None

    def test_it_ends_the_stay_by_the_start_it_has_here(self) -> None:
        by_the_minute = HeldStay("L1", LONG_AGO.replace(second=0))
        assert told_by(the_difference(here(by_the_minute), answer(LEFT))).opt_in_date == by_the_minute.opt_in_date

    def test_the_same_one_is_no_drift(self) -> None:
        assert differences(here(HeldStay("L1", LONG_AGO, ENDED, "keyword_opt_out")), answer(LEFT)) == []

    def test_nor_with_another_spelling(self) -> None:
        finer = ENDED + timedelta(milliseconds=500)
        assert differences(here(HeldStay("L1", LONG_AGO, finer, "KEYWORD_OPT_OUT")), answer(LEFT)) == []

    def test_an_earlier_one_at_vibes_is_stored(self) -> None:
        drift = the_difference(here(HeldStay("L1", LONG_AGO, ENDED + DAY, "keyword_opt_out")), answer(LEFT))
        assert (drift.kind, drift.fields) == (Kind.OPT_OUT_DIFFERS, ("opt_out_date",))
        opt_out = told_by(drift).opt_out
        assert opt_out is not None
        assert opt_out.date == ENDED

    @pytest.mark.parametrize(
        ("held", "field"),
        [
            (HeldStay("L1", LONG_AGO, ENDED - DAY, "keyword_opt_out"), "opt_out_date"),
            (HeldStay("L1", LONG_AGO, ENDED, "user_opt_out"), "opt_out_reason"),
        ],
    )
    def test_a_later_one_or_another_reason_is_reported(self, held: HeldStay, field: str) -> None:
        drift = the_difference(here(held), answer(LEFT))
        assert (drift.kind, drift.fields, drift.repairable) == (Kind.OPT_OUT_DIFFERS, (field,), False)

    def test_what_is_ended_here_and_goes_on_at_vibes_stays_ended_and_is_reported(self) -> None:
        held = HeldStay("L1", LONG_AGO, ENDED, "keyword_opt_out")
        assert in_doubt(here(held), answer(ACTIVE))
        drift = the_difference(here(held), answer(ACTIVE, confirmed=(ACTIVE,)))
        assert (drift.kind, drift.repairable) == (Kind.STAY_ENDED_HERE, False)
        assert differences(here(held), answer(ACTIVE, confirmed=())) == []

    def test_a_stay_that_goes_on_at_both_is_no_drift_and_needs_no_second_question(self) -> None:
        mirror = here(HeldStay("L1", LONG_AGO), HeldStay("L1", LONG_AGO - 9 * DAY, LONG_AGO - DAY, "user_opt_out"))
        told = answer(ACTIVE, ListedStay("L1", LONG_AGO - 9 * DAY, LONG_AGO - DAY, "user_opt_out"))
        assert not in_doubt(mirror, told)
        assert differences(mirror, told) == []


class TestAbsent:
    def test_a_subscription_vibes_lists_nowhere_is_ended(self) -> None:
        mirror, told = here(HeldStay("L1", LONG_AGO)), answer(confirmed=())
        assert in_doubt(mirror, answer())
        drift = the_difference(mirror, told)
        assert drift.kind is Kind.STAY_ABSENT
        opt_out = told_by(drift).opt_out
        assert opt_out is not None
        assert (opt_out.reason, opt_out.event_date) == (RECONCILED, ASKED_AT)
        assert LONG_AGO < opt_out.date < ASKED_AT

    def test_the_opt_out_that_was_told_after_all_takes_its_place(self) -> None:
        repair = told_by(the_difference(here(HeldStay("L1", LONG_AGO)), answer(confirmed=())))
        real = Stay(PERSON, "L1", LONG_AGO, opt_out=OptOut(ENDED, ENDED, "event", "disconnect"))
        for told in ([repair, real], [real, repair]):
            assert folded(*told)[LONG_AGO].opt_out == real.opt_out

    def test_one_the_second_question_finds_goes_on(self) -> None:
        assert differences(here(HeldStay("L1", LONG_AGO)), answer(confirmed=(ACTIVE,))) == []

    def test_one_that_has_just_begun_may_not_be_in_the_answer_yet(self) -> None:
        begun = HeldStay("L1", ASKED_AT - timedelta(minutes=59))
        assert not in_doubt(here(begun), answer())
        assert differences(here(begun), answer(confirmed=())) == []

    def test_one_that_has_ended_here_is_history(self) -> None:
        assert differences(here(HeldStay("L1", LONG_AGO, ENDED, "user_opt_out")), answer()) == []

    @pytest.mark.parametrize("begins", [LONG_AGO + DAY, LONG_AGO - DAY])
    def test_ending_it_leaves_another_one_that_goes_on_alone(self, begins: datetime) -> None:
        current = ListedStay("L1", begins)
        mirror = here(HeldStay("L1", LONG_AGO), HeldStay("L1", begins))
        drift = the_difference(mirror, answer(current, confirmed=(current,)))
        opt_out = told_by(drift).opt_out
        assert opt_out is not None
        after = (HeldStay("L1", LONG_AGO, opt_out.date), HeldStay("L1", begins))
        assert [goes_on(stay, after) for stay in after] == [False, True]

    def test_where_the_answer_cannot_be_read_nothing_is_ended(self) -> None:
        told = replace(answer(confirmed=()), listing=Listing((), unreadable=1))
        drift = the_difference(here(HeldStay("L1", LONG_AGO)), told)
        assert (drift.kind, drift.repairable) == (Kind.STAY_UNREADABLE, False)


class TestConvergence:
    def test_the_callback_of_the_opt_in_takes_the_place_of_the_repair_as_its_proof(self) -> None:
        repair = told_by(the_difference(here(), answer(ACTIVE, confirmed=(ACTIVE,))))
        real = Stay(PERSON, "L1", LONG_AGO, OptIn(LONG_AGO + DAY, "event"))
        for told in ([repair, real], [real, repair]):
            assert folded(*told) == {LONG_AGO: StayState(opt_in=real.opt_in)}

    def test_so_does_the_callback_of_the_opt_out(self) -> None:
        repair = told_by(the_difference(here(HeldStay("L1", LONG_AGO)), answer(LEFT)))
        real = Stay(PERSON, "L1", LONG_AGO, opt_out=OptOut(ENDED, ENDED + DAY, "event", "keyword_opt_out"))
        for told in ([repair, real], [real, repair]):
            assert folded(*told)[LONG_AGO].opt_out == real.opt_out


class TestReading:
    def test_a_stay_is_read_as_callbacks_are(self) -> None:
        ended = {**LISTED, "opt_out_date": "2024-02-14T15:34:52+0000", "opt_out_reason": "disconnect"}
        (active, left) = read_listing([LISTED, ended]).stays
        assert active == ListedStay("1234", LONG_AGO)
        assert left == ListedStay("1234", LONG_AGO, LONG_AGO + 30 * DAY, "disconnect")

    @pytest.mark.parametrize(
        "broken",
        [
            {"subscription_list": None},
            {"opt_in_date": ""},
            {"opt_in_date": "soon"},
            {"opt_out_date": "soon"},
            {"opt_out_reason": "disconnect"},
        ],
    )
    def test_what_is_not_whole_is_counted(self, broken: dict[str, Any]) -> None:
        assert read_listing([{**LISTED, **broken}]) == Listing((), unreadable=1)

    @pytest.mark.parametrize("absent", [None, ""])
    def test_an_end_that_is_null_or_blank_is_none(self, absent: str | None) -> None:
        assert read_listing([{**LISTED, "opt_out_date": absent}]).stays == (ListedStay("1234", LONG_AGO),)

    def test_what_no_database_can_hold_is_refused(self) -> None:
        nested: dict[str, Any] = {}
        for _ in range(100_000):
            nested = {"in": nested}
        with pytest.raises(MessageError):
            read_listing([nested])

    def test_moments_are_the_same_when_one_is_told_less_finely(self) -> None:
        fine = LONG_AGO.replace(microsecond=664_000)
        assert same_moment(LONG_AGO, fine)
        assert same_moment(fine, LONG_AGO.replace(second=0))
        assert not same_moment(LONG_AGO, LONG_AGO + timedelta(seconds=1))
        assert not same_moment(fine, fine + timedelta(milliseconds=1))
