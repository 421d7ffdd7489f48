"""A Kafka broker that speaks just enough of the protocol to be read from, and lies on demand. Loopback only; keeps nothing.

It writes record batches with an encoder of its own, so what reads them is not tested against itself.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self

import google_crc32c
import pyarrow as pa

NONE, GZIP, SNAPPY, LZ4, ZSTD, XERIAL = 0, 1, 2, 3, 4, 10
"""Codecs of a batch; `XERIAL` is snappy in the frames of Java's clients."""
_STREAMS: Mapping[int, Literal["gzip", "lz4", "zstd"]] = {GZIP: "gzip", LZ4: "lz4", ZSTD: "zstd"}

FETCH, METADATA, HANDSHAKE, VERSIONS, AUTHENTICATE = 1, 3, 17, 18, 36
OFFERED = {FETCH: (4, 13), METADATA: (0, 12), HANDSHAKE: (0, 1), VERSIONS: (0, 3), AUTHENTICATE: (0, 2)}


class WireRecord(NamedTuple):
    """One record; its place in the batch and milliseconds after the batch's time."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    delta: int | None = None
    after_ms: int = 0


def zigzag(value: int) -> bytes:
    """A signed number as record batches write it."""
    raw, out = (value << 1) ^ (value >> 63), bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


def packed_records(records: Sequence[WireRecord]) -> bytes:
    """The body of a batch, not compressed."""
    out = bytearray()
    for number, record in enumerate(records):
        inner = b"\0" + zigzag(record.after_ms) + zigzag(number if record.delta is None else record.delta)
        inner += _sized(record.key) + _sized(record.value) + zigzag(len(record.headers))
        inner += b"".join(_sized(name.encode()) + _sized(value) for name, value in record.headers)
        out += zigzag(len(inner)) + inner
    return bytes(out)


def packed_batch(
    base: int,
    records: Sequence[WireRecord],
    *,
    codec: int = NONE,
    body: bytes | None = None,
    rows: int | None = None,
    last: int | None = None,
    base_ms: int = 0,
    max_ms: int = 0,
    appended: bool = False,
    producer: int = -1,
    control: bool = False,
    epoch: int = 0,
    magic: int = 2,
) -> bytes:
    """A whole batch with its checksum; `body`, `rows` and `last` may contradict the records."""
    plain = packed_records(records) if body is None else body
    packed = _compressed(plain, codec)
    deltas = [number if record.delta is None else record.delta for number, record in enumerate(records)]
    end = (deltas[-1] if deltas else 0) if last is None else last
    flags = (2 if codec == XERIAL else codec) | appended << 3 | (producer >= 0) << 4 | control << 5
    count = len(records) if rows is None else rows
    tail = struct.pack(">hiqqqhii", flags, end, base_ms, max_ms, producer, 0, 0, count) + packed
    head = struct.pack(">ibI", epoch, magic, google_crc32c.value(tail))
    return struct.pack(">qi", base, len(head) + len(tail)) + head + tail


def marker(base: int, producer: int, *, commit: bool, epoch: int = 0) -> bytes:
    """The control batch that ends a transaction."""
    record = WireRecord(struct.pack(">hi", 0, 0), struct.pack(">hh", 0, int(commit)))
    return packed_batch(base, [record], producer=producer, control=True, epoch=epoch)


def _sized(data: bytes | None) -> bytes:
    return zigzag(-1) if data is None else zigzag(len(data)) + data


def _compressed(plain: bytes, codec: int) -> bytes:
    if codec in (SNAPPY, XERIAL):
        blocks = [plain] if codec == SNAPPY else [plain[at : at + 32768] for at in range(0, len(plain), 32768)]
        packed = [pa.compress(block, "snappy", asbytes=True) for block in blocks]
        if codec == SNAPPY:
            return bytes(packed[0])
        return b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + b"".join(struct.pack(">i", len(each)) + each for each in packed)
    if codec not in _STREAMS:
        return plain
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _STREAMS[codec]) as out:
        out.write(plain)
    return sink.getvalue().to_pybytes()


@dataclass(slots=True)
class WireLog:
    """One partition of a `WireBroker`.

    Parameters
    ----------
    batches : bytes
        Record batches, one behind the other; served from the one that holds the offset asked for.
    aborted : sequence of (int, int)
        Producers of aborted transactions and the first offset of each.
    low, high, stable : int
        What the answers say; `high` and `stable` default to the end of the batches.
    error : int
        Given instead of records, once per entry of `errors` before that.
    diverging : (int, int), optional
        Epoch and end told instead of records.
    strict : bool
        Cut at the limit even inside the first batch, as brokers did of old.
    """

    batches: bytes = b""
    aborted: Sequence[tuple[int, int]] = ()
    low: int = 0
    high: int | None = None
    stable: int | None = None
    errors: list[int] = field(default_factory=list)
    diverging: tuple[int, int] | None = None
    leader_epoch: int = 0
    strict: bool = False

    def from_offset(self, wanted: int, limit: int) -> bytes:
        """What a fetch gives: whole from the batch that holds `wanted`, cut at `limit` after the first."""
        at = 0
        while at + 61 <= len(self.batches):
            base, size = struct.unpack_from(">qi", self.batches, at)
            (last,) = struct.unpack_from(">i", self.batches, at + 23)
            if base + last >= wanted:
                first = 12 + size
                return self.batches[at : at + (limit if self.strict else max(first, limit))]
            at += 12 + size
        return b""

    @property
    def end(self) -> int:
        at = end = 0
        while at + 61 <= len(self.batches):
            base, size = struct.unpack_from(">qi", self.batches, at)
            end = base + struct.unpack_from(">i", self.batches, at + 23)[0] + 1
            at += 12 + size
        return end


class Asked(NamedTuple):
    """One request as the broker understood it; `detail` is what a fetch asked for, per (topic, partition)."""

    api: int
    version: int
    detail: dict[tuple[str, int], tuple[int, int, int, int]]


class WireBroker:
    """A listener on a free loopback port; a context manager that leaves nothing behind.

    Parameters
    ----------
    logs : mapping of (str, int) to WireLog
        What it holds; tests may change it while it runs.

    Attributes
    ----------
    asked : list of Asked
        Every request, in order.
    spoil : callable, optional
        Is given the request's key and the whole answer, without its length, and returns what is sent instead: other
        bytes, bytes and the length that is announced before the connection ends, or None to hang up.
    announce : int, optional
        The length announced before every fetched answer.
    slice : int, optional
        Send so many bytes at a time.
    throttle_ms : int
        Told in every fetch.
    silent : bool
        Take requests and answer none.
    """

    def __init__(self, logs: dict[tuple[str, int], WireLog]) -> None:
        self.logs = logs
        self.ids = {topic: uuid.uuid4() for topic, _ in logs}
        self.asked: list[Asked] = []
        self.spoil: Callable[[int, bytes], bytes | tuple[bytes, int] | None] = lambda _, answer: answer
        self.announce: int | None = None
        self.slice: int | None = None
        self.throttle_ms = 0
        self.silent = False
        self.epochs = True
        self.offered = dict(OFFERED)
        self.sign_on: Callable[[bytes, int], tuple[int, bytes]] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def hang_up(self) -> None:
        """Close every connection, as a broker does with idle ones."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):  # the client was first
                    each.shutdown(socket.SHUT_RDWR)

    # ---- connections ---------------------------------------------------------------------------------------

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        words = 0
        try:
            with connection, connection.makefile("rb") as stream:
                while len(head := stream.read(4)) == 4:
                    frame = _Bytes(stream.read(int.from_bytes(head, "big")))
                    api, version, number = frame.int16(), frame.int16(), frame.int32()
                    frame.take(frame.int16())
                    flexible = version >= {FETCH: 12, METADATA: 9, VERSIONS: 3, AUTHENTICATE: 2}.get(api, 99)
                    if flexible:
                        frame.take(1)
                    words += api == AUTHENTICATE
                    body = self._answer(api, version, frame, words)
                    tags = b"\0" if flexible and api != VERSIONS else b""
                    answer = self.spoil(api, struct.pack(">i", number) + tags + body)
                    if answer is None:
                        return
                    if isinstance(answer, tuple):
                        connection.sendall(struct.pack(">i", answer[1]) + answer[0])
                        return
                    if not self.silent:
                        size = len(answer) if self.announce is None or api != FETCH else self.announce
                        self._send(connection, struct.pack(">i", size) + answer)
        except (OSError, struct.error, IndexError):
            pass  # the client went away
        finally:
            with self._lock:
                self._open.discard(connection)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        step = self.slice or len(data)
        for at in range(0, len(data), step):
            connection.sendall(data[at : at + step])

    # ---- answers -------------------------------------------------------------------------------------------

    def _answer(self, api: int, version: int, frame: _Bytes, words: int) -> bytes:
        if api == VERSIONS:
            self.asked.append(Asked(api, version, {}))
            return self._versions(version)
        if api == METADATA:
            self.asked.append(Asked(api, version, {}))
            return self._metadata(version)
        if api == HANDSHAKE:
            return struct.pack(">hi", 0, 1) + struct.pack(">h", 5) + b"PLAIN"
        if api == AUTHENTICATE:
            size = frame.uvarint() - 1 if version >= 2 else frame.int32()
            error, reply = (0, b"") if self.sign_on is None else self.sign_on(frame.take(size), words)
            if version >= 2:
                return struct.pack(">h", error) + b"\0" + _short(reply) + struct.pack(">q", 0) + b"\0"
            return struct.pack(">hhi", error, -1, len(reply)) + reply + (struct.pack(">q", 0) if version else b"")
        return self._fetch(version, frame)

    def _versions(self, version: int) -> bytes:
        offers = [struct.pack(">hhh", key, *each) for key, each in self.offered.items()]
        if version < 3:
            return struct.pack(">hi", 0, len(offers)) + b"".join(offers)
        return struct.pack(">h", 0) + _list(each + b"\0" for each in offers) + struct.pack(">i", 0) + b"\0"

    def _metadata(self, version: int) -> bytes:
        broker = struct.pack(">i", 1) + _short(b"127.0.0.1") + struct.pack(">i", self.port) + b"\0\0"
        topics = []
        for topic, identity in self.ids.items():
            partitions = [
                struct.pack(">hiii", 0, number, 1, log.leader_epoch if self.epochs else -1) + b"\1\1\1\0"
                for (name, number), log in self.logs.items()
                if name == topic
            ]
            head = struct.pack(">h", 0) + _short(topic.encode()) + (identity.bytes if version >= 10 else b"")
            topics.append(head + b"\0" + _list(partitions) + struct.pack(">i", 0) + b"\0")
        cluster = _short(b"fake") + struct.pack(">i", 1)
        end = struct.pack(">i", 0) if version <= 10 else b""
        return struct.pack(">i", 0) + _list([broker]) + cluster + _list(topics) + end + b"\0"

    def _fetch(self, version: int, frame: _Bytes) -> bytes:
        frame.take(4 + 4 + 4)
        max_bytes = frame.int32()
        frame.take(1 + 4 + 4)
        names = {identity.bytes: topic for topic, identity in self.ids.items()}
        detail: dict[tuple[str, int], tuple[int, int, int, int]] = {}
        topics = []
        for _ in range(frame.uvarint() - 1):
            raw = frame.take(16) if version >= 13 else frame.take(frame.uvarint() - 1)
            topic = names.get(raw, "?") if version >= 13 else raw.decode()
            shares = []
            for _ in range(frame.uvarint() - 1):
                number, epoch = frame.int32(), frame.int32()
                offset, last_epoch = frame.int64(), frame.int32()
                frame.take(8)
                limit = frame.int32()
                frame.take(1)
                detail[topic, number] = (offset, epoch, last_epoch, limit)
                shares.append(self._share(topic, number, offset, limit, max_bytes))
            frame.take(1)
            topics.append((raw if version >= 13 else _short(raw)) + _list(shares) + b"\0")
        self.asked.append(Asked(FETCH, version, detail))
        return struct.pack(">ihi", self.throttle_ms, 0, 0) + _list(topics) + b"\0"

    def _share(self, topic: str, number: int, offset: int, limit: int, max_bytes: int) -> bytes:
        log = self.logs.get((topic, number)) or WireLog(errors=[100])  # no such topic id
        error = log.errors.pop(0) if log.errors else 0
        end = log.end
        high = end if log.high is None else log.high
        stable = high if log.stable is None else log.stable
        quiet = bool(error) or log.diverging is not None
        records = b"" if quiet else log.from_offset(offset, min(limit, max_bytes))
        if not records and not quiet:
            threading.Event().wait(0.01)  # a broker waits for more, too
        aborted = _list(struct.pack(">qq", *each) + b"\0" for each in log.aborted)
        tags = b"\0"
        if log.diverging is not None:
            tags = b"\1\0" + _short(struct.pack(">iq", *log.diverging) + b"\0", extra=0)
        head = struct.pack(">ihqqq", number, error, high, stable, log.low)
        return head + aborted + struct.pack(">i", -1) + _short(records) + tags


class _Bytes:
    """A request being read."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise IndexError(size)
        self._at += size
        return self._data[self._at - size : self._at]

    def int16(self) -> int:
        return int.from_bytes(self.take(2), "big", signed=True)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def int64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def uvarint(self) -> int:
        value = shift = 0
        while (byte := self.take(1)[0]) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift


def _short(data: bytes, extra: int = 1) -> bytes:
    return _unsigned(len(data) + extra) + data


def _list(elements: Iterable[bytes]) -> bytes:
    found = list(elements)
    return _unsigned(len(found) + 1) + b"".join(found)


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
