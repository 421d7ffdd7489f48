"""One connection to one broker: signed on, with requests answered in order. It knows no topic."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arrowflow.errors import ConfigError, Unreachable
from arrowflow.sources.kafka.wire import codes, frame, signing, versions
from arrowflow.sources.kafka.wire.cursor import Cursor
from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.settings import Settings, SignOn
from arrowflow.sources.kafka.wire.versions import Api

_CONNECT_S = 5.0
"""A host that does not answer must not hold up a stop for longer, whatever the ordinary client would wait."""
_SMALL = 1024 * 1024
"""Largest answer before fetching begins."""
_SHARE_OF_LIFE = 0.8
"""A session is renewed by a new connection when this much of its life is over."""
_AT_ONCE = 4 * 1024 * 1024
_CHECK = "Check the credentials, certificates and ACLs of source.kafka.properties"


class _Waiting(NamedTuple):
    """A request that was sent and not answered."""

    number: int
    api: Api
    version_question: bool = False


class Connection:
    """Opens at once; whoever gets an error from it closes it.

    Parameters
    ----------
    host, port : str, int
        Of the broker; with TLS, the host its certificate must name.
    settings : Settings
        How to connect and sign on.

    Raises
    ------
    Unreachable
        If the broker cannot be reached or goes away, here and from every method.
    ConfigError
        If it refuses who we are, or its certificate does not hold.
    NotUnderstood
        If it speaks no version that is spoken here.
    Malformed
        If it sends what no broker sends.
    """

    def __init__(self, host: str, port: int, settings: Settings) -> None:
        self.place = f"{host}:{port}"
        self._settings = settings
        self._number = 0
        self._sent: deque[_Waiting] = deque()
        self._buffer = np.empty(64 * 1024, np.uint8)
        self._got = 0
        self._size = -1
        self._limit = _SMALL
        self._dies_at = float("inf")
        self._offers: Mapping[int, tuple[int, int]] = {}
        self._socket = self._connected(host, port)
        try:
            self._introduce()
            self._limit = settings.numbers["receive.message.max.bytes"]
        except BaseException:
            self.close()
            raise

    def api(self, key: int) -> Api:
        """The version of a request to use with this broker."""
        return versions.chosen(self._offers, key, self.place)

    @property
    def aged(self) -> bool:
        """Whether the session ends soon, so that the next request should go to a new connection."""
        return time.monotonic() >= self._dies_at

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Let go; safe to call twice."""
        self._socket.close()

    # ---- asking --------------------------------------------------------------------------------------------

    def ask(self, api: Api, body: bytes) -> Cursor:
        """Send a request and wait for its answer."""
        self.send(api, body)
        deadline = time.monotonic() + self._settings.numbers["socket.timeout.ms"] / 1000
        while (answer := self.receive()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unreachable(f"{self.place} does not answer")
            self.wait(min(left, 0.2))
        return answer

    def send(self, api: Api, body: bytes) -> None:
        """Send a request; answers come in the order of requests."""
        self._number = (self._number + 1) & 0x7FFFFFFF
        data = frame.request(api.key, api.version, self._number, self._settings.client_id, body, flexible=api.flexible)
        self._sent.append(_Waiting(self._number, api, api.key == codes.VERSIONS))
        view = memoryview(data)
        deadline = time.monotonic() + _CONNECT_S
        while view:
            try:
                view = view[self._socket.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                if time.monotonic() > deadline:
                    raise Unreachable(f"{self.place} takes no request") from None
                _poll([self._socket], select.POLLOUT, 0.2)
            except OSError as error:
                raise Unreachable(f"{self.place} is gone: {error}") from error

    @property
    def asked(self) -> int:
        """Requests that were not answered yet."""
        return len(self._sent)

    def wait(self, seconds: float) -> None:
        """Return when bytes have come, or after that time."""
        wait_for_any([self], seconds)

    @property
    def ready(self) -> bool:
        """Whether bytes wait inside the TLS layer, where the operating system does not see them."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    @property
    def received(self) -> int:
        """Bytes of the answer that is coming in."""
        return self._got

    def receive(self) -> Cursor | None:
        """Take what has come; returns an answer once it is whole, as a view that the next call writes over."""
        if self._size < 0:
            if not self._fill(4):
                return None
            self._size = int.from_bytes(self._buffer[:4].tobytes(), "big", signed=True)
            self._judge_size()
        if not self._fill(4 + self._size):
            return None
        size, self._size, self._got = self._size, -1, 0
        if not self._sent:
            raise Malformed(f"{self.place} answers what was not asked")
        asked = self._sent.popleft()
        cursor = Cursor(self._buffer.data[4 : 4 + size], f"the answer of {self.place}")
        if (number := cursor.int32()) != asked.number:
            raise Malformed(f"{self.place} answers request {number}, where {asked.number} is next")
        if asked.api.flexible and not asked.version_question:  # a broker must be able to answer a newer client
            cursor.skip_tags()
        return cursor

    def _fill(self, size: int) -> bool:
        """Receive until the buffer holds `size` bytes; false if they are not all there yet."""
        if size > len(self._buffer):
            larger = np.empty(size, np.uint8)
            larger[: self._got] = self._buffer[: self._got]
            self._buffer = larger
        view = self._buffer.data
        while self._got < size:
            try:
                got = self._socket.recv_into(view[self._got : min(size, self._got + _AT_ONCE)])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            except OSError as error:
                raise Unreachable(f"{self.place} is gone: {error}") from error
            if got == 0:
                raise Unreachable(f"{self.place} has closed the connection")
            self._got += got
        return True

    def _judge_size(self) -> None:
        if self._size < 4:
            raise Malformed(f"{self.place} announces an answer of {self._size} bytes")
        if self._size > self._limit:
            if self._limit == _SMALL:
                raise Malformed(
                    f"{self.place} announces {self._size} bytes before anything was fetched: is it a Kafka broker?"
                )
            raise ConfigError(
                f"{self.place} announces an answer of {self._size} bytes, {self._limit} are taken. "
                "Raise 'receive.message.max.bytes' in source.kafka.properties"
            )

    # ---- opening -------------------------------------------------------------------------------------------

    def _connected(self, host: str, port: int) -> socket.socket:
        numbers = self._settings.numbers
        patience = min(_CONNECT_S, numbers["socket.connection.setup.timeout.ms"] / 1000)
        complaint: OSError | None = None
        try:
            found = socket.getaddrinfo(host, port, self._settings.family, socket.SOCK_STREAM)
        except OSError as error:
            raise Unreachable(f"{self.place}: the host is unknown: {error}") from error
        for family, kind, protocol, _, address in found:
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(patience)
                self._tune(plain)
                plain.connect(address)
                return self._guarded(plain, host)
            except ssl.SSLCertVerificationError as error:
                plain.close()
                raise ConfigError(
                    f"{self.place}: its certificate does not hold: {error.verify_message}. {_CHECK}"
                ) from error
            except OSError as error:
                plain.close()
                complaint = error
        if isinstance(complaint, ssl.SSLError) and not isinstance(complaint, ssl.SSLEOFError):
            raise ConfigError(f"{self.place}: TLS does not come about: {complaint}. {_CHECK}") from complaint
        raise Unreachable(f"{self.place} cannot be reached: {complaint}") from complaint

    def _tune(self, plain: socket.socket) -> None:
        settings = self._settings
        for option, key in (
            (socket.SO_RCVBUF, "socket.receive.buffer.bytes"),
            (socket.SO_SNDBUF, "socket.send.buffer.bytes"),
        ):
            if settings.numbers[key]:
                plain.setsockopt(socket.SOL_SOCKET, option, settings.numbers[key])
        if settings.keepalive:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if settings.nodelay:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _guarded(self, plain: socket.socket, host: str) -> socket.socket:
        """The socket, under TLS where that is asked for, and never blocking from here on."""
        tls = self._settings.tls
        guarded = plain if tls is None else tls.context().wrap_socket(plain, server_hostname=host)
        guarded.setblocking(False)
        return guarded

    def _introduce(self) -> None:
        """Ask for versions, then sign on."""
        for version in (3, 0):
            answer = self.ask(Api(codes.VERSIONS, version), versions.body(version))
            offers = versions.offered(answer, version, self.place)
            if offers is not None:
                self._offers = offers
                break
        else:
            raise NotUnderstood(f"{self.place} tells no versions")
        if self._settings.sign_on is not None:
            self._sign_on(self._settings.sign_on)

    def _sign_on(self, sign_on: SignOn) -> None:
        answer = self.ask(self.api(codes.HANDSHAKE), frame.text(sign_on.mechanism))
        if code := answer.int16():
            has = ", ".join(filter(None, answer.many(answer.text)))
            raise ConfigError(
                f"{self.place} refuses {sign_on.mechanism} ({codes.told(code)}); it has {has[:200]}. {_CHECK}"
            )
        api = self.api(codes.AUTHENTICATE)
        began, life_ms = time.monotonic(), 0
        talk = signing.words(sign_on)
        word = next(talk)
        while True:
            answer = self.ask(api, _word(word, api))
            life_ms, reply = self._reply(answer, api)
            try:
                word = talk.send(reply)
            except StopIteration:
                break
            except ConfigError as error:
                raise ConfigError(f"{self.place}: {error}. {_CHECK}") from error
        if life_ms > 0:
            self._dies_at = began + _SHARE_OF_LIFE * life_ms / 1000

    def _reply(self, answer: Cursor, api: Api) -> tuple[int, bytes]:
        code = answer.int16()
        said = answer.short_text() if api.flexible else answer.text()
        reply = answer.short_block() if api.flexible else answer.block()
        life_ms = answer.int64() if api.version >= 1 else 0
        if code:
            raise ConfigError(
                f"{self.place}: authentication failed ({codes.told(code)}): {(said or '')[:200]}. {_CHECK}"
            )
        return life_ms, bytes(reply or b"")


def wait_for_any(connections: Sequence[Connection], seconds: float) -> None:
    """Return when bytes have come to one of them, or after that time."""
    if not any(connection.ready for connection in connections):
        _poll(connections, select.POLLIN, seconds)


def _poll(watched: Sequence[Connection | socket.socket], event: int, seconds: float) -> None:
    poll = select.poll()  # select() takes no descriptor above 1023
    for each in watched:
        poll.register(each, event)
    poll.poll(max(0.0, seconds) * 1000)


def _word(word: bytes, api: Api) -> bytes:
    return frame.short_block(word) + frame.NO_TAGS if api.flexible else frame.int32(len(word)) + word
