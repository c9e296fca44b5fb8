"""A proxy that knows HTTP, for a process's way to the object store. Requests pass byte for byte, as they were signed;
some are refused, cut off in the middle, or carried out without their answer.
"""

import random
from dataclasses import dataclass

from chaos.link import BUFFER, Link

REFUSAL = b"""<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"""


@dataclass
class Shares:
    """Which share of the requests meets which misfortune."""

    refuse: float = 0.0
    reset_request: float = 0.0
    reset_answer: float = 0.0
    lose_answer: float = 0.0

    def draw(self, dice):
        at = dice.random()
        for name in ("refuse", "reset_request", "reset_answer", "lose_answer"):
            at -= getattr(self, name)
            if at < 0:
                return name
        return None


class StoreLink(Link):
    """The way of one process to the store."""

    def __init__(self, name, seed):
        super().__init__(name)
        self.shares = Shares()
        self.dice = random.Random(f"{seed} {name}")
        # Told of each request's method and target before it passes.
        self.on_request = None
        self.requests = 0

    async def serve(self, connection):
        while True:
            head = await read_head(connection.client.reader)
            if head is None:
                return
            self.requests += 1
            if self.on_request:
                self.on_request(head.method, head.target)
            fate = self.shares.draw(self.dice)
            if fate == "refuse":
                await self._refuse(connection, head)
            elif not await self._pass_on(connection, head, fate):
                return

    async def _refuse(self, connection, head):
        async for _ in head.body(connection.client.reader):
            pass
        self.fired["refuse"] += 1
        body = b"" if head.method == "HEAD" else REFUSAL
        await connection.client.send(
            b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _pass_on(self, connection, head, fate):
        """Carries a request there and its answer back; says whether the connection can be used again."""
        if connection.server is None:
            await connection.reach()
        reset_after = head.length // 2 if fate == "reset_request" and head.length else None
        await connection.carry(head.raw, connection.server)
        if not await self._carry_body(connection, head, connection.client, connection.server, reset_after):
            return self._break(connection, fate)
        answer = await read_head(connection.server.reader)
        while answer is not None and answer.status // 100 == 1:
            await connection.carry(answer.raw, connection.client)
            answer = await read_head(connection.server.reader)
        if answer is None:
            return False
        if fate == "lose_answer":
            return self._break(connection, fate)
        if head.method == "HEAD" or answer.status in (204, 304):
            answer.has_body = False
        reset_after = answer.length // 2 if fate == "reset_answer" and answer.has_body and answer.length else None
        await connection.carry(answer.raw, connection.client)
        if not await self._carry_body(connection, answer, connection.server, connection.client, reset_after):
            return self._break(connection, fate)
        return not answer.closes

    def _break(self, connection, fate):
        self.fired[fate] += 1
        connection.abort()
        return False

    async def _carry_body(self, connection, head, source, sink, reset_after):
        """Carries a body, up to `reset_after` bytes where that is given; says whether it is whole."""
        carried = 0
        async for data in head.body(source.reader):
            if reset_after is not None and carried + len(data) > reset_after:
                await connection.carry(data[:reset_after - carried], sink)
                return False
            await connection.carry(data, sink)
            carried += len(data)
        return True


class Head:
    """The head of a request or of an answer."""

    def __init__(self, raw):
        self.raw = raw
        first, *lines = raw.decode("latin-1").split("\r\n")
        self.fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.fields[name.strip().lower()] = value.strip()
        parts = first.split(" ", 2)
        is_answer = first.startswith("HTTP/")
        self.status = int(parts[1]) if is_answer else 0
        self.method, self.target = ("", "") if is_answer else (parts[0], parts[1])
        self.length = int(self.fields["content-length"]) if "content-length" in self.fields else None
        self.is_chunked = "chunked" in self.fields.get("transfer-encoding", "").lower()
        self.closes = self.fields.get("connection", "").lower() == "close"
        # A request without a length has no body, an answer without one ends with its connection.
        self.has_body = is_answer or bool(self.length) or self.is_chunked

    async def body(self, reader):
        """The body as it comes, with the marks of its chunks where it has some."""
        if not self.has_body:
            return
        if self.is_chunked:
            async for data in chunks(reader):
                yield data
        elif self.length is None:
            while data := await reader.read(BUFFER):
                yield data
        else:
            left = self.length
            while left:
                data = await reader.read(min(left, BUFFER))
                if not data:
                    raise ConnectionResetError("a body ended early")
                left -= len(data)
                yield data


async def read_head(reader):
    """The next head; `None` where the other side has ended."""
    lines = []
    while line := await reader.readline():
        lines.append(line)
        if line == b"\r\n":
            return Head(b"".join(lines))
    return None


async def chunks(reader):
    """A chunked body, mark by mark."""
    while True:
        mark = await reader.readline()
        if not mark:
            raise ConnectionResetError("a body ended early")
        yield mark
        size = int(mark.split(b";")[0], 16)
        left = size + 2 if size else 0
        while left:
            data = await reader.read(min(left, BUFFER))
            if not data:
                raise ConnectionResetError("a body ended early")
            left -= len(data)
            yield data
        if not size:
            while (line := await reader.readline()) != b"\r\n":
                if not line:
                    raise ConnectionResetError("a body ended early")
                yield line
            yield b"\r\n"
            return
