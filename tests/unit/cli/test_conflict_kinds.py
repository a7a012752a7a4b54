import pytest

from cli.conflicts.advice import TITLES, Advice, Situation, advise, named_fields
from cli.conflicts.kinds import Kind, kind_of
from vibes_api import Conflict, InvalidRequest, Unprocessable
from vibes_api.error_body import ApiError
from workers.person_sync.decide import MOVED, NUMBER_DIFFERS

HERE = Situation(argument="E 1", company_key="acme")


def commands(advice: Advice) -> list[str]:
    return [step.how for step in advice.steps if step.how]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (409, "The MDN of a person cannot be changed", Kind.NUMBER_FIXED),
        (409, "The MDN belongs to another person", Kind.NUMBER_TAKEN),
        (409, "MDN already associated with another person record", Kind.NUMBER_TAKEN),
        (409, "The external_person_id belongs to another person", Kind.EXTERNAL_ID_TAKEN),
        (409, None, Kind.CONTRADICTION),
        (422, "Custom fields unknown to the platform: shoe_size", Kind.CUSTOM_FIELD),
        (422, "The MDN is on no provisioned carrier", Kind.NO_CARRIER),
        (422, "EXTERNALPERSONIDMISMATCH", Kind.EXTERNAL_ID_TAKEN),
        (422, "countrynotsupported", Kind.MALFORMED),
        (422, None, Kind.NOT_POSSIBLE),
        (400, None, Kind.MALFORMED),
        (404, None, Kind.UNKNOWN_AT_VIBES),
        (410, "Gone", Kind.REFUSED),
        (None, None, Kind.OTHER),
    ],
)
def test_an_answer_tells_the_kind_of_conflict(status: int | None, message: str | None, kind: Kind) -> None:
    assert kind_of("PUT /persons/{person_key} was answered", status, message) is kind


def test_a_code_counts_that_stands_in_the_workers_words_only() -> None:
    error = Unprocessable("PUT /x", status=422, errors=[ApiError("EXTERNALPERSONIDMISMATCH", "")])
    assert kind_of(str(error), 422, None) is Kind.EXTERNAL_ID_TAKEN


def test_the_workers_own_words_tell_the_kind_where_vibes_was_not_asked() -> None:
    assert kind_of(f"{MOVED}it is on another person now", None, None) is Kind.EXTERNAL_ID_MOVED
    assert kind_of(NUMBER_DIFFERS, None, None) is Kind.NUMBER_DIFFERS
    assert kind_of("the answer cannot be stored: MessageError", None, None) is Kind.ANSWER_NOT_STORED
    assert kind_of(str(InvalidRequest("PUT /x", reason="a blank id")), None, None) is Kind.NOT_SENT


def test_the_general_words_of_a_409_do_not_pass_for_a_message_of_vibes() -> None:
    assert kind_of(str(Conflict("PUT /persons/{person_key}", status=409)), 409, None) is Kind.CONTRADICTION


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_what_it_means_and_how_to_go_on(kind: Kind) -> None:
    advice = advise(kind, HERE)
    assert advice.title == TITLES[kind]
    assert advice.meaning.endswith(".")
    assert advice.steps[-2].how == "vibes-pipeline conflicts retry 'E 1' --company acme"
    assert advice.steps[-1].how == "vibes-pipeline conflicts resolve 'E 1' --note \"WHY\" --company acme"


def test_a_409_without_words_is_told_by_what_the_mirror_knows() -> None:
    fixed = Situation("E1", "acme", bound_to="K1", number_differs=True, with_number=("K2",))
    assert advise(Kind.CONTRADICTION, fixed).kind is Kind.NUMBER_FIXED
    taken = advise(Kind.CONTRADICTION, Situation("E1", "acme", with_number=("K2",)))
    assert taken.kind is Kind.NUMBER_TAKEN
    assert "The mirror knows: K2." in taken.meaning


def test_a_custom_field_is_named_by_whole_words_only() -> None:
    unknown = Situation("E1", "acme", message="unknown: home_zip", custom_fields=("zip", "home_zip"))
    assert named_fields(unknown) == ["home_zip"]
    advice = advise(Kind.NOT_POSSIBLE, unknown)
    assert advice.kind is Kind.CUSTOM_FIELD
    assert "custom field home_zip" in advice.meaning
    assert any("[companies.sync.custom_fields] home_zip =" in command for command in commands(advice))
    assert "vibes-pipeline conflicts retry --all --status-code 422 --company acme" in commands(advice)


def test_a_moved_external_id_names_both_persons_and_the_way_to_accept_the_new_one() -> None:
    moved = advise(Kind.EXTERNAL_ID_MOVED, Situation("E1", "acme", bound_to="K1", with_external_id=("K2",)))
    assert "was written to K1 before" in moved.meaning
    assert "K2" in moved.meaning
    assert any("conflicts resolve E1 --accept-person PERSON_KEY" in command for command in commands(moved))


def test_another_number_is_never_said_to_be_changeable() -> None:
    advice = advise(Kind.NUMBER_DIFFERS, HERE)
    assert "changes no number" in advice.meaning
    assert any("consent belongs to the old one" in step.text for step in advice.steps)
    assert any("mdn null" in step.text for step in advice.steps)
