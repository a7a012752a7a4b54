"""What becomes of a body whose caller has left."""

import asyncio

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from ingest.answers import BROKEN_REQUEST
from ingest.body import read_body
from ingest.pending import Pending


async def read(*, caller_is_there: bool) -> object:
    """Read a body of which nothing has come, on a connection that is closed."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), limit=1024, loop=loop)
    request = make_mocked_request("POST", "/", payload=content)
    if not caller_is_there:
        request.protocol.transport = None
    with Pending(10, 1024).request() as share:
        return await read_body(request, 1024, share, loop.time() + 1)


async def test_a_caller_who_left_before_the_first_look_at_the_body_is_no_mistake_of_ours() -> None:
    assert await read(caller_is_there=False) is BROKEN_REQUEST


async def test_any_other_mistake_is_told() -> None:
    with pytest.raises(RuntimeError):
        await read(caller_is_there=True)
