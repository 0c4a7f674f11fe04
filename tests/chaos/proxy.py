"""Ways to the node on which things go wrong, as the seed says.

Each way is a port of its own. What happens to the n-th request of a kind that a client sends over
it depends on the seed alone, never on what other clients do meanwhile; who the client is stands in
the path of the URL. What lasts (an outage, a node that is behind, one that lies) is switched by the
simulator over a pipe.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiohttp import web

from tests.chaos.lies import answer_as_of, ask_as_of, lie
from tests.chaos.plan import Plan

LATE_SECONDS = 0.8
"""Longer than a client waits for an answer."""
LIE_SHARE = 0.5
_DRAIN_SECONDS = 1.0

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_STATUS = {"429": 429, "500": 500, "503": 503}


class Way:
    """One port before the node.

    Args:
        plan: What goes wrong.
        number: Which of the plan's proxies it is.
        node: Asks the node.
    """

    def __init__(self, plan: Plan, number: int, node: Node) -> None:
        self._plan = plan
        self._number = number
        self._node = node
        self._count: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.seen = 0
        self.is_down = False
        self.is_calm = False
        self.lies = False
        self.stale_at: int | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request, or do to it what the seed says."""
        self.seen += 1
        if self.is_down:
            return self._hang_up(request)
        try:
            body = await request.read()
        except OSError:
            return self._hang_up(request)  # the client is gone
        document = json.loads(body)
        calls = document if isinstance(document, list) else [document]
        key = f"{request.path} {calls[0]['method']} {len(calls) > 1}"
        self._count[key] += 1
        name = f"{self._plan.seed} {self._number} {key} {self._count[key]}"
        choose = random.Random(name)
        fault = self._fault(choose)
        self.happened["calm" if self.is_calm else fault] += 1
        try:
            return await self._answer(request, choose, fault, calls, document)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return self._hang_up(request)  # the node itself is gone

    def _fault(self, choose: random.Random) -> str:
        chance = choose.random()
        if self.is_calm:
            return ""
        for kind, rate in self._plan.faults.items():
            if chance < rate:
                return kind
            chance -= rate
        return ""

    async def _answer(
        self,
        request: web.BaseRequest,
        choose: random.Random,
        fault: str,
        calls: list[Any],
        document: Any,
    ) -> web.StreamResponse:
        if fault == "drop_before":
            return self._hang_up(request)
        if fault in _STATUS:
            return web.Response(status=_STATUS[fault], text="come back later")
        if fault == "html":
            return web.Response(body=_PAGE, content_type="text/html")
        if fault == "busy":
            problem = {"code": -32005, "message": "limit exceeded"}
            answers = [{"jsonrpc": "2.0", "id": each["id"], "error": problem} for each in calls]
            return _reply(answers if isinstance(document, list) else answers[0])
        is_late = fault == "slow" and choose.random() < 0.5
        if is_late:
            await asyncio.sleep(LATE_SECONDS)
        elif fault == "delay":
            await asyncio.sleep(choose.uniform(0.005, 0.08))
        answers = await self._ask(choose, calls)
        if fault == "duplicate":
            answers = await self._ask(choose, calls)
        if fault == "slow" and not is_late:
            await asyncio.sleep(LATE_SECONDS)
        if fault == "drop_after" or self.is_down:
            return self._hang_up(request)
        if isinstance(document, list):
            return await self._send(request, choose, fault, _disturbed(choose, fault, answers))
        return await self._send(request, choose, fault, answers[0])

    async def _ask(self, choose: random.Random, calls: list[Any]) -> list[Any]:
        block = self.stale_at
        asked = calls if block is None else [ask_as_of(block, each) for each in calls]
        answers = await self._node.ask(asked)
        if block is not None:
            answers = [
                answer_as_of(block, call, each) for call, each in zip(calls, answers, strict=True)
            ]
        if self.lies and not self.is_calm:
            answers = [
                lie(choose, self._plan.lies, call, each) if choose.random() < LIE_SHARE else each
                for call, each in zip(calls, answers, strict=True)
            ]
        return answers

    async def _send(
        self, request: web.BaseRequest, choose: random.Random, fault: str, document: Any
    ) -> web.StreamResponse:
        if fault != "truncate":
            return _reply(document)
        body = json.dumps(document).encode()
        part = body[: choose.randrange(len(body))]
        if choose.random() < 0.5:
            return web.Response(body=part, content_type="application/json")
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(part)
        return self._hang_up(request)

    def _hang_up(self, request: web.BaseRequest) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


class Node:
    """The node behind all ways."""

    def __init__(self, url: str, *, keeps_alive: bool) -> None:
        self.url = url
        self._keeps_alive = keeps_alive
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0

    async def ask(self, calls: list[Any]) -> list[Any]:
        """The answers to calls, in their order."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=not self._keeps_alive)
            timeout = aiohttp.ClientTimeout(total=20)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        self._under_way += 1
        try:
            async with self._session.post(self.url, json=calls) as response:
                found = {each["id"]: each for each in json.loads(await response.read())}
        finally:
            self._under_way -= 1
        return [found[each["id"]] for each in calls]

    async def drain(self) -> None:
        """Wait until nobody is talking to it."""
        for _ in range(int(_DRAIN_SECONDS / 0.005)):
            if not self._under_way:
                return
            await asyncio.sleep(0.005)

    async def head(self) -> int:
        """Its latest block."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        return int((await self.ask([call]))[0]["result"], 16)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _disturbed(choose: random.Random, fault: str, answers: list[Any]) -> list[Any]:
    if fault == "reorder":
        return choose.sample(answers, len(answers))
    if fault == "lose":
        return [each for each in answers if each is not choose.choice(answers)]
    if fault == "twice":
        return [*answers, choose.choice(answers)]
    return answers


def _reply(document: Any) -> web.Response:
    return web.Response(body=json.dumps(document).encode(), content_type="application/json")


class Switchboard:
    """Does what the simulator says over the pipe, one order at a time."""

    def __init__(self, ways: list[Way], node: Node) -> None:
        self._ways = ways
        self._node = node

    async def obey(self, word: str, value: Any) -> Any:
        """Carry out one order."""
        order: Callable[[Any], Any] = getattr(self, f"_{word}")
        return await order(value)

    async def _down(self, _value: Any) -> None:
        for way in self._ways:
            way.is_down = True

    async def _drained(self, _value: Any) -> None:
        await self._node.drain()
        await self._node.close()

    async def _up(self, url: str | None) -> None:
        if url is not None:
            self._node.url = url
        for way in self._ways:
            way.is_down = False

    async def _calm(self, _value: Any) -> None:
        for way in self._ways:
            way.is_calm, way.stale_at, way.is_down = True, None, False

    async def _liar(self, number: int | None) -> None:
        for index, way in enumerate(self._ways):
            way.lies = index == number

    async def _stale(self, order: tuple[int, int | None]) -> None:
        number, blocks = order
        head = 0 if blocks is None else await self._node.head()
        self._ways[number].stale_at = None if blocks is None else max(0, head - blocks)

    async def _seen(self, _value: Any) -> int:
        return sum(way.seen for way in self._ways)

    async def _happened(self, _value: Any) -> dict[str, int]:
        return dict(sum((way.happened for way in self._ways), Counter()))


def serve(plan: Plan, url: str, pipe: Connection) -> None:
    """Run the plan's proxies until the pipe closes; the first message is their ports."""
    asyncio.run(_serve(plan, url, pipe))


async def _serve(plan: Plan, url: str, pipe: Connection) -> None:
    node = Node(url, keeps_alive=plan.node == "anvil")
    ways = [Way(plan, number, node) for number in range(plan.proxies)]
    ports = []
    for way in ways:
        runner = web.ServerRunner(web.Server(way.answer, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.append(runner.addresses[0][1])
    pipe.send(ports)
    board = Switchboard(ways, node)
    while True:
        try:
            word, value = await asyncio.to_thread(pipe.recv)
        except EOFError:
            break
        try:
            pipe.send((True, await board.obey(word, value)))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            pipe.send((False, repr(error)))
    await node.close()
