"""Answers add up, hold every promised outcome, and agree with a second, even more naive reckoning."""

import importlib.resources
import itertools
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.support.readings import avro_row

from arrowflow.errors import ConfigError
from arrowflow.samples import CONFIGS, answer, stream
from arrowflow.samples.answers import civil
from arrowflow.samples.answers.judge import Span, judge
from arrowflow.samples.answers.production import RULES, production
from arrowflow.samples.answers.reading import Refused, read
from arrowflow.samples.streams import order_events

ZONE_NAMES = {"monterrey": "America/Monterrey", "guadalajara": "America/Mexico_City", "tijuana": "America/Tijuana"}
COLUMN = {"timestamp": "timestamp[ms]", "n": "int64", "x": "float64", "s": "string", "m": "decimal(5, 2)"}


def zone(plant):
    """The plant's zone from the pinned database, not the machine's."""
    area, city = ZONE_NAMES[plant].split("/")
    with importlib.resources.files("tzdata").joinpath("zoneinfo", area, city).open("rb") as file:
        return ZoneInfo.from_file(file)


ZONES = {plant: zone(plant) for plant in ZONE_NAMES}


@pytest.fixture(scope="module")
def answers():
    """One for each configuration that there are answers for."""
    return {config: answer(name, config=config) for config, name in CONFIGS.items()}


# ---- the balance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_every_record_is_folded_filtered_late_or_dead_and_only_one_of_them(answers, config):
    sheet = answers[config]

    parts = (
        sheet["folded"]
        + sum(sheet["filtered"].values())
        + sheet["late_count"]
        + sum(sheet["dead_letter_count"].values())
    )
    assert parts == sheet["read"] == len(list(stream(CONFIGS[config]).records()))
    windows_each = 6 if config == "temperature" else 1
    missed = sum(missed_windows(each) for each in sheet["missed"])
    assert sum(window["rows"] for window in sheet["windows"]) == windows_each * sheet["folded"] - missed
    assert len(sheet["late"]) == sheet["late_count"]
    places = [(each["partition"], each["offset"]) for each in sheet["late"] + sheet["dead_letters"]]
    assert len(set(places)) == len(places)


def missed_windows(row):
    """Half hours, one every five minutes, from the start of the first to the end of the last."""
    span = datetime.fromisoformat(row["window_end"]) - datetime.fromisoformat(row["window_start"])
    return (span - timedelta(minutes=30)) // timedelta(minutes=5) + 1


def test_a_config_that_does_not_read_a_sample_has_no_answer_over_it():
    assert answer("scada", 50, 1)["config"] == "configs/scada.toml"
    assert answer("scada", 50, 1, "temperature")["config"] == "configs/temperature.toml"
    with pytest.raises(ConfigError, match="no answer for it over sample 'orders', only kpis"):
        answer("orders", 50, 1, "gold")


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_is_json_and_survives_the_journey(answers, config):
    assert answers[config] == json.loads(json.dumps(answers[config], allow_nan=False))


@pytest.mark.parametrize("config", CONFIGS)
def test_an_answer_names_the_stream_it_is_for(answers, config):
    assert answers[config]["digest"] == stream(CONFIGS[config]).digest


@pytest.mark.parametrize("config", CONFIGS)
def test_dead_letters_stay_well_under_the_breaker_in_any_thousand_records(answers, config):
    offsets = defaultdict(list)
    for letter in answers[config]["dead_letters"]:
        offsets[letter["partition"]].append(letter["offset"])

    assert len(answers[config]["dead_letters"]) < answers[config]["read"] * 0.008
    for dead in offsets.values():
        assert max(sum(first <= offset < first + 1_000 for offset in dead) for first in dead) <= 9


@pytest.mark.parametrize("config", CONFIGS)
def test_some_rows_are_late_and_some_behind_their_clock_are_on_time(answers, config):
    sheet = answers[config]
    late_by_plant = Counter(each["partition"] for each in sheet["late"])

    assert min(late_by_plant[partition] for partition in (0, 1, 2)) >= 5
    assert sheet["late_count"] < sheet["read"] * 0.01


# ---- production ---------------------------------------------------------------------------------------------


def test_production_has_every_reason_for_a_dead_letter(answers):
    counts = answers["gold"]["dead_letter_count"]

    reasons = "empty syntax trailing_data not_object utf8 type overflow future_clock no_calendar no_event_time"
    assert set(counts) == set(reasons.split())
    assert min(counts.values()) >= 8


def test_the_night_of_the_clock_change_has_nine_hours_in_tijuana_and_eight_elsewhere(answers):
    nights = {
        (window["planta"], hours(window))
        for window in answers["gold"]["windows"]
        if window["shift"] == "T3" and window["production_day"] == "2025-11-01"
    }

    assert nights == {("tijuana", 9.0), ("monterrey", 8.0), ("guadalajara", 8.0)}


def test_all_fifteen_shifts_of_each_line_have_a_result(answers):
    shifts = Counter((w["planta"], w["linea"]) for w in answers["gold"]["windows"] if w["linea"] is not None)

    assert set(shifts.values()) == {15}
    assert len(shifts) == 10


def test_a_row_without_a_line_is_a_group_of_its_own(answers):
    assert any(window["linea"] is None for window in answers["gold"]["windows"])


def test_old_rows_whose_shift_is_still_open_are_folded():
    behind = 0
    verdict = judge(stream("production").records(), RULES)
    late = {place for place, _ in verdict.late}
    dead = {place for place, _ in verdict.dead}
    largest, offsets = {}, Counter()
    for record in stream("production").records():
        place = (record.partition, offsets[record.partition])
        offsets[record.partition] += 1
        if record.value is None or place in dead:
            continue
        event_us = json.loads(record.value)["timestamp"] * 1_000
        behind += event_us < largest.get(record.partition, event_us) - 30 * 60_000_000 and place not in late
        largest[record.partition] = max(largest.get(record.partition, event_us), event_us)

    assert behind > 50


def test_a_row_is_late_when_the_clock_is_exactly_at_its_shifts_end_and_not_a_millisecond_before(answers):
    places, offsets = {}, Counter()
    for record in stream("production").records():
        if record.value and b"-edge-1" in record.value:
            places[record.partition] = offsets[record.partition]
        offsets[record.partition] += 1
    late = {(each["partition"], each["offset"]) for each in answers["gold"]["late"]}

    assert set(places) == {0, 1, 2}
    assert [(partition, places[partition]) in late for partition in (0, 1, 2)] == [True, False, False]


def test_a_row_five_minutes_ahead_is_folded_and_one_a_millisecond_further_is_refused(answers):
    offsets, edges = Counter(), {}
    for record in stream("production").records():
        for edge in (b"-edge-2", b"-edge-3"):
            if record.value and edge in record.value:
                edges[edge, record.partition] = offsets[record.partition]
        offsets[record.partition] += 1
    refused = {(d["partition"], d["offset"]) for d in answers["gold"]["dead_letters"] if d["reason"] == "future_clock"}

    assert len(edges) == 6
    assert all(((partition, offset) in refused) == (edge == b"-edge-2") for (edge, partition), offset in edges.items())


def test_adding_the_rates_one_by_one_gives_other_means():
    def naive(values):
        total = 0.0
        for value in values:  # not sum(): newer Pythons compensate inside it
            total += value
        return total / len(values)

    verdict = judge(stream("production").records(), RULES)
    groups = [
        [p.row["tasa_produccion"] for p in rows if p.row["tasa_produccion"] is not None]
        for rows in verdict.groups.values()
    ]
    exact = [float(sum(map(Fraction, values)) / len(values)) for values in groups if values]
    other = [naive(values) for values in groups if values]

    assert sum(a != b for a, b in zip(exact, other, strict=True)) > 10
    assert max(abs(a - b) for a, b in zip(exact, other, strict=True)) > 0.01


def test_records_sent_twice_count_twice():
    records = list(stream("production", 3_000).records())
    fresh = [
        record
        for i, record in enumerate(records)
        if record.value is None or record.value not in {r.value for r in records[:i][-500:]}
    ]

    assert production(fresh)["folded"] < production(records)["folded"]


# ---- temperature --------------------------------------------------------------------------------------------


def test_some_rows_missed_their_first_windows_and_are_in_the_others(answers):
    missed = [missed_windows(each) for each in answers["temperature"]["missed"]]

    assert {1, 2, 3, 4, 5} >= set(missed) > {1}
    assert len(missed) >= 15
    places = {(each["partition"], each["offset"]) for each in answers["temperature"]["late"]}
    assert not places & {(each["partition"], each["offset"]) for each in answers["temperature"]["missed"]}


def test_a_sensor_that_reports_steadily_has_a_result_every_five_minutes(answers):
    starts = sorted(
        datetime.fromisoformat(window["window_start"])
        for window in answers["temperature"]["windows"]
        if window["sensor_id"] == "scada-005"
    )

    assert {later - earlier for earlier, later in itertools.pairwise(starts)} == {timedelta(minutes=5)}


# ---- order sessions -----------------------------------------------------------------------------------------


def on_time_by_order(answers):
    """Order to the (event time in ms, offset) of its rows that are not late, dead or tombstones."""
    sheet = answers["order_sessions"]
    out = {(each["partition"], each["offset"]) for each in [*sheet["late"], *sheet["dead_letters"]]}
    orders, offsets = defaultdict(list), Counter()
    for record in stream("order_events").records():
        place = (record.partition, offsets[record.partition])
        offsets[record.partition] += 1
        if record.value is not None and place not in out:
            row = json.loads(record.value)
            orders[row["orden"]].append((row["timestamp"], place[1]))
    return orders


def test_rows_exactly_ten_minutes_apart_are_one_session_and_a_millisecond_more_makes_two(answers):
    ends = {
        (window["orden"], milliseconds(window["window_start"])): milliseconds(window["window_end"])
        for window in answers["order_sessions"]["windows"]
    }
    pauses = Counter()
    for order, rows in on_time_by_order(answers).items():
        times = sorted({time for time, _ in rows})
        for earlier, later in itertools.pairwise(times):
            if later - earlier in (600_000, 600_001):
                begins = (order, later) in ends
                assert begins == (later - earlier == 600_001)
                pauses[begins] += 1

    assert min(pauses[True], pauses[False]) > 100


def test_row_40_some_rows_come_after_both_of_the_sessions_they_join(answers):
    bridges = 0
    for rows in on_time_by_order(answers).values():
        for time, offset in rows:
            there = [other for other, earlier in rows if earlier < offset]
            before, after = (
                max((t for t in there if t < time), default=None),
                min((t for t in there if t > time), default=None),
            )
            if before is not None and after is not None:
                bridges += after - before > 600_000 >= max(time - before, after - time)

    assert bridges > 100


def test_an_order_that_an_outage_went_over_lost_nothing(answers):
    start_ms, stop_ms = order_events.OUTAGE
    late = {(each["partition"], each["offset"]) for each in answers["order_sessions"]["late"]}
    offset, held_back, of_those_late = 0, 0, 0
    for record in stream("order_events").records():
        if record.partition != 1:
            continue
        if stop_ms <= record.timestamp_ms < stop_ms + 30 * 60_000 and record.value is not None:
            row = (
                json.loads(record.value)
                if record.value.startswith(b'{"orden"') and record.value.endswith(b"}") and b"}{" not in record.value
                else {}
            )
            if isinstance(row.get("timestamp"), int) and start_ms + 15 * 60_000 <= row["timestamp"] < stop_ms:
                held_back += 1
                of_those_late += (1, offset) in late
        offset += 1

    assert held_back > 80
    assert of_those_late == 0


def test_a_row_exactly_at_its_clock_is_on_time_and_a_millisecond_behind_it_is_late(answers):
    late = {(each["partition"], each["offset"]) for each in answers["order_sessions"]["late"]}
    offsets, edges = Counter(), {}
    for record in stream("order_events").records():
        if record.value and b"-edge-1" in record.value:
            edges[record.partition] = (record.partition, offsets[record.partition]) in late
        offsets[record.partition] += 1

    assert edges == {0: True, 1: False, 2: False}


def milliseconds(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


# ---- the second reckoning -----------------------------------------------------------------------------------


def hours(window):
    return (datetime.fromisoformat(window["window_end"]) - datetime.fromisoformat(window["window_start"])) / timedelta(
        hours=1
    )


def shift_by_zone(plant, when):
    """Try every shift of the days around; local times go through the zone database."""
    for day in range(-2, 3):
        midnight = datetime(when.year, when.month, when.day) + timedelta(days=day)  # noqa: DTZ001
        for start, end in ((6, 14), (14, 22), (22, 30)):
            first, after = (
                (midnight + timedelta(hours=hour)).replace(tzinfo=ZONES[plant]).astimezone(UTC) for hour in (start, end)
            )
            if first <= when < after:
                return first, after, midnight.date(), start
    raise AssertionError(when)


def spans_by_zone(config, row, when):
    """All windows of a row by trying, or None for a plant without a zone."""
    midnight = datetime(when.year, when.month, when.day, tzinfo=UTC)
    if config in ("scada", "scada_avro", "temperature"):
        hop = 5 if config == "temperature" else 30
        starts = [midnight + timedelta(minutes=minute) for minute in range(-60, 24 * 60, hop)]
        return [
            (start, start + timedelta(minutes=30)) for start in starts if start <= when < start + timedelta(minutes=30)
        ]
    if row["planta"] not in ZONES:
        return None
    first, after, day, _ = shift_by_zone(row["planta"], when)
    if config == "gold":
        return [(first, after)]
    local = datetime(day.year, day.month, day.day, 6)  # noqa: DTZ001
    edges = (local, local + timedelta(days=1))
    return [tuple(edge.replace(tzinfo=ZONES[row["planta"]]).astimezone(UTC) for edge in edges)]


def time_of(name, row):
    if name == "orders":
        return datetime.fromisoformat(row["timestamp"]).astimezone(UTC)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=row["timestamp"])


def usable(name, record):
    """The row and its time if it decodes, has one and is not ahead of its record; by trying, not by rules."""
    numbers = {
        "production": ("unidades_producidas", "tasa_produccion"),
        "scada": ("value",),
        "scada_avro": ("value",),
        "orders": ("cantidad", "costo"),
        "order_events": ("piezas", "energia_kwh"),
    }
    try:
        row = avro_row(record.value) if name == "scada_avro" else json.loads(record.value)
        when = time_of(name, row)
        assert all(row.get(column) is None or abs(row[column]) < 2**63 for column in numbers[name])
        assert name == "scada_avro" or "NaN" not in record.value.decode()
    except (ValueError, TypeError, KeyError, AssertionError):
        return None
    ahead = when - (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=record.timestamp_ms))
    return None if ahead > timedelta(minutes=5) else (row, when)


TOLERANCE_MIN = {"gold": 30, "scada": 5, "scada_avro": 5, "temperature": 5, "kpis": 60, "order_sessions": 15}


def reckoned(config, records):
    """Outcome of each record by looking at all earlier ones again: quadratic, and no state at all."""
    outcomes = {}
    for partition in (0, 1, 2):
        log = [record for record in records if record.partition == partition]
        rows = [None if record.value is None else usable(CONFIGS[config], record) for record in log]
        for offset, record in enumerate(log):
            earlier = [row[1] for row in rows[:offset] if row is not None]
            clock = max(earlier) - timedelta(minutes=TOLERANCE_MIN[config]) if earlier else None
            outcomes[partition, offset] = outcome(config, record, rows[offset], clock)
    return outcomes


def outcome(config, record, row, clock):
    """A word, or the row, its time and the windows it is in time for."""
    if record.value is None:
        return "filtered"
    if row is None:
        return "dead"
    if config == "gold" and not (
        (row[0].get("unidades_producidas") or 0) >= 0 and row[0].get("unidades_producidas") is not None
    ):
        return "filtered"
    if config == "temperature" and row[0]["unit"] != "degC":
        return "filtered"
    if config == "order_sessions":
        return "late" if clock is not None and row[1] < clock else (*row, None)
    spans = spans_by_zone(config, *row)
    if spans is None:
        return "dead"
    open_spans = [span for span in spans if clock is None or span[1] > clock]
    return (*row, open_spans) if open_spans else "late"


def sessions_by_reach(members):
    """(session, its rows) of one order: from each row, whatever can be reached in steps of ten minutes."""
    found = {}
    for _, place, _ in members:
        reached = {place}
        while True:
            times = [when for when, other, _ in members if other in reached]
            more = {
                other for when, other, _ in members if any(abs(when - time) <= timedelta(minutes=10) for time in times)
            }
            if more == reached:
                break
            reached = more
        found[min(times), max(times) + timedelta(minutes=10)] = [each for each in members if each[1] in reached]
    return found


GROUPS = {
    "gold": ("planta", "linea"),
    "scada": ("planta", "sensor_id"),
    "scada_avro": ("planta", "sensor_id"),
    "temperature": ("planta", "sensor_id"),
    "kpis": ("planta", "estado"),
    "order_sessions": ("planta", "orden"),
}


def grouped(config, outcomes):
    """Rows by group and window."""
    groups, by_key = defaultdict(list), defaultdict(list)
    for place, what in sorted(outcomes.items()):
        if isinstance(what, str):
            continue
        row, when, spans = what
        key = tuple(row.get(column) for column in GROUPS[config])
        by_key[key].append((when, place, row))
        for span in spans or ():
            groups[(*key, *span)].append((when, place, row))
    if config == "order_sessions":
        return {
            (*key, *span): rows for key, members in by_key.items() for span, rows in sessions_by_reach(members).items()
        }
    return groups


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("rows", "seed"), [(37, 1), (240, 2), (1_300, 3)])
def test_an_answer_equals_the_second_reckoning(config, rows, seed):
    sheet = answer(CONFIGS[config], rows, seed, config)
    outcomes = reckoned(config, list(stream(CONFIGS[config], rows, seed).records()))

    def places(kind):
        return sorted(place for place, what in outcomes.items() if what == kind)

    assert [(each["partition"], each["offset"]) for each in sheet["late"]] == places("late")
    assert [(each["partition"], each["offset"]) for each in sheet["dead_letters"]] == places("dead")
    assert sum(sheet["filtered"].values()) == len(places("filtered"))
    groups = grouped(config, outcomes)
    assert len(groups) == len(sheet["windows"])
    for window in sheet["windows"]:
        key = (
            *(window[column] for column in GROUPS[config]),
            *(datetime.fromisoformat(window[edge]) for edge in ("window_start", "window_end")),
        )
        assert window["rows"] == len(groups[key])
        check_figures(config, window, groups[key])


def check_figures(config, window, members):
    def values(column):
        return [row[column] for _, _, row in members if row.get(column) is not None]

    latest = max(when for when, _, _ in members)
    if config == "gold":
        rates = values("tasa_produccion")
        assert window["total_unidades"] == sum(values("unidades_producidas"))
        assert window["tasa_promedio"] == exact_mean(rates)
        assert datetime.fromisoformat(window["ultimo_evento"]) == latest
    elif config in ("scada", "scada_avro"):
        readings = values("value")
        ordered = [row["value"] for _, _, row in sorted(members, key=lambda m: m[:2]) if row["value"] is not None]
        assert window["lecturas"] == len(readings)
        assert window["media"] == exact_mean(readings)
        assert (window["minimo"], window["maximo"]) == ((min(readings), max(readings)) if readings else (None, None))
        assert (window["primera"], window["ultima"]) == ((ordered[0], ordered[-1]) if readings else (None, None))
    elif config == "temperature":
        readings = values("value")
        assert (window["lecturas"], window["temperatura_media"]) == (len(readings), exact_mean(readings))
        assert (window["minima"], window["maxima"]) == ((min(readings), max(readings)) if readings else (None, None))
    elif config == "order_sessions":
        stations = [row["estacion"] for _, _, row in sorted(members, key=lambda m: m[:2])]
        energy = values("energia_kwh")
        assert (window["eventos"], window["piezas_total"]) == (len(members), sum(values("piezas")))
        assert window["energia_total"] == (float(sum(map(Fraction, energy))) if energy else None)
        assert (window["primera_estacion"], window["ultima_estacion"]) == (stations[0], stations[-1])
    else:
        assert window["cambios"] == len(members)
        assert window["cantidad_total"] == sum(values("cantidad"))
        assert window["costo_total"] == exact_total(values("costo"))
        assert datetime.fromisoformat(window["ultimo_cambio"]) == latest


def exact_total(amounts):
    """The stream writes the shortest digits that mean a float: those are the amount."""
    with localcontext(prec=60):
        return str(sum(Decimal(repr(amount)) for amount in amounts).quantize(Decimal("0.01"))) if amounts else None


def exact_mean(values):
    with localcontext(prec=2_000):
        return float(sum(map(Decimal, values)) / len(values)) if values else None


def test_an_answer_does_not_depend_on_how_partitions_are_interleaved():
    records = list(stream("production", 1_000, 4).records())
    one_after_the_other = sorted(records, key=lambda record: record.partition)

    assert production(records) == production(one_after_the_other)


def record(partition, minute, ahead=1, **fields):
    value = {
        "planta": "monterrey",
        "linea": "L1",
        "timestamp": MORNING_MS + minute * 60_000,
        "unidades_producidas": 1,
        **fields,
    }
    return "t", partition, MORNING_MS + (minute + ahead) * 60_000, None, json.dumps(value).encode()


MORNING_MS = 1_761_998_400_000  # 2025-11-01T12:00Z, 06:00 in Monterrey, the end of a T3


@pytest.mark.parametrize(
    ("log", "late"),
    [
        # 06:30 puts the clock at 06:00, the end of T3; a row of 05:59 is late
        ([(0, 30), (0, -1)], [(0, 1)]),
        # the clock does not fall when older rows follow
        ([(0, 30), (0, 1), (0, -1)], [(0, 2)]),
        # a row does not move the clock it is judged by, and another partition's clock says nothing
        ([(0, -1), (0, 30), (1, 45), (1, -1), (2, -1)], [(1, 1)]),
    ],
)
def test_lateness_is_judged_by_the_largest_event_time_at_smaller_offsets(log, late):
    assert judge([record(*each) for each in log], RULES).late == [(place, LAST_NIGHT) for place in late]


def test_rows_that_are_filtered_or_have_no_calendar_move_the_clock_and_refused_ones_do_not():
    def late_after(first):
        return len(judge([first, record(0, -1)], RULES).late)

    assert late_after(record(0, 30, unidades_producidas=-1)) == 1
    assert late_after(record(0, 30, planta="saltillo")) == 1
    assert late_after(record(0, 30, ahead=-6)) == 0
    assert late_after(record(0, 30, unidades_producidas="1")) == 0


NIGHT_START = datetime(2025, 11, 1, 4, tzinfo=UTC)
LAST_NIGHT = Span(NIGHT_START, NIGHT_START + timedelta(hours=8), (("shift", "T3"), ("production_day", "2025-10-31")))


# ---- civil time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", ZONE_NAMES)
def test_every_half_hour_of_a_fortnight_is_in_the_shift_the_zone_database_says(plant):
    start = datetime(2025, 10, 27, tzinfo=UTC)
    for step in range(14 * 48):
        when = start + timedelta(minutes=30 * step)
        found = civil.shift(plant, when)
        first, after, day, hour = shift_by_zone(plant, when)

        assert (found.start, found.end, found.production_day) == (first, after, day)
        assert found.name == {6: "T1", 14: "T2", 22: "T3"}[hour]


def test_the_production_day_of_the_change_has_25_hours_in_tijuana():
    day = civil.production_day("tijuana", datetime(2025, 11, 2, 9, 30, tzinfo=UTC))

    assert day.production_day == date(2025, 11, 1)
    assert day.end - day.start == timedelta(hours=25)


def test_a_plant_without_a_zone_has_no_shift():
    assert civil.shift("saltillo", datetime(2025, 11, 1, tzinfo=UTC)) is None
    assert civil.production_day(None, datetime(2025, 11, 1, tzinfo=UTC)) is None


def test_an_instant_outside_the_table_of_offsets_is_refused():
    with pytest.raises(ValueError, match="outside the table"):
        civil.shift("tijuana", datetime(2026, 3, 9, tzinfo=UTC))


# ---- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b"\xff", "utf8"),
        (b'{"n":1', "syntax"),
        (b'{"n":NaN}', "syntax"),
        (b'{"n":1}{"n":2}', "trailing_data"),
        (b'[{"n":1}]', "not_object"),
        (b"42", "not_object"),
        (b'{"n":"12"}', "type"),
        (b'{"n":1.5}', "type"),
        (b'{"n":true}', "type"),
        (b'{"x":"1.0"}', "type"),
        (b'{"s":1}', "type"),
        (b'{"n":9223372036854775808}', "overflow"),
        (b'{"m":"1.00"}', "type"),
        (b'{"m":true}', "type"),
        (b'{"m":1.005}', "scale"),
        (b'{"m":1000.00}', "overflow"),
        (b'{"m":-1000}', "overflow"),
    ],
)
def test_a_value_that_cannot_be_read_has_its_reason(value, reason):
    with pytest.raises(Refused) as refused:
        read(value, COLUMN)

    assert refused.value.reason == reason


def test_a_value_that_can_be_read_becomes_a_row_of_the_schemas_columns():
    row = read(b' {"n": 12.0, "x": 3, "timestamp": 1500, "other": [1], "m": 999.99}\n', COLUMN)

    assert row == {"timestamp": 1_500_000, "n": 12, "x": 3.0, "s": None, "m": Decimal("999.99")}
    assert isinstance(row["n"], int)
    assert isinstance(row["x"], float)
