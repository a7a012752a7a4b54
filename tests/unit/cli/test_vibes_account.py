from cli.vibes_account import vibes_says
from vibes_api import Unprocessable
from vibes_api.error_body import ApiError


def says(*messages: str, secrets: tuple[str, ...] = ()) -> str:
    return vibes_says(Unprocessable("POST /x", errors=[ApiError(None, message) for message in messages]), secrets)


def test_vibes_own_words_are_told() -> None:
    assert says("list_id is required", "", "so is the MDN") == "list_id is required; so is the MDN"
    assert says() == ""


def test_numbers_urls_and_known_secrets_in_them_are_masked() -> None:
    assert says("The MDN +13125550123 is bad") == "The MDN *** is bad"
    assert says("https://hooks.acme.com/callbacks/key is taken") == "*** is taken"
    assert says("path /callbacks/key is taken") == "path *** is taken"
    assert says("no person jane@acme.com", secrets=("jane@acme.com",)) == "no person ***"
