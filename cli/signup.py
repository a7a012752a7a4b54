"""`vibes-pipeline participants` and `subscriptions`: sign people up as a web form does, and take them off a list."""

import sys
from typing import Annotated, Any

import orjson
import typer

from cli.signup_outcomes import Outcome, explain_refusal, explain_sign_up, explain_unsubscription
from cli.vibes_account import Account, CompanyKey, in_parentheses, vibes_says, with_account
from schemas.errors import ConfigurationError
from vibes_api import UNSET, InvalidRequest, Participation, PersonPatch, Rejected

participants_app = typer.Typer(help="Sign people up through an acquisition campaign.", no_args_is_help=True)
subscriptions_app = typer.Typer(help="Who is on which subscription list.", no_args_is_help=True)

PersonKey = Annotated[str | None, typer.Option(help="Vibes' key of the person.")]
ExternalId = Annotated[str | None, typer.Option(help="Your own id of the person.")]
Told = tuple[Outcome, dict[str, Any], str]
"""The outcome, facts for programs, and Vibes' own words."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a sentence.")]


@participants_app.command("add")
def add(
    campaign: Annotated[str, typer.Option(help="The acquisition_id of the campaign.")],
    mdn: Annotated[str | None, typer.Option(help="Mobile number with + and country code.")] = None,
    external_person_id: ExternalId = None,
    person_key: PersonKey = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=VALUE", help="Custom field to set; NAME= removes it. Once for each."),
    ] = None,
    company: CompanyKey = None,
    json: Json = False,
) -> None:
    """Sign a person up, known to Vibes or not; with double opt-in they have to confirm by replying Y.

    Name the person by a number, by an external id or by a person_key. Exit code 0: signed up, waiting for the person's
    answer, or nothing to do; 1: refused.
    """
    fields = _fields(field)
    _require(("--mdn", mdn), ("--external-person-id", external_person_id), ("--person-key", person_key))
    patch = PersonPatch(external_person_id=external_person_id or UNSET, mdn=mdn or UNSET, custom_fields=fields)

    async def sign_up(account: Account) -> Told:
        try:
            done = await account.client.participants.add(campaign, patch, person_key=person_key)
        except InvalidRequest:
            raise
        except Rejected as error:
            given = (mdn, external_person_id, *fields.values())
            # Shorter ones would garble Vibes' words, and tell nothing about anybody.
            secrets = [value for value in given if value and len(value) > 2]
            return explain_refusal(error, fields), _facts(account, None), vibes_says(error, secrets)
        return explain_sign_up(done, account.calls[-1].status), _facts(account, done.participation), ""

    _finish(with_account(company, sign_up), json=json)


@subscriptions_app.command("cancel")
def cancel(
    list_id: Annotated[str, typer.Option("--list", help="The id of the subscription list.")],
    person_key: PersonKey = None,
    external_person_id: ExternalId = None,
    company: CompanyKey = None,
    json: Json = False,
) -> None:
    """Take a person off a list, named by person_key or external id. Exit code 0: they are not on it any more."""
    _require(("--person-key", person_key), ("--external-person-id", external_person_id))
    if person_key and external_person_id:
        raise ConfigurationError("--person-key and --external-person-id: give one of them")

    async def end(account: Account) -> Told:
        if person_key:
            await account.client.subscriptions.unsubscribe(person_key, list_id)
        else:
            await account.client.subscriptions.unsubscribe_by_external_id(external_person_id or "", list_id)
        return explain_unsubscription(account.calls[-1].status), _company_and_status(account), ""

    _finish(with_account(company, end), json=json)


def _finish(told: Told, *, json: bool) -> None:
    """Tell the outcome, and exit with its code."""
    outcome, facts, words = told
    if json:
        answer = {"outcome": outcome.word, "done": outcome.done, "explanation": outcome.sentence, **facts}
        print(orjson.dumps(answer | {"vibes_says": words or None}, option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{outcome.sentence}{in_parentheses(words)}", file=sys.stdout if outcome.done else sys.stderr)
    raise typer.Exit(0 if outcome.done else 1)


def _facts(account: Account, participation: Participation | None) -> dict[str, Any]:
    names = ("person_key", "participation_date", "expire_date")
    return _company_and_status(account) | {name: getattr(participation, name, None) for name in names}


def _company_and_status(account: Account) -> dict[str, Any]:
    return {"company_key": account.company.company_key, "status": account.calls[-1].status}


def _require(*options: tuple[str, str | None]) -> None:
    if not any(value and value.strip() for _, value in options):
        raise ConfigurationError(f"nobody is named: give {' or '.join(name for name, _ in options)}")


def _fields(given: list[str] | None) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    for number, pair in enumerate(given or (), 1):
        name, separator, value = pair.partition("=")
        if not separator or not name or name in fields:
            # The text itself stays out: it may hold personal data.
            raise ConfigurationError(
                f"--field, number {number}: must be NAME=VALUE, each name once. Example: --field first_name=John"
            )
        fields[name] = value or None
    return fields
