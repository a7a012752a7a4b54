from typing import Any

import pytest

from cli.masking import mask_mdn, mask_value, mask_words


@pytest.mark.parametrize(
    ("mdn", "masked"),
    [
        ("+13125550123", "***0123"),
        ("(312) 555-0123", "***0123"),
        ("2995551234", "***1234"),
        ("12345678", "***"),
        ("72345", "***"),
        ("", "***"),
        (None, None),
    ],
)
def test_of_a_number_only_the_end_is_shown_and_nothing_of_a_short_one(mdn: str | None, masked: str | None) -> None:
    assert mask_mdn(mdn) == masked


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("The MDN +13125550123 is taken", "The MDN *** is taken"),
        ("The MDN (312) 555-0123 is taken", "The MDN *** is taken"),
        ("312-555-0123, 312.555.0123", "***, ***"),
        ("jane.doe@acme.com is taken", "*** is taken"),
        ("see https://vibes.example/persons/1", "see ***"),
        ("zip 60601, since 2026-01-31, code 422", "zip 60601, since 2026-01-31, code 422"),
        ("born 1990-12-31T00:00:00Z", "born 1990-12-31T00:00:00Z"),
    ],
)
def test_numbers_and_addresses_in_a_text_are_masked_and_dates_are_not(words: str, masked: str) -> None:
    assert mask_words(words) == masked


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"home": "+13125550123", "name": "Jane"}, {"home": "***", "name": "Jane"}),
        (["a@b.example", {"name": "x", "id": 13125550123}], ["***", {"name": "x", "id": "***"}]),
        (True, True),
        (None, None),
        (42, 42),
    ],
)
def test_values_are_masked_wherever_they_are(value: Any, masked: Any) -> None:
    assert mask_value(value) == masked
