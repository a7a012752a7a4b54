import json

import pytest

from cli.signup_outcomes import explain_refusal, explain_sign_up
from vibes_api import SignUp, SignUpOutcome, Unprocessable
from vibes_api.error_body import parse_errors


def refused(*errors: object, body: bytes | None = None) -> str:
    raw = json.dumps({"errors": errors}).encode() if body is None else body
    error = Unprocessable("POST /x", status=422, errors=parse_errors(raw), body=raw)
    return explain_refusal(error, ["zip", "first_name"]).word


@pytest.mark.parametrize("code", ["UNPROCESSABLE ENTITY", "unprocessable_entity", "NEWCODE"])
def test_a_refusal_for_a_reason_not_documented_is_a_question_for_vibes(code: str) -> None:
    assert refused({"message": "", "code": code}) == "other"


@pytest.mark.parametrize("place", ["message", "code"])
def test_the_codes_are_found_wherever_they_stand(place: str) -> None:
    assert refused({"message": "x", place: "MDNHASCONFIRMATIONBLOCK"}) == "confirmation_block"
    assert refused({"message": "x", place: "EXTERNALPERSONIDMISMATCH"}) == "external_id_taken"
    assert refused(body=b"not JSON: MdnHasConfirmationBlock") == "confirmation_block"


def test_a_field_is_found_as_a_word_and_not_inside_of_another() -> None:
    assert refused({"message": "The zip code must be numeric", "code": 2}) == "custom_field"
    assert refused({"message": "No carrier for recipient's zipped number"}) == "no_carrier"


def test_a_refusal_without_code_or_body_is_most_likely_a_landline() -> None:
    assert refused(body=b"") == "no_carrier"


def test_a_success_that_says_nothing_is_left_to_the_callbacks() -> None:
    assert explain_sign_up(SignUp(SignUpOutcome.ACCEPTED, None), 201).word == "accepted"
