"""A proxy between workers and a server that can lose an answer, or every connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

CHUNK = 1 << 16


class Proxy:
    """Listen on a port of this machine, and pass everything on to the server's socket."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._links: set[_Link] = set()
        self._holding = b""
        self._left = 0
        self.lost = 0
        """How many answers were lost until now."""
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> None:
        """Begin to listen; the port stays the same."""
        self._thread.start()
        self._ready.wait()

    def lose(self, count: int, holding: bytes) -> None:
        """Lose the answers to the next requests that hold these bytes, and their connections.

        The server gets the request and does it: only whoever asked does not hear of it.
        """
        self._holding, self._left = holding, count

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever it does."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def stop(self) -> None:
        """Listen no more."""
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(5)

    def is_to_be_lost(self, request: bytes) -> bool:
        """Tell whether the answer to this request is one of those, and count it."""
        if self._left <= 0 or self._holding not in request:
            return False
        self._left -= 1
        self.lost += 1
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0, limit=CHUNK, backlog=512)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        with suppress(asyncio.CancelledError):
            tasks = asyncio.all_tasks(self._loop)
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _cut_all(self) -> None:
        for link in list(self._links):
            link.cut()

    def _end(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.stop()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs = await asyncio.open_unix_connection(self._target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, writer, theirs[1])
        self._links.add(link)
        try:
            await asyncio.gather(link.ask(reader), link.answer(theirs[0]))
        finally:
            self._links.discard(link)
            link.cut()


class _Link:
    def __init__(
        self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_deaf = False

    async def ask(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while request := await reader.read(CHUNK):
                if self._proxy.is_to_be_lost(request):
                    self._is_deaf = True
                self._server.write(request)
                await self._server.drain()
        self._server.close()

    async def answer(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while answer := await reader.read(CHUNK):
                if self._is_deaf:
                    break
                self._client.write(answer)
                await self._client.drain()
        self.cut()

    def cut(self) -> None:
        self._client.transport.abort()
        self._server.transport.abort()
