"""What an error says, to the code that handles it and to the person who reads the log."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibes_api import errors
from vibes_api.error_body import ApiError, parse_errors
from vibes_api.errors import VibesError, error_class

ROUTE = "PUT /persons/external/{external_person_id}"


@pytest.mark.parametrize(
    ("status", "expected", "family"),
    [
        (302, errors.Redirected, errors.Unavailable),
        (304, errors.Redirected, errors.Unavailable),
        (400, errors.BadRequest, errors.Rejected),
        (401, errors.AccessDenied, errors.AccessDenied),
        (403, errors.AccessDenied, errors.AccessDenied),
        (404, errors.NotFound, errors.Rejected),
        (405, errors.Rejected, errors.Rejected),
        (408, errors.TimedOut, errors.Unavailable),
        (409, errors.Conflict, errors.Rejected),
        (418, errors.Rejected, errors.Rejected),
        (422, errors.Unprocessable, errors.Rejected),
        (429, errors.RateLimited, errors.Unavailable),
        (500, errors.ServerError, errors.Unavailable),
        (503, errors.ServerError, errors.Unavailable),
        (599, errors.ServerError, errors.Unavailable),
        (777, errors.ServerError, errors.Unavailable),
    ],
)
def test_a_status_decides_class_and_family(
    status: int,
    expected: type[VibesError],
    family: type[VibesError],
) -> None:
    assert error_class(status) is expected
    assert issubclass(expected, family)


def test_only_throttling_server_trouble_timeouts_and_lost_connections_are_worth_a_retry() -> None:
    every = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, VibesError)}

    assert {cls for cls in every if cls.retryable} == {
        errors.RateLimited,
        errors.ServerError,
        errors.TimedOut,
        errors.ConnectionFailed,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"errors":[{"message":"MDN is required","code":1},{"message":"bad zip","code":"ZIP"}]}',
            [ApiError("1", "MDN is required"), ApiError("ZIP", "bad zip")],
        ),
        (b"\xef\xbb\xbf" + b'{"errors":[{"code":2}]}', [ApiError("2", "")]),
        (b'{"errors":["as text", null, 7, {}]}', [ApiError(None, "as text"), ApiError(None, "7")]),
        (b'{"errors":{"message":"no array"}}', [ApiError(None, "no array")]),
        (b'{"errors":[],"message":"beside it","code":5}', [ApiError("5", "beside it")]),
        (b'{"error":"one word"}', [ApiError(None, "one word")]),
        (b'{"message":"no errors key"}', [ApiError(None, "no errors key")]),
        (b'[{"code":"A"}]', [ApiError("A", "")]),
        (b'"just text"', [ApiError(None, "just text")]),
        (b"", []),
        (b"   ", []),
        (b"null", []),
        (b"<html>502 Bad Gateway</html>", []),
        (b'{"errors":[{"mess', []),
        (b"\xff\xfe\x00", []),
        (b"[" * 100_000, []),
    ],
)
def test_error_bodies_are_read_as_far_as_possible(body: bytes, expected: list[ApiError]) -> None:
    assert parse_errors(body) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["errors", "code", "message"]), inner),
)


@given(st.binary())
def test_no_bytes_make_the_parser_raise(body: bytes) -> None:
    assert isinstance(parse_errors(body), list)


@given(JSON)
def test_no_json_makes_the_parser_raise(value: object) -> None:
    assert isinstance(parse_errors(json.dumps(value).encode()), list)


def test_the_text_names_status_route_codes_and_what_to_do() -> None:
    error = errors.Conflict(ROUTE, status=409, errors=[ApiError("12", "x"), ApiError("MDN_TAKEN", "y")])

    assert str(error).startswith(f"{ROUTE} was answered 409; ")
    assert "somebody has to decide" in str(error)
    assert str(error).endswith("codes: 12, MDN_TAKEN")


@pytest.mark.parametrize("secret", ["+12135551234", "12135551234", "Steve Miller, 5 Elm Street; " * 3])
def test_neither_text_nor_repr_repeats_what_vibes_said(secret: str) -> None:
    body = f'{{"errors":[{{"message":"{secret}","code":"{secret}"}}]}}'.encode()
    error = errors.Unprocessable(ROUTE, status=422, errors=parse_errors(body), body=body)

    shown = f"{error} {error!r} {error.args}"

    assert secret not in shown
    assert "codes: ?" in shown
    assert error.errors[0].message == secret


def test_an_error_without_answer_says_so() -> None:
    error = errors.TimedOut(ROUTE, reason="no complete answer within 2 s")

    assert "got no answer" in str(error)
    assert "within 2 s" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"code":"MDNHASCONFIRMATIONBLOCK","message":"no"}]}',
        b'{"errors":[{"code":1,"message":"refused: MdnHasConfirmationBlock"}]}',
        b'{"status":"MDNHASCONFIRMATIONBLOCK"}',
        b"MDNHASCONFIRMATIONBLOCK \xff",
    ],
)
def test_a_documented_code_is_found_wherever_vibes_puts_it(body: bytes) -> None:
    error = errors.Unprocessable(ROUTE, status=422, errors=parse_errors(body), body=body)

    assert error.mentions("MDNHASCONFIRMATIONBLOCK")
    assert not error.mentions("EXTERNALPERSONIDMISMATCH")
