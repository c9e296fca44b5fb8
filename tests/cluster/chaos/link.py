"""A TCP proxy for one process's way to one server: it can be cut and slowed down, and knows nothing of what passes.

What a client has given up goes no further: its connection to the server is reset with it, so that the proxy never
delivers a write that nobody waits for any more.
"""

import asyncio
import collections
import contextlib
import socket
import struct

# Little is held here: what a process has sent is on its way, not in a proxy's memory.
BUFFER = 64 << 10


class _Client(asyncio.StreamReaderProtocol):
    """Tells the link at once when the client is gone, also while nobody reads."""

    def __init__(self, link):
        super().__init__(asyncio.StreamReader(limit=BUFFER), link._accept)
        self.on_gone = None

    def eof_received(self):
        self._gone()
        return super().eof_received()

    def connection_lost(self, exc):
        self._gone()
        super().connection_lost(exc)

    def _gone(self):
        if self.on_gone:
            self.on_gone()


class Link:
    """One listening port, and the server behind it; `upstream` may change at any time."""

    def __init__(self, name):
        self.name = name
        self.upstream = None
        self.port = None
        self.delay = 0.0
        self.fired = collections.Counter()
        self._is_cut = False
        self._connections = set()
        self._server = None

    async def open(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self):
        """Nothing passes any more, and nobody is told."""
        self._is_cut = True

    def heal(self):
        """New connections pass; those that lived through the cut are reset."""
        if self._is_cut:
            self._is_cut = False
            self.reset()

    def reset(self):
        """Resets every connection."""
        for connection in list(self._connections):
            connection.abort()

    @property
    def is_cut(self):
        return self._is_cut

    async def _accept(self, reader, writer):
        connection = Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await self.serve(connection)
            connection.close()
        except (OSError, ValueError):
            # The other side is gone, or says what is no HTTP.
            connection.abort()
        finally:
            self._connections.discard(connection)

    async def serve(self, connection):
        """Carries bytes both ways until one side ends."""
        await connection.reach()
        both = [asyncio.create_task(connection.pump(connection.client, connection.server)),
                asyncio.create_task(connection.pump(connection.server, connection.client))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)


class End:
    """One end of a connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    def abort(self):
        """With a reset, so that the other side does not take what came for all there is."""
        with contextlib.suppress(OSError, AttributeError):
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Connection:
    """A client, and once it is reached the server."""

    def __init__(self, link, reader, writer):
        self.link = link
        self.client = End(reader, writer)
        self.server = None
        writer.transport.get_protocol().on_gone = self._client_is_gone

    def abort(self):
        self.client.abort()
        self._client_is_gone()

    def close(self):
        """In good order: what was sent arrives."""
        self.client.writer.close()
        self._client_is_gone()

    def _client_is_gone(self):
        if self.server:
            self.server.abort()

    async def reach(self):
        """Connects to the server that is there now."""
        await self.pass_or_hang()
        host, port = self.link.upstream
        self.server = End(*await asyncio.open_connection(host, port, limit=BUFFER))
        if self.client.writer.transport.is_closing():
            raise ConnectionResetError("the client has gone")

    async def pass_or_hang(self):
        """Comes back at once, or never where the link is cut: healing resets the connection."""
        if self.link.is_cut:
            self.link.fired["cut"] += 1
            while await self.client.reader.read(BUFFER):
                pass
            raise ConnectionResetError("lost in a cut")

    async def pump(self, source, sink):
        while data := await source.reader.read(BUFFER):
            await self.carry(data, sink)

    async def carry(self, data, sink):
        """Hands on what came, as the link stands."""
        if self.link.delay:
            self.link.fired["slow"] += 1
            await asyncio.sleep(self.link.delay)
        await self.pass_or_hang()
        await sink.send(data)
