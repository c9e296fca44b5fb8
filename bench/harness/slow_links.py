"""Slow links: each listens on a port of its own and passes bytes on to one server, at so many bytes a second in each
direction, as a network interface would. A program of its own: prints its ports as JSON, then serves until its standard
input ends.

    slow_links.py HOST:PORT COUNT BYTES_PER_SECOND
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

#: What passes at a time, and what may pass at once after a pause: a twentieth of a second's worth, within bounds.
LEAST_PIECE, MOST_PIECE = 4 << 10, 64 << 10


class Direction:
    """Takes turns of one direction of one link: whoever sends waits until the bytes before it have passed."""

    def __init__(self, rate: float):
        self.rate, self.free_at = rate, 0.0
        self.piece = int(min(MOST_PIECE, max(LEAST_PIECE, rate / 20)))

    async def take(self, count: int) -> None:
        now = asyncio.get_running_loop().time()
        # The turn begins when the link is free; a link that was idle has saved nothing up.
        self.free_at = max(self.free_at, now) + count / self.rate
        await asyncio.sleep(self.free_at - now)


class Link:
    """One slow link to the server."""

    def __init__(self, host: str, port: int, rate: float):
        self.host, self.port = host, port
        self.up, self.down = Direction(rate), Direction(rate)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            pump(reader, far_writer, self.up), pump(far_reader, writer, self.down), return_exceptions=True)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
    """Passes bytes on until there are no more, then says so to the other side."""
    try:
        while piece := await reader.read(direction.piece):
            await direction.take(len(piece))
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main() -> None:
    address, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    host, _, port = address.partition(":")
    servers = []
    for _ in range(count):
        link = Link(host, int(port), rate)
        # A small window: what waits, waits at the sender.
        servers.append(await asyncio.start_server(link.serve, "127.0.0.1", 0, limit=64 << 10))
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Connections that are still open end with the process; nobody is to be told.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
