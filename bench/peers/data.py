"""The records every engine reads: two deterministic streams of telegrams, as columns and as JSON. Knows no engine.

`steady` has records all along, one in a hundred up to half a minute late. `bursts` has keys that send eight records within
eight seconds now and then, one in ten records up to a minute late. Both come in order of arrival. The last record of each partition, the closer, is dated a day ahead: it lets an engine that closes windows by
its watermark alone close them all, and its own windows are in nobody's answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PARTITIONS = 4
KEYS = 5_000
STREAMS = ("steady", "bursts")
BASE_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_US = 14_400  # 69 records a second of event time, so that a window of 30 minutes has 25 of each key
BURST, BURST_MS = 8, 8_000
STEADY_LATE_MS, BURSTS_LATE_MS = 30_000, 60_000
DAY_MS = 86_400_000
CLOSER = "closer"
_U64 = npt.NDArray[np.uint64]

TEMPLATE = '{"id":%d,"plant":"plant-%d","line":"line-%02d","sensor":"%s","value":%d.%03d,"unit":"degC","quality":%d,"ok":%s,"ts":%d}'


def mix(number: npt.NDArray[np.int64], salt: int) -> _U64:
    """Scatter numbers over 64 bits by splitmix64, the same on every machine and with every version of numpy."""
    scattered = number.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    scattered = (scattered ^ (scattered >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    scattered = (scattered ^ (scattered >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return scattered ^ (scattered >> np.uint64(31))


def _below(number: npt.NDArray[np.int64], salt: int, limit: int) -> npt.NDArray[np.int64]:
    return (mix(number, salt) % np.uint64(limit)).astype(np.int64)


def times(stream: str, records: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Sensor, event time and arrival (int64[n], milliseconds) of a stream in order of arrival."""
    number = np.arange(records, dtype=np.int64)
    group = number if stream == "steady" else number // BURST
    # A partition gets every fourth group, so that all four reach the same time after the same share of their records.
    sensor = PARTITIONS * _below(group, 1, KEYS // PARTITIONS) + group % PARTITIONS
    began = BASE_MS + (group * (STEP_US * (1 if stream == "steady" else BURST))) // 1000
    if stream == "steady":
        held = np.where(_below(number, 3, 100) == 0, _below(number, 4, STEADY_LATE_MS), 0)
        return sensor, began - held, began
    event = began + _below(number, 2, BURST_MS)
    arrival = event + np.where(_below(number, 3, 10) == 0, _below(number, 4, BURSTS_LATE_MS), 0)
    order = np.argsort(arrival, kind="stable")
    return sensor[order], event[order], arrival[order]


def columns(stream: str, records: int) -> pa.Table:
    """The stream as a table: the nine fields and `partition`, closers last.

    `value` is exact in thousandths (`milli`), so that an oracle can add without an order.
    """
    sensor, event, arrival = times(stream, records)
    number = np.arange(records, dtype=np.int64)
    milli = 20_000 + _below(number, 5, 60_000)
    quality, ok = _below(number, 6, 101), _below(number, 7, 50) != 0
    names = np.array([f"furnace-temp-{each:05d}" for each in range(KEYS)] + [CLOSER])
    ends = np.arange(PARTITIONS, dtype=np.int64)

    def whole(body: npt.NDArray[np.int64], last: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
        return np.concatenate([body, np.broadcast_to(last, PARTITIONS)])

    who = whole(sensor, KEYS)
    event_ms = whole(event, int(arrival[-1]) + DAY_MS)
    milli = whole(milli, 20_000)
    return pa.table(
        {
            "id": whole(number, records + ends),
            "plant": pa.DictionaryArray.from_arrays(who % 3, [f"plant-{each}" for each in range(3)]),
            "line": pa.DictionaryArray.from_arrays(who % 40, [f"line-{each:02d}" for each in range(40)]),
            "sensor": pa.DictionaryArray.from_arrays(who, names),
            "value": milli / 1000,
            "unit": pa.DictionaryArray.from_arrays(np.zeros(len(who), np.int64), ["degC"]),
            "quality": whole(quality, 100),
            "ok": np.concatenate([ok, np.ones(PARTITIONS, np.bool_)]),
            "ts": event_ms,
            "milli": milli,
            "partition": whole(sensor % PARTITIONS, ends),
        }
    )


def messages(table: pa.Table, slice_rows: int = 20_000) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """The records as `Producer.produce_batch` takes them, a partition and a slice at a time; the key is the sensor."""
    for batch in table.to_batches(max_chunksize=slice_rows):
        who = batch.column("sensor").indices.to_pylist()
        listed = [
            batch.column(name).to_pylist() for name in ("id", "sensor", "milli", "quality", "ok", "ts", "partition")
        ]
        dealt: list[list[dict[str, object]]] = [[] for _ in range(PARTITIONS)]
        for code, number, sensor, milli, quality, ok, ts, partition in zip(who, *listed, strict=True):
            told = "true" if ok else "false"
            value = TEMPLATE % (number, code % 3, code % 40, sensor, milli // 1000, milli % 1000, quality, told, ts)
            dealt[partition].append({"value": value, "key": sensor})
        yield from enumerate(dealt)
