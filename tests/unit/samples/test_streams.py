"""Sample streams are the same bytes everywhere, and every oddity they promise is really in them."""

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.support.readings import avro_row

from arrowflow.errors import ConfigError
from arrowflow.samples import NAMES, stream
from arrowflow.samples.streams import production, scada
from arrowflow.samples.streams.dice import Dice
from arrowflow.samples.streams.draft import Draft, Outage, arranged, pushed

MINUTE_MS = 60_000
DAY_MS = 86_400_000

DIGESTS = {
    "production": "dd143250c71c8fac8113a0e49d1e84ea562bcc6e9a6c6d93487397128f61a3c7",
    "scada": "67be08f963fec64265ff016b54e19baedaeb7d3430f83a1edf92ae6abb746707",
    "orders": "fe7763a9f1f8f69136941069d431c6dc808a52a68f5210b750b532b858e00c26",
    "scada_avro": "c82de50ede50b4058f682aade601d8c7ec7f3bddb77c55092a883b5b5a24e9c1",
    "order_events": "b8c2db97399698c1184e89a8559ff9c6616c5815f17af3e1bf320a7b3b9ba93e",
}


@pytest.fixture(scope="module")
def streams():
    return {name: stream(name) for name in NAMES}


@pytest.fixture(scope="module")
def partitions(streams):
    """Sample name to partition to its records, offset by index."""
    found = {}
    for name, sample in streams.items():
        found[name] = {0: [], 1: [], 2: []}
        for record in sample.records():
            found[name][record.partition].append(record)
    return found


def decoded(record):
    """The row, or None where the value is not one good object."""
    if record.value and record.value[0] == 0:
        return avro_row(record.value)
    try:
        row = json.loads(record.value or b"")
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def good(records, time="timestamp"):
    """(offset, record, row, event time in ms) of rows with a whole number of milliseconds that is not ahead."""
    for offset, record in enumerate(records):
        row = decoded(record)
        if row and isinstance(row.get(time), int) and row[time] <= record.timestamp_ms + 5 * MINUTE_MS:
            yield offset, record, row, row[time]


# ---- determinism --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_default_stream_has_the_bytes_it_always_had(streams, name):
    assert DIGESTS[name] == streams[name].digest


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_made_twice_is_the_same_record_for_record(name):
    once, again = stream(name, 700, 5), stream(name, 700, 5)

    assert list(once.records()) == list(again.records())
    assert once.digest == again.digest


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_and_another_number_of_rows_are_other_streams(name):
    digests = {stream(name, rows, seed).digest for rows, seed in ((700, 5), (700, 6), (701, 5))}

    assert len(digests) == 3


def test_another_process_with_another_hash_seed_makes_the_same_bytes():
    code = (
        "import hashlib, json; from arrowflow.samples import NAMES, answer, stream; "
        "print([stream(n, 900, 3).digest for n in NAMES], "
        "hashlib.sha256(json.dumps([answer(n, 900, 3) for n in NAMES]).encode()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1
    assert stream("production", 900, 3).digest in outputs.pop()


def test_dice_throw_what_the_standard_library_guarantees():
    dice = Dice(7)

    assert [dice.below(1_000) for _ in range(6)] == [323, 150, 650, 72, 535, 365]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 10, 299, 1_234])
def test_a_stream_has_exactly_the_rows_asked_for(name, rows):
    assert len(list(stream(name, rows, 1).records())) == rows


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(
        ConfigError, match="'prod' does not exist; choose one of production, scada, orders, order_events"
    ):
        stream("prod")


def test_a_negative_number_of_rows_is_refused():
    with pytest.raises(ConfigError, match="rows is -1"):
        stream("scada", -1)


@pytest.mark.parametrize("name", NAMES)
def test_create_times_never_fall_within_a_partition(partitions, name):
    for records in partitions[name].values():
        times = [record.timestamp_ms for record in records]
        assert times == sorted(times)


@pytest.mark.parametrize("name", NAMES)
def test_each_topic_is_partitioned_by_plant(streams, partitions, name):
    assert list(streams[name].partitions.values()) == [3]
    for partition, plant in enumerate(("monterrey", "guadalajara", "tijuana")):
        rows = [row for row in map(decoded, partitions[name][partition]) if row]
        assert {row["planta"] for row in rows} <= {plant, *(("saltillo", None) if partition == 0 else ())}


# ---- oddities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limit_ms"),
    [
        ("production", 30 * MINUTE_MS),
        ("scada", 5 * MINUTE_MS),
        ("order_events", 15 * MINUTE_MS),
    ],
)
def test_many_rows_are_out_of_order_within_the_tolerance_and_few_beyond(partitions, name, limit_ms):
    behind, far_behind, total = 0, 0, 0
    for records in partitions[name].values():
        largest = 0
        for _, _, _, event_ms in good(records):
            total += 1
            behind += largest - limit_ms <= event_ms < largest
            far_behind += event_ms < largest - limit_ms
            largest = max(largest, event_ms)

    assert behind / total > 0.15
    assert 0.002 < far_behind / total < 0.012


@pytest.mark.parametrize("name", NAMES)
def test_some_records_are_sent_twice(partitions, name):
    for records in partitions[name].values():
        copies = Counter(record.value for record in records if record.value and len(record.value) > 50)
        again = sum(n - 1 for n in copies.values())
        assert 5 <= again < len(records) / 100


def test_guadalajara_is_silent_for_an_hour_and_then_sends_its_backlog_in_order(partitions):
    start_ms, stop_ms = production.OUTAGE
    records = partitions["production"][1]
    first = next(i for i, record in enumerate(records) if record.timestamp_ms >= start_ms)

    assert stop_ms - start_ms == 60 * MINUTE_MS
    assert records[first].timestamp_ms == stop_ms
    backlog = [event for offset, _, _, event in good(records) if first <= offset < first + 80]
    assert backlog == sorted(backlog)
    assert sum(event_ms < stop_ms for event_ms in backlog) > 60
    held_back_over_the_change_of_shift = datetime(2025, 11, 3, 20, tzinfo=UTC).timestamp() * 1_000
    assert backlog[0] < held_back_over_the_change_of_shift < backlog[-1]


def test_the_other_plants_go_on_during_the_outage(partitions):
    start_ms, stop_ms = production.OUTAGE
    for partition in (0, 2):
        assert sum(start_ms <= r.timestamp_ms < stop_ms for r in partitions["production"][partition]) > 30


@pytest.mark.parametrize(
    ("name", "partition", "column", "value"),
    [
        ("production", 2, "linea", "L9"),
        ("scada", 2, "sensor_id", scada.WRONG_CLOCK_SENSOR),
        ("scada_avro", 2, "sensor_id", scada.WRONG_CLOCK_SENSOR),
    ],
)
def test_one_source_has_a_clock_a_day_ahead_in_every_row(partitions, name, partition, column, value):
    ahead = [
        row["timestamp"] - record.timestamp_ms
        for records in partitions[name].values()
        for record in records
        if (row := decoded(record)) and row.get(column) == value
    ]

    assert len(ahead) > 15
    assert all(DAY_MS - 60 * MINUTE_MS < each <= DAY_MS for each in ahead)


def test_seventy_sensors_report_on_a_steady_cadence(partitions):
    rows = [row for records in partitions["scada"].values() for _, _, row, _ in good(records)]
    seen = Counter(row["sensor_id"] for row in rows)
    times = sorted({row["timestamp"] for row in rows if row["sensor_id"] == "scada-001"})
    steps = Counter(later - earlier for earlier, later in itertools.pairwise(times))

    assert len(seen | {scada.WRONG_CLOCK_SENSOR: 1}) == 70
    assert min(seen.values()) > 400
    assert sum(steps[step] for step in (65_000, 66_000)) / len(times) > 0.95


def test_some_readings_of_a_sensor_have_one_time_and_different_values(partitions):
    readings = {}
    for records in partitions["scada"].values():
        for _, _, row, event_ms in good(records):
            readings.setdefault((row["sensor_id"], event_ms), set()).add(row["value"])

    assert sum(len(values) > 1 for values in readings.values()) > 500


def test_production_holds_tombstones_negative_null_and_missing_values(partitions):
    records = [record for each in partitions["production"].values() for record in each]
    rows = [row for row in map(decoded, records) if row and "unidades_producidas" in row]

    assert 50 < sum(record.value is None for record in records) < 200
    assert sum(isinstance(row["unidades_producidas"], int) and row["unidades_producidas"] < 0 for row in rows) > 200
    assert sum(row["tasa_produccion"] is None for row in rows) > 300
    assert sum(row["unidades_producidas"] is None for row in rows) > 20
    assert sum("linea" not in row for row in rows) > 10
    assert sum("firmware" in row for row in rows) > 100
    assert sum(isinstance(row["unidades_producidas"], float) for row in rows) > 20


def test_some_events_are_the_first_or_the_last_millisecond_of_a_shift(partitions):
    eight_hours = 8 * 60 * MINUTE_MS
    edges = Counter(event_ms % eight_hours for _, _, _, event_ms in good(partitions["production"][0]))
    dawn = 12 * 60 * MINUTE_MS % eight_hours

    assert edges[dawn] > 5
    assert edges[dawn - 1] > 5


def test_orders_write_their_times_in_three_ways(partitions):
    texts = [row["timestamp"] for row in map(decoded, partitions["orders"][2]) if row and "timestamp" in row]
    endings = Counter("Z" if text.endswith("Z") else text[-6:] for text in texts)

    assert set(endings) == {"Z", "+00:00", "-07:00", "-08:00"}
    assert min(endings.values()) > 300


# ---- arrival ------------------------------------------------------------------------------------------------


def draft(arrival_ms, event_ms, value=b"x"):
    return Draft(arrival_ms, event_ms, None, value)


def test_an_outage_holds_back_what_was_due_and_what_queues_behind_it():
    #           outage [100, 500)   drains every 200 ms: at 500, 700, 900
    before, due, queued, after = draft(99, 90), [draft(150, 120), draft(100, 95)], draft(600, 600), draft(1_200, 1_199)
    ordered = arranged([after, queued, *due, before], Outage(100, 500))

    assert [each.event_ms for each in ordered] == [90, 95, 120, 600, 1_199]
    assert [each.arrival_ms for each in ordered] == [99, 500, 700, 900, 1_200]


def test_a_pushed_pair_stands_where_no_earlier_row_is_at_or_past_the_pusher():
    ordered = [draft(10, 5), draft(20, None), draft(30, 50), draft(40, 60)]
    result = pushed(ordered, draft(0, 50, b"pusher"), draft(0, 1, b"straggler"))

    assert [each.value for each in result] == [b"x", b"x", b"pusher", b"straggler", b"x", b"x"]
    assert result[2].arrival_ms == 30


def test_a_stream_makes_no_record_before_it_is_read():
    """Checking a configuration asks for the topics only, and must not pay for a stream of any size."""
    sample = stream("production", rows=10**15)

    assert sample.partitions == {"silver.production.events": 3}
