"""What a file becomes: the same pipeline value that Python code would build."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.config.test_bad_configs import BASE, CALENDAR, WINDOW

from arrowflow.config import InvalidConfig, check, json_schema, load, read
from arrowflow.config.explain import explain
from arrowflow.config.memory import memory_limit
from arrowflow.pipeline import Emit, EventTime

CONFIGS = Path(__file__).parents[3] / "configs"
MINUTE_US = 60_000_000


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _load(text, env=None):
    Path("job.toml").write_text(text, encoding="utf-8")
    return load("job.toml", env or {})


def test_gold_is_shifts_per_plant_with_late_rows_and_dead_letters_beside(here):
    pipeline = load(CONFIGS / "gold.toml", {})

    assert pipeline.name == "gold_production"
    assert pipeline.labels == {"layer": "gold"}
    assert pipeline.event_time == EventTime(
        column="timestamp",
        max_out_of_orderness_us=30 * MINUTE_US,
        max_future_skew_us=5 * MINUTE_US,
        future_clock_reference="create",
        scope="partition",
    )
    assert pipeline.operator.late == "side"
    assert [(node.name, node.stream) for node in pipeline.sinks] == [
        ("parquet", "rows"),
        ("late", "late"),
        ("dead_letter", "dead"),
    ]
    assert pipeline.checkpoint.cadence_s == 300.0
    window = pipeline.operator.spec
    assert (window.window.key, window.window.unit, window.window.off) == ("planta", "shift", "window")
    assert [(one.name, one.function, one.column) for one in window.aggregates] == [
        ("total_unidades", "sum", "unidades_producidas"),
        ("tasa_promedio", "mean", "tasa_produccion"),
        ("ultimo_evento", "max", "timestamp"),
    ]
    assert pipeline.sinks[0].spec.civil.key == "planta"


def test_two_variables_move_gold_to_a_real_broker_and_another_lake(here):
    pipeline = load(CONFIGS / "gold.toml", {"ARROWFLOW_BROKERS": "b1:9092,b2:9092", "ARROWFLOW_LAKE": "/data/lake"})

    source = pipeline.source.spec
    assert (source.brokers, source.embedded) == ("b1:9092,b2:9092", None)
    assert pipeline.sinks[0].spec.root == "/data/lake/gold/production"
    assert pipeline.checkpoint.log.path == "/data/lake/_arrowflow/gold_production"


def test_the_embedded_broker_lives_in_the_lake_the_paths_share(here):
    embedded = load(CONFIGS / "gold.toml", {}).source.spec.embedded

    assert embedded.data_dir == str(here / "lake" / "_embedded" / "gold_production")
    assert embedded.lake == str(here / "lake")
    assert dict(embedded.sample.partitions) == {"silver.production.events": 3}


def test_embedded_needs_a_folder_that_all_paths_share(here):
    Path("job.toml").write_text(
        (CONFIGS / "raw.toml")
        .read_text(encoding="utf-8")
        .replace("${ARROWFLOW_LAKE:-./lake}/_arrowflow", "/elsewhere"),
        encoding="utf-8",
    )

    (problem,) = check("job.toml", {"ARROWFLOW_LAKE": "/data"})

    assert problem.key == "source.kafka.brokers"
    assert "share no folder" in problem.sentence


@pytest.mark.parametrize(
    ("edit", "key", "sentence"),
    [
        (('sample = "production"', 'sample = "productoin"'), "source.kafka.sample", 'did you mean "production"?'),
        (
            ('["silver.production.events"]', '["silver.production.event"]'),
            "source.kafka.topics[0]",
            "fills silver.production.events",
        ),
    ],
)
def test_embedded_has_only_what_its_sample_fills(here, edit, key, sentence):
    Path("job.toml").write_text((CONFIGS / "raw.toml").read_text(encoding="utf-8").replace(*edit), encoding="utf-8")

    (problem,) = check("job.toml", {})

    assert (problem.key, sentence in problem.sentence) == (key, True)
    assert check("job.toml", {"ARROWFLOW_BROKERS": "real:9092"}) == [], "a real broker may have any topic"


def test_raw_passes_rows_through_and_dates_them_by_the_record(here):
    pipeline = load(CONFIGS / "raw.toml", {})

    assert (pipeline.operator.name, pipeline.event_time, pipeline.transforms) == ("rows", None, ())
    assert pipeline.sinks[0].spec.time_column == "_timestamp"


def test_open_windows_may_take_half_of_the_memory_where_nobody_says_how_much(here):
    assert _load(BASE).operator.spec.max_state_bytes == memory_limit() // 2


def test_one_amount_of_memory_is_shared_out_and_a_share_may_be_said_by_itself(here):
    def limits(lines):
        pipeline = _load(BASE.replace("[checkpoint]", f"[limits]\n{lines}\n[checkpoint]"))
        own = pipeline.checkpoint
        return pipeline.operator.spec.max_state_bytes, own.max_epoch_bytes, own.max_slice_bytes

    mib = 1024**2
    assert limits('memory = "512MiB"') == (256 * mib, 16 * mib, 4 * mib)
    assert limits('memory = "512MiB"\nmax_state_bytes = "100MiB"') == (100 * mib, 16 * mib, 4 * mib)
    assert limits('memory = "512MiB"\nmax_epoch_bytes = "1MiB"') == (256 * mib, mib, mib), "an epoch is made of slices"
    assert limits('memory = "1024GiB"')[1:] == (128 * mib, 64 * mib), "more gains nothing"


def test_the_same_file_is_the_same_pipeline(here):
    assert _load(BASE) == _load(BASE)
    assert _load(BASE).query() == _load("# a comment\n" + BASE.replace(" = ", "=")).query()


def test_settings_reach_the_value_they_name(here):
    pipeline = _load(
        BASE.replace('"30m"', '"30m"\nidle_timeout = "2m"\nwhen_all_idle = "advance"')
        .replace("[checkpoint]", '[limits]\nmax_error_rate = 0.5\nerror_sample = 7\nmax_epoch_bytes = "2GiB"\nmax_state_bytes = "3GiB"\nmax_slice_rows = 9\nkeep_for = "3d"\nkeep_records = 50\n[checkpoint]\ncadence = "500ms"\nfull_every = 3')
        .replace('topics = ["events"]', 'topics = ["events"]\nstart = 2025-10-31T06:00:00Z\ngroup = "g"\nproperties = { "fetch.min.bytes" = 5, socket.keepalive.enable = true }')
        .replace('units = "int64"', 'units = { type = "int64", required = true, path = "meta.units" }')
    )  # fmt: skip

    assert (pipeline.event_time.idle_timeout_us, pipeline.event_time.when_all_idle) == (2 * MINUTE_US, "advance")
    assert (pipeline.source.max_error_rate, pipeline.source.error_sample) == (0.5, 7)
    assert (pipeline.checkpoint.max_epoch_bytes, pipeline.checkpoint.max_slice_rows) == (2 * 1024**3, 9)
    assert pipeline.operator.spec.max_state_bytes == 3 * 1024**3
    assert (pipeline.checkpoint.keep_for_s, pipeline.checkpoint.keep_records) == (3 * 86_400.0, 50)
    assert (_load(BASE).checkpoint.keep_for_s, _load(BASE).checkpoint.keep_records) == (7 * 86_400.0, 1000)
    assert (pipeline.checkpoint.cadence_s, pipeline.checkpoint.full_every) == (0.5, 3)
    kafka = pipeline.source.spec
    assert (kafka.start, kafka.group) == ("2025-10-31T06:00:00+00:00", "g")
    assert kafka.properties == {"fetch.min.bytes": "5", "socket.keepalive.enable": "true"}
    column = next(one for one in pipeline.source.decoder.fields if one.name == "units")
    assert (column.required, column.path) == (True, "meta.units")


def test_a_step_keeps_its_kind_order_and_reason(here):
    steps = (
        '[[transform]]\nfilter = "units > 0"\nreason = "idle"\n'
        '[[transform]]\nderive = { twice = "units * 2" }\n'
        '[[transform]]\nselect = ["plant", "at", "units"]\n[window]'
    )

    pipeline = _load(BASE.replace("[window]", steps))

    assert [type(step).__name__ for step in pipeline.transforms] == ["Filter", "Derive", "Select"]
    assert pipeline.transforms[0].name == "idle"


def test_a_derived_column_may_be_grouped_by_and_summed(here):
    steps = '[[transform]]\nderive = { twice = "units * 2" }\n[window]'

    pipeline = _load(BASE.replace("[window]", steps).replace("sum(units)", "sum(twice)"))

    assert pipeline.operator.spec.aggregates[0].column == "twice"


def test_a_calendar_may_have_holidays_and_later_plans(here):
    extra = 'holidays = { north = [2025-12-25] }\n[[calendars.plants.revisions]]\nvalid_from = 2026-01-01\nshifts = { D = "08:00-20:00" }\n'

    calendar = _load(BASE.replace(WINDOW, CALENDAR + extra)).operator.spec.window.calendar.calendar

    assert calendar.days_off("north") == {date(2025, 12, 25)}
    assert [plan.valid_from for plan in calendar.revisions] == [date(2026, 1, 1)]


def test_a_calendar_may_have_breaks_and_a_later_plan_its_own(here):
    extra = 'breaks = { T1 = ["10:00-10:30", "12:00-12:10"] }\n[[calendars.plants.revisions]]\nvalid_from = 2026-01-01\nshifts = { D = "08:00-20:00" }\nbreaks = { D = ["13:00-14:00"] }\n'

    window = _load(BASE.replace(WINDOW, CALENDAR + extra)).operator.spec.window

    assert window.calendar.calendar.breaks == {"T1": ("10:00-10:30", "12:00-12:10")}
    assert window.calendar.calendar.revisions[0].breaks == {"D": ("13:00-14:00",)}
    assert window.calendar.has_holes


@pytest.mark.parametrize(
    ("written", "unit", "week_starts"),
    [
        ('"week"', "week", "monday"),
        ('"week"\nweek_starts = "sunday"', "week", "sunday"),
        ('"month"', "month", "monday"),
    ],
)
def test_a_window_may_be_a_week_or_a_month(here, written, unit, week_starts):
    window = _load(BASE.replace(WINDOW, CALENDAR.replace('"shift"', written))).operator.spec.window

    assert (window.unit, window.calendar.unit, window.calendar.week_starts) == (unit, unit, week_starts)


def test_several_tables_may_take_the_results(here):
    second = '[sink.by_hour]\nkind = "parquet"\npath = "lake/hours"\npartition_by = ["hour"]\ncompression = "zstd"\n[checkpoint]'

    pipeline = _load(BASE.replace("[checkpoint]", second))

    assert [node.name for node in pipeline.sinks] == ["parquet", "by_hour"]


def test_late_rows_may_correct_closed_windows_and_open_ones_be_shown(here):
    text = BASE.replace('late = "drop"', 'late = "correct"\ncorrect_for = "2d"').replace(
        "[checkpoint]", '[emit]\nearly = "5m"\n[sink.open]\nkind = "preview"\npath = "lake/open"\n[checkpoint]'
    )

    pipeline = _load(text)

    assert pipeline.operator.late == "correct"
    assert pipeline.operator.spec.correct_for_us == 2 * 86_400_000_000
    assert pipeline.emit == Emit("on_close", 300_000_000)
    assert [(node.name, node.stream) for node in pipeline.sinks] == [("parquet", "rows"), ("open", "open")]


def test_what_is_beyond_correction_may_be_written_too(here):
    correct = BASE.replace('late = "drop"', 'late = "correct"\ncorrect_for = "2d"')

    pipeline = _load(correct.replace("[checkpoint]", '[late]\npath = "lake/late"\n[checkpoint]'))

    assert [node.stream for node in pipeline.sinks] == ["rows", "late"]


def test_paths_count_from_where_the_command_runs_and_know_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here / "home"))

    pipeline = _load(BASE.replace('"lake/table"', '"~/table"'))

    assert pipeline.sinks[0].spec.root == str(here / "home" / "table")
    assert pipeline.checkpoint.log.path == str(here / "lake" / "_arrowflow" / "job")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_two_names_of_one_folder_are_one_folder(here):
    (here / "lake").mkdir()
    (here / "alias").symlink_to(here / "lake")
    Path("job.toml").write_text(BASE.replace('"lake/_arrowflow/job"', '"alias/table/log"'), encoding="utf-8")

    assert any("is inside" in problem.sentence for problem in check("job.toml", {}))


def test_the_json_schema_knows_every_key_by_the_name_it_has_in_a_file():
    schema = json_schema()

    kafka = schema["$defs"]["KafkaSection"]
    assert {"brokers", "topics", "schema", "properties"} <= set(kafka["properties"])
    assert "columns" not in kafka["properties"]
    assert set(kafka["required"]) == {"brokers", "topics"}
    assert schema["$defs"]["WindowSection"]["properties"]["late"]["enum"] == ["drop", "side", "correct"]


def test_row_86_nothing_but_the_naming_of_unusual_shifts_depends_on_the_clock(here):
    sections = read(CONFIGS / "gold.toml", {})

    then, later = (explain(sections, datetime(year, 6, 1, tzinfo=UTC)) for year in (2025, 2030))

    different = [title for (title, a), (_, b) in zip(then.parts, later.parts, strict=True) if a != b]
    assert different == ["unusual shifts in the coming year"]
    assert dict(then.parts)["unusual shifts in the coming year"] == (
        "tijuana T3 of 2025-11-01: 9 h instead of 8 h",
        "tijuana T3 of 2026-03-07: 7 h instead of 8 h",
    )


VALUES = [
    "7",
    "-1",
    "nan",
    "true",
    '""',
    '"x"',
    "[]",
    "[7]",
    "{}",
    "{ env = 7 }",
    "2025-01-01",
    '"\\u0000"',
    '"${X}"',
    "[[[]]]",
    '"5m"',
]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_file_says_it_is_problems_or_a_pipeline_and_nothing_else(tmp_path_factory, data):
    lines = BASE.replace(WINDOW, CALENDAR).splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "value", "twice", "cut", "swap"]))
        if how == "drop":
            lines[at] = ""
        elif how == "value" and "=" in lines[at]:
            lines[at] = f"{lines[at].partition('=')[0]}= {data.draw(st.sampled_from(VALUES))}"
        elif how == "twice":
            lines.insert(at, lines[at])
        elif how == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, 40))]
        else:
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    file = tmp_path_factory.mktemp("fuzz") / "job.toml"
    file.write_text("\n".join(lines), encoding="utf-8")

    problems = check(file, {})

    assert all(
        problem.place.line >= 1 and problem.place.column >= 1 and "\n" not in str(problem) for problem in problems
    )
    if not problems:
        load(file, {})
    else:
        with pytest.raises(InvalidConfig):
            load(file, {})
