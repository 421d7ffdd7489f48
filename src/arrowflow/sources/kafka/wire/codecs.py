"""Unpacks the body of a record batch into a buffer that has an end. It believes no stated size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa

from arrowflow.sources.kafka.wire.faults import Malformed, NotUnderstood
from arrowflow.sources.kafka.wire.kernels.records import U8

PLAIN, GZIP, SNAPPY, LZ4, ZSTD = range(5)
_STREAMS: Mapping[int, Literal["gzip", "lz4", "zstd"]] = {GZIP: "gzip", LZ4: "lz4", ZSTD: "zstd"}
_XERIAL = b"\x82SNAPPY\0"
"""What Java's snappy streams begin with; blocks with int32 sizes follow 8 bytes of versions behind it."""
_GUESS = 6
"""How many times its size a batch is taken to unpack to, before it is seen."""


class Arena:
    """Room for unpacked bytes, used again and again.

    Parameters
    ----------
    limit : int
        Most bytes one batch may unpack to.
    size : int
        Bytes of one chunk; a batch that needs more gets a chunk of its own.

    Attributes
    ----------
    chunk : uint8[size]
        Where the last batch was put.
    """

    def __init__(self, limit: int, size: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._size = size
        self.chunk: U8 = np.empty(0, np.uint8)
        self._at = 0

    def forget(self) -> None:
        """Nobody looks at what was unpacked any more: write over it."""
        self._at = 0

    def renew(self) -> None:
        """Leave the chunk to those who still look at it."""
        self.chunk, self._at = np.empty(0, np.uint8), 0

    def unpack(self, body: U8, codec: int) -> tuple[int, int]:
        """Unpack `body` behind what is there and return its range in `chunk`.

        Raises
        ------
        Malformed
            If it is no stream of this codec, ends too early, or is larger than the limit.
        NotUnderstood
            For a codec without a meaning.
        """
        if codec == PLAIN:
            return self._put(body)
        if codec == SNAPPY:
            return self._snappy(body)
        if codec not in _STREAMS:
            raise NotUnderstood(f"compression codec {codec} is unknown")
        try:
            return self._stream(
                pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(body.data)), _STREAMS[codec]), len(body)
            )
        except (OSError, pa.ArrowException) as error:
            raise Malformed(f"its {_STREAMS[codec]} stream is broken: {error}") from error

    def _put(self, body: U8) -> tuple[int, int]:
        start = self._room(len(body))
        self._at = start + len(body)
        self.chunk[start : self._at] = body
        return start, self._at

    def _stream(self, stream: pa.CompressedInputStream, packed: int) -> tuple[int, int]:
        """Read to the end; where the room was too small, move on into a larger one."""
        start = self._room(min(_GUESS * packed + 64, self._limit))
        stop = start
        while True:
            got = stream.readinto(self.chunk.data[stop:])
            stop += got
            if stop < len(self.chunk):
                break
            if stop - start > self._limit:
                raise self._too_large()
            done = self.chunk[start:stop]
            self.chunk = np.empty(max(self._size, 2 * len(done)), np.uint8)
            self.chunk[: len(done)] = done
            start, stop = 0, len(done)
        if stop - start > self._limit:
            raise self._too_large()
        self._at = stop
        return start, stop

    def _snappy(self, body: U8) -> tuple[int, int]:
        if bytes(body[:8]) != _XERIAL:
            return self._put(self._block(body))
        blocks, at, total = [], 16, 0
        while at < len(body):
            size = int.from_bytes(body[at : at + 4].tobytes(), "big")
            if at + 4 > len(body) or size > len(body) - at - 4:
                raise Malformed(f"a snappy block of {size} bytes is announced where {len(body) - at - 4} are left")
            blocks.append(self._block(body[at + 4 : at + 4 + size]))
            total += len(blocks[-1])
            if total > self._limit:
                raise self._too_large()
            at += 4 + size
        return self._put(np.concatenate(blocks) if blocks else np.empty(0, np.uint8))

    def _block(self, block: U8) -> U8:
        size = _stated(block)
        if size > self._limit:
            raise self._too_large()
        # Snappy copies at most 64 bytes for every 3 it is given: a larger promise is a lie, and costs no memory here.
        if size > 32 * len(block) + 64:
            raise Malformed(f"{len(block)} bytes of snappy promise {size}")
        try:
            return np.frombuffer(memoryview(pa.decompress(pa.py_buffer(block.data), size, "snappy")), np.uint8)
        except (OSError, pa.ArrowException) as error:
            raise Malformed(f"its snappy block is broken: {error}") from error

    def _room(self, size: int) -> int:
        """A place with room for `size` bytes, in the chunk or in a new one."""
        if size > self._limit:
            raise self._too_large()
        if self._at + size > len(self.chunk):
            self.chunk, self._at = np.empty(max(self._size, size), np.uint8), 0
        return self._at

    def _too_large(self) -> Malformed:
        return Malformed(
            f"it unpacks to more than {self._limit} bytes; if that is meant, "
            "raise 'receive.message.max.bytes' in source.kafka.properties"
        )


def _stated(block: U8) -> int:
    """The size a snappy block begins with."""
    value = 0
    for place, byte in enumerate(block[:5].tobytes()):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value
    raise Malformed("its snappy block does not say its size")
