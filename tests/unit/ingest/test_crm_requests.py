"""Who sends a request, what its query says, and whose turn it is."""

import asyncio
from itertools import pairwise
from time import perf_counter

import pytest

from ingest.crm.options import Options, read_options
from ingest.crm.refusals import CannotTakeError
from ingest.crm.tokens import Tokens
from ingest.crm.turns import Turns
from runtime.companies import Companies, hash_endpoint_key

TOKENS = {"acme": ["first", "second"], "globex": ["third"], "none": []}


def companies(tokens: dict[str, list[str]]) -> Companies:
    return Companies.model_validate(
        {
            "companies": [
                {
                    "company_key": company_key,
                    "region": "US",
                    "endpoints": [{"name": "main", "key_sha256": hash_endpoint_key(company_key)}],
                    "crm_tokens": [{"name": token, "token_sha256": hash_endpoint_key(token)} for token in of_company],
                }
                for company_key, of_company in tokens.items()
            ]
        }
    )


class TestTokens:
    @pytest.mark.parametrize(
        ("authorization", "company_key", "name"),
        [
            ("Bearer first", "acme", "first"),
            ("bearer second", "acme", "second"),
            ("BEARER  third ", "globex", "third"),
        ],
    )
    def test_a_token_tells_its_company(self, authorization: str, company_key: str, name: str) -> None:
        client = Tokens(companies(TOKENS)).find(authorization)
        assert client
        assert (client.company.company_key, client.token_name) == (company_key, name)

    @pytest.mark.parametrize(
        "authorization",
        [None, "", "first", "Bearer", "Bearer ", "Bearerfirst", "Basic first", "Bearer First", "Bearer \udcff"],
    )
    def test_anything_else_tells_nobody(self, authorization: str | None) -> None:
        assert Tokens(companies(TOKENS)).find(authorization) is None

    def test_the_hash_itself_is_no_token(self) -> None:
        assert Tokens(companies(TOKENS)).find(f"Bearer {hash_endpoint_key('first')}") is None

    def test_there_may_be_none(self) -> None:
        assert not Tokens(companies({"none": []}))
        assert Tokens(companies(TOKENS))


class TestOptions:
    @pytest.mark.parametrize(
        ("query", "options"),
        [
            ({}, Options(bulk=False, only_refused=False)),
            ({"bulk": "true"}, Options(bulk=True, only_refused=False)),
            ({"bulk": "false", "results": "refused"}, Options(bulk=False, only_refused=True)),
            ({"results": "all"}, Options(bulk=False, only_refused=False)),
        ],
    )
    def test_what_is_known_is_read(self, query: dict[str, str], options: Options) -> None:
        assert read_options(query) == options

    @pytest.mark.parametrize("query", [{"bulk": "1"}, {"bulk": ""}, {"results": "accepted"}, {"Bulk": "true"}])
    def test_what_is_not_is_refused_and_not_repeated(self, query: dict[str, str]) -> None:
        with pytest.raises(CannotTakeError) as caught:
            read_options(query)
        assert (caught.value.status, caught.value.reason) == (400, "unknown_option")
        assert "bulk=false|true" in caught.value.detail
        assert "accepted" not in caught.value.detail


async def slices(turns: Turns, name: str, order: list[str]) -> None:
    """Work for three turns, and a little longer than each lasts."""
    async with turns.turn() as turn:
        for _ in range(3):
            order.append(name)
            until = perf_counter() + 0.003
            while perf_counter() < until:
                pass
            await turn.pause()


class TestTurns:
    async def test_callbacks_have_their_go_after_each_turn_and_requests_take_turns(self) -> None:
        turns = Turns()
        order: list[str] = []

        async def callbacks() -> None:
            while True:
                order.append("callback")
                await asyncio.sleep(0)

        requests = asyncio.gather(slices(turns, "first", order), slices(turns, "second", order))
        calling = asyncio.create_task(callbacks())
        await requests
        calling.cancel()
        assert [name for name in order if name != "callback"] == ["first", "second"] * 3
        assert all("callback" in pair for pair in pairwise(order))

    async def test_short_work_is_not_interrupted(self) -> None:
        async with Turns().turn() as turn:
            other = asyncio.ensure_future(asyncio.sleep(0))
            await turn.pause()
            assert not other.done()
        await other

    async def test_a_request_that_is_given_up_gives_its_turn_back(self) -> None:
        turns = Turns()
        working = [asyncio.create_task(slices(turns, "given up", [])) for _ in range(2)]
        await asyncio.sleep(0.004)  # one is between two slices, the other waits for its turn
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        async with asyncio.timeout(1), turns.turn():
            pass
