from uuid import uuid4

from workers.apply.in_flight import InFlight

ONE, TWO, THREE = uuid4(), uuid4(), uuid4()


def test_a_batch_is_told_which_of_its_events_another_one_has() -> None:
    in_flight = InFlight()
    with in_flight.batch({ONE, TWO}) as first, in_flight.batch({TWO, THREE}) as second:
        assert (first, second) == (set(), {TWO})


def test_what_a_batch_had_is_free_once_it_is_done() -> None:
    in_flight = InFlight()
    with in_flight.batch({ONE}):
        pass
    with in_flight.batch({ONE}) as elsewhere:
        assert elsewhere == set()


def test_batches_with_the_same_events_are_told_apart() -> None:
    in_flight = InFlight()
    with in_flight.batch({ONE}):
        with in_flight.batch({ONE}):
            pass
        with in_flight.batch({ONE}) as elsewhere:
            assert elsewhere == {ONE}
