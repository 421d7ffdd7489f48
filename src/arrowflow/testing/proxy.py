"""A TCP proxy that misbehaves on demand, for a client and a server that are both real; never looks at what it carries.

What can go wrong on the way is a *toxic*, put in `Proxy.toxics` and taken out again while connections are open. The one
thing it may change is the server's own address where that is told in what the server says, as Kafka brokers do.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Literal, Self

_CHUNK = 64 * 1024
_LINGER_RESET = struct.pack("ii", 1, 0)
_TICK_S = 0.02

Way = Literal["both", "up", "down"]
"""Which bytes a toxic works on: up is from client to server."""
Send = Callable[[bytes], Awaitable[None]]


class Closed(Exception):
    """A toxic ended the connection."""


@dataclass(frozen=True, slots=True)
class Toxic:
    """Passes everything on; the others say what they do instead.

    Parameters
    ----------
    way : "both", "up" or "down"
        Which bytes it works on.
    """

    way: Way = "both"

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        """Pass `data` on by `send`, or not."""
        await send(data)


@dataclass(frozen=True, slots=True)
class Latency(Toxic):
    """Every chunk comes `seconds` later, up to `jitter_s` more."""

    seconds: float = 0.1
    jitter_s: float = 0.0

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        await asyncio.sleep(self.seconds + link.dice.uniform(0, self.jitter_s))
        await send(data)


@dataclass(frozen=True, slots=True)
class Bandwidth(Toxic):
    """At most so many bytes per second and direction."""

    bytes_per_s: int = 100_000

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        await asyncio.sleep(len(data) / self.bytes_per_s)
        await send(data)


@dataclass(frozen=True, slots=True)
class Slicer(Toxic):
    """Bytes come in pieces of at most `size`, `pause_s` apart."""

    size: int = 100
    pause_s: float = 0.0

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        for at in range(0, len(data), self.size):
            await send(data[at : at + self.size])
            await asyncio.sleep(self.pause_s)


@dataclass(frozen=True, slots=True)
class LimitData(Toxic):
    """The connection ends once it has carried so many bytes, in the middle of whatever it was."""

    limit: int = 10_000

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        left = self.limit - link.carried
        link.carried += len(data)
        if left > 0:
            await send(data[:left])
        if len(data) >= left:
            raise Closed


@dataclass(frozen=True, slots=True)
class Timeout(Toxic):
    """Nothing is passed on; the connection ends after `seconds`."""

    seconds: float = 1.0

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        raise Closed


@dataclass(frozen=True, slots=True)
class ResetPeer(Toxic):
    """The connection is reset (RST, not FIN) `seconds` after bytes came."""

    seconds: float = 0.0

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        link.reset()
        raise Closed


@dataclass(frozen=True, slots=True)
class HalfOpen(Toxic):
    """Connections stay open and nothing comes through, as if the other machine had lost its power."""

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        while self in link.proxy.toxics:
            await asyncio.sleep(_TICK_S)
        raise Closed  # what was swallowed is gone: TCP would not go on after a hole either


@dataclass(frozen=True, slots=True)
class SlowClose(Toxic):
    """A connection that one side ends is ended for the other side `seconds` later."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Down(Toxic):
    """Nobody is there: connections are refused, and those that were open are ended."""

    async def carry(self, data: bytes, link: Link, send: Send) -> None:
        raise Closed


class Link:
    """One connection through the proxy: its two sockets, and how much it has carried."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.proxy, self.dice = proxy, proxy.dice
        self.carried = 0
        self._writers = (client, server)

    def reset(self) -> None:
        """Let both sides see a reset."""
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)

    def close(self) -> None:
        """End both sides."""
        for writer in self._writers:
            writer.close()


class Proxy:
    """Listens on a free port of this machine and passes everything on to `server`, for a ``with`` block.

    Parameters
    ----------
    server : str
        ``host:port`` that bytes are passed to.
    rewrite : bool
        Put our address in the place of the server's own wherever the server tells it. Both are told as the same
        IPv4 text followed by four bytes of port, as in answers of the Kafka protocol; lengths do not change.
    seed : int
        Of the jitter.

    Attributes
    ----------
    toxics : tuple of Toxic
        What is wrong now; may be set at any time, from any thread.
    connections : int
        How many were opened so far.
    """

    def __init__(self, server: str, *, rewrite: bool = False, seed: int = 0) -> None:
        host, _, port = server.rpartition(":")
        self._server, self._rewrite = (host, int(port)), rewrite
        self.dice = Random(seed)  # noqa: S311 - jitter, not a secret
        self.toxics: tuple[Toxic, ...] = ()
        self.connections = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="arrowflow-proxy", daemon=True)
        self._links: set[Link] = set()
        self._listener: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"{self._server[0]}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """End every connection that is open now."""
        self._do(self._cut())

    # ---- in the thread of the loop ---------------------------------------------------------------------------

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(30)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, self._server[0], 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for link in list(self._links):
            link.close()

    async def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._cut()
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if any(isinstance(toxic, Down) for toxic in self.toxics):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            writer.close()
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
        except OSError:
            writer.close()
            return
        link = Link(self, writer, to_server)
        self._links.add(link)
        ways = (self._pump(reader, to_server, "up", link), self._pump(from_server, writer, "down", link))
        pumps = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(max((t.seconds for t in self.toxics if isinstance(t, SlowClose)), default=0.0))
        except asyncio.CancelledError:
            pass  # the proxy stops: nobody waits for this connection any more
        finally:
            for pump in pumps:
                pump.cancel()
            self._links.discard(link)
            link.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Literal["up", "down"], link: Link
    ) -> None:
        """Pass on the bytes of one direction until either side, or a toxic, ends it."""

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        kept = b""
        with contextlib.suppress(OSError, Closed):
            while (data := await _read(reader, kept)) is not None:
                data, kept = self._renamed(kept, data) if way == "down" else (data, b"")
                await self._through([t for t in self.toxics if t.way in ("both", way)], data, link, send)

    async def _through(self, toxics: list[Toxic], data: bytes, link: Link, send: Send) -> None:
        """Let `data` pass the toxics one after the other."""
        if not data:
            return
        if not toxics:
            await send(data)
            return

        async def rest(part: bytes) -> None:
            await self._through(toxics[1:], part, link, send)

        await toxics[0].carry(data, link, rest)

    def _renamed(self, kept: bytes, more: bytes) -> tuple[bytes, bytes]:
        """What came with our address in the place of the server's, and the end that may be the beginning of one."""
        data = kept + more
        if not (self._rewrite and more):
            return data, b""
        host = self._server[0].encode()
        theirs, ours = (host + struct.pack(">i", port) for port in (self._server[1], self.port))
        data = data.replace(theirs, ours)
        for n in range(min(len(theirs) - 1, len(data)), 0, -1):
            if theirs.startswith(data[-n:]):
                return data[:-n], data[-n:]
        return data, b""


async def _read(reader: asyncio.StreamReader, kept: bytes) -> bytes | None:
    """The next bytes; None at the end, and none if `kept` waits for more that does not come."""
    try:
        data = await asyncio.wait_for(reader.read(_CHUNK), _TICK_S if kept else None)
    except TimeoutError:
        return b""
    return data or None
