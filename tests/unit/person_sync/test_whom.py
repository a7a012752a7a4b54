"""Which person at Vibes a record of the CRM means."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schemas.facts import PersonIdentity
from workers.person_sync.state import CrmRecord, KnownPerson
from workers.person_sync.whom import Moved, whom

DAY = datetime(2024, 5, 1, tzinfo=UTC)
NUMBER = "+13125550100"
ANN = KnownPerson(PersonIdentity("1", "K1"), True, "ex1", DAY, NUMBER, NUMBER)
BOB = KnownPerson(PersonIdentity("2", "K2"), True, "ex1", DAY + timedelta(days=1), NUMBER, NUMBER)
RECORD = CrmRecord("ex1", NUMBER, NUMBER)
BOUND = replace(RECORD, bound_to=PersonIdentity(None, "K1"))


def without_id(person: KnownPerson) -> KnownPerson:
    return replace(person, external_person_id=None)


class TestARecordThatWasNeverWritten:
    def test_means_the_one_person_with_its_external_id(self) -> None:
        assert whom(RECORD, [ANN, without_id(BOB)]) == ANN

    def test_means_the_one_person_with_its_number_and_no_external_id(self) -> None:
        assert whom(RECORD, [without_id(ANN)]) == without_id(ANN)

    def test_means_nobody_when_two_have_the_number(self) -> None:
        assert whom(RECORD, [without_id(ANN), without_id(BOB)]) is None

    def test_means_nobody_when_nobody_is_known(self) -> None:
        assert whom(RECORD, []) is None

    def test_without_a_number_never_means_a_person_without_one(self) -> None:
        nobody = replace(ANN, external_person_id=None, mdn=None, mdn_e164=None)
        assert whom(CrmRecord("ex1"), [nobody]) is None

    def test_is_unsure_when_the_id_was_on_two_persons(self) -> None:
        assert isinstance(whom(RECORD, [ANN, BOB]), Moved)


class TestARecordThatWasWritten:
    def test_means_the_person_it_was_written_to(self) -> None:
        assert whom(BOUND, [ANN]) == ANN

    def test_is_recognised_by_either_id(self) -> None:
        assert whom(replace(RECORD, bound_to=PersonIdentity("1", None)), [ANN]) == ANN

    def test_means_them_although_an_earlier_holder_still_looks_like_one(self) -> None:
        earlier = replace(BOB, external_person_id_at=DAY - timedelta(days=1))
        assert whom(BOUND, [earlier, ANN]) == ANN

    def test_is_unsure_when_the_id_turns_up_on_another_person(self) -> None:
        assert isinstance(whom(BOUND, [ANN, BOB]), Moved)
        assert isinstance(whom(BOUND, [without_id(ANN), BOB]), Moved)

    def test_is_unsure_when_that_person_has_another_id_now(self) -> None:
        assert isinstance(whom(BOUND, [replace(ANN, external_person_id="ex2")]), Moved)

    def test_means_them_still_when_the_id_was_only_taken_away(self) -> None:
        assert whom(BOUND, [without_id(ANN)]) == without_id(ANN)

    def test_means_nobody_we_know_when_the_mirror_has_lost_them(self) -> None:
        assert whom(BOUND, []) is None
