"""What each documented answer to a sign-up or an unsubscription means, in a sentence for a person. Pure.

The table of answers is that of Vibes' page on web sign-up. Where its codes stand in the body of an answer is not
documented, so the whole body is searched for them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from vibes_api import (
    CONFIRMATION_BLOCK,
    EXTERNAL_ID_TAKEN,
    BadRequest,
    NotFound,
    Participation,
    Rejected,
    SignUp,
    SignUpOutcome,
    Unprocessable,
)

_OTHER = ("UNPROCESSABLE ENTITY", "UNPROCESSABLE_ENTITY", "UNPROCESSABLEENTITY")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: a stable word for programs, whether what was wanted is so or under way, and a sentence."""

    word: str
    done: bool
    sentence: str


def explain_sign_up(sign_up: SignUp, status: int | None) -> Outcome:
    """Return what a successful answer means; `status` is the HTTP status of it."""
    until = _until(sign_up.participation)
    match sign_up.outcome:
        case SignUpOutcome.PENDING if status == 200:
            return Outcome(
                "pending_already",
                done=True,
                sentence="A sign-up of this person is waiting for their answer already. Tell them to reply Y to the "
                f"message they have got{until}.",
            )
        case SignUpOutcome.PENDING:
            return Outcome(
                "pending",
                done=True,
                sentence="Vibes has sent a message to the person. They are not on the list yet: tell them to reply Y "
                f"to it{until}.",
            )
        case SignUpOutcome.SUBSCRIBED:
            return Outcome(
                "subscribed",
                done=True,
                sentence="The person is on the list now, and a welcome message is on its way.",
            )
        case SignUpOutcome.ALREADY_SUBSCRIBED:
            return Outcome(
                "already_subscribed",
                done=True,
                sentence="Nothing to do: the person is on the list already. Nothing else was changed either.",
            )
        case SignUpOutcome.ACCEPTED:
            return Outcome(
                "accepted",
                done=True,
                sentence="Vibes took the sign-up without saying how it stands; its callbacks will tell.",
            )


def explain_refusal(error: Rejected, fields: Collection[str]) -> Outcome:
    """Return what a refused sign-up means; `fields` are the custom fields that were sent."""
    if isinstance(error, BadRequest):
        return _refused(
            "bad_request",
            "Vibes cannot read the request. Most likely the number is not in its form: + and country code, such as "
            "+13125550123.",
        )
    if isinstance(error, NotFound):
        return _refused("not_found", "Vibes knows no such campaign, or no person with this person_key.")
    if isinstance(error, Unprocessable):
        return _unprocessable(error, fields)
    return _refused("refused", f"Vibes refuses the sign-up ({error.status}).")


def explain_unsubscription(status: int | None) -> Outcome:
    """Return what an answer to an unsubscription means; 404 is a success, and so is any 2xx."""
    if status == 404:
        return Outcome(
            "not_subscribed",
            done=True,
            sentence="Nothing to do: the person is not on this list, or Vibes does not know the person or the list; "
            "it answers all of these with 404.",
        )
    return Outcome(
        "unsubscribed",
        done=True,
        sentence="The person is off the list. It will come back as a subscription_removed callback (api_opt_out).",
    )


def _unprocessable(error: Unprocessable, fields: Collection[str]) -> Outcome:
    if error.mentions(CONFIRMATION_BLOCK):
        return _refused(
            "confirmation_block",
            "The person has answered No to this campaign. Nobody else can sign them up now: they have to text the "
            "campaign's keyword themselves.",
        )
    if error.mentions(EXTERNAL_ID_TAKEN):
        return _refused(
            "external_id_taken",
            "The external person id belongs to another person at Vibes. Find out which of the two is right.",
        )
    words = " ".join(each.message for each in error.errors)
    unknown = [name for name in fields if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words)]
    if unknown:
        return _refused(
            "custom_field",
            f"Vibes does not take the custom field {', '.join(unknown)}. Create it in the platform first, or correct "
            "its value.",
        )
    has_word = any(each.code and not each.code.isdecimal() for each in error.errors)
    if has_word or any(error.mentions(word) for word in _OTHER):
        return _refused("other", "Vibes cannot carry this out, for a reason its documents do not tell: ask Vibes.")
    return _refused(
        "no_carrier",
        "Most likely no carrier that Vibes works with serves the number, as with landlines: it cannot be signed up.",
    )


def _refused(word: str, sentence: str) -> Outcome:
    return Outcome(word, done=False, sentence=f"{sentence} Nothing was changed.")


def _until(participation: Participation | None) -> str:
    return f" until {participation.expire_date}" if participation and participation.expire_date else ""
