"""Reads Kafka's primitive types out of received bytes. No length or count is believed beyond the end of the frame."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TypeVar
from uuid import UUID

from arrowflow.sources.kafka.wire.faults import Malformed

_T = TypeVar("_T")
_I8, _I16, _I32, _I64 = (struct.Struct(code) for code in (">b", ">h", ">i", ">q"))


class Cursor:
    """A place in one frame.

    Parameters
    ----------
    data : memoryview
        The frame, without its length.
    what : str
        What it is and who sent it, for messages.

    Raises
    ------
    Malformed
        From every method, where the bytes do not hold what is asked for.
    """

    __slots__ = ("_at", "_data", "_end", "_what")

    def __init__(self, data: memoryview, what: str) -> None:
        self._data, self._at, self._end, self._what = data, 0, len(data), what

    def int8(self) -> int:
        return self._number(_I8)

    def int16(self) -> int:
        return self._number(_I16)

    def int32(self) -> int:
        return self._number(_I32)

    def int64(self) -> int:
        return self._number(_I64)

    def uvarint(self) -> int:
        value = 0
        for shift in (0, 7, 14, 21, 28):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > 0xFFFFFFFF:
                    break
                return value
        raise self.fault("holds a number of more than 32 bits")

    def uuid(self) -> UUID:
        return UUID(bytes=bytes(self.take(16)))

    def take(self, size: int) -> memoryview:
        """The next `size` bytes, not copied."""
        if size < 0 or size > self._end - self._at:
            raise self.fault(f"wants {size} bytes where {self._end - self._at} are left")
        at = self._at
        self._at = at + size
        return self._data[at : at + size]

    def text(self) -> str | None:
        """A string with an int16 length."""
        size = self.int16()
        return None if size == -1 else self._decoded(self.take(size))

    def short_text(self) -> str | None:
        """A compact string."""
        size = self.uvarint()
        return None if size == 0 else self._decoded(self.take(size - 1))

    def block(self) -> memoryview | None:
        """Bytes with an int32 length."""
        size = self.int32()
        return None if size == -1 else self.take(size)

    def short_block(self) -> memoryview | None:
        """Compact bytes."""
        size = self.uvarint()
        return None if size == 0 else self.take(size - 1)

    def many(self, one: Callable[[], _T]) -> list[_T]:
        """An array with an int32 count, each element read by `one`."""
        return self._elements(self.int32(), one)

    def many_short(self, one: Callable[[], _T]) -> list[_T]:
        """A compact array; null is empty."""
        return self._elements(self.uvarint() - 1, one)

    def tags(self) -> Iterator[tuple[int, Cursor]]:
        """Tagged fields: number and content of each."""
        for _ in range(self._plausible(self.uvarint())):
            number = self.uvarint()
            yield number, Cursor(self.take(self.uvarint()), self._what)

    def skip_tags(self) -> None:
        """Tagged fields nobody here wants."""
        for _ in self.tags():
            pass

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != self._end:
            raise self.fault(f"has {self._end - self._at} bytes too many")

    def fault(self, sentence: str) -> Malformed:
        """The error for what was found here."""
        return Malformed(f"{self._what} {sentence} (byte {self._at} of {self._end})")

    def _number(self, form: struct.Struct) -> int:
        return int(form.unpack(self.take(form.size))[0])

    def _elements(self, count: int, one: Callable[[], _T]) -> list[_T]:
        return [one() for _ in range(self._plausible(max(count, 0)))]

    def _plausible(self, count: int) -> int:
        # Every element takes a byte at least, so a larger count is a lie and would only cost time and memory.
        if count > self._end - self._at:
            raise self.fault(f"announces {count} elements where {self._end - self._at} bytes are left")
        return count

    def _decoded(self, raw: memoryview) -> str:
        try:
            return bytes(raw).decode()
        except UnicodeDecodeError as error:
            raise self.fault("holds a string that is not UTF-8") from error
