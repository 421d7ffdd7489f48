"""Where the bytes of an Arrow binary or string array lie; copies none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from arrowflow.types import I64

U8 = np.ndarray[tuple[int], np.dtype[np.uint8]]


def layout(values: pa.Array[Any]) -> tuple[I64, U8]:
    """Return (starts int64[n + 1] into data, data uint8): value i is ``data[start[i]:start[i + 1]]``.

    The array has 32-bit offsets. At nulls the bytes, if any, mean nothing.
    """
    _, offsets, data = values.buffers()
    if not len(values) or offsets is None:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    ends = np.frombuffer(memoryview(offsets), np.int32)[values.offset : values.offset + len(values) + 1]
    start = ends.astype(np.int64)
    if data is None or not data.size:
        return start - start[0], np.zeros(0, np.uint8)
    return start - start[0], np.frombuffer(memoryview(data), np.uint8)[start[0] : start[-1]]
