"""What the parser found is what the request says of itself."""

import pytest
from aiohttp import HttpVersion10, HttpVersion11
from aiohttp.http import HttpVersion
from aiohttp.test_utils import make_mocked_request

from ingest.parsed import parsed


@pytest.mark.parametrize("version", [HttpVersion10, HttpVersion11])
def test_the_parsed_message_agrees_with_the_request(version: HttpVersion) -> None:
    request = make_mocked_request(
        "PUT", "/callbacks/a%20key?and=more", {"X-Forwarded-For": "192.0.2.1"}, version=version
    )

    message = parsed(request)

    assert (message.method, message.path, message.version) == (request.method, request.raw_path, request.version)
    assert list(message.headers.items()) == list(request.headers.items())
    assert message.should_close is not request.keep_alive
