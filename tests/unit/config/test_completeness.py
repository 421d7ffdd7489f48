"""The section [completeness]: rosters from lists and files, and every mistake at its place.

The sign ⌖ in a case stands before the character the problem must be placed at; it is taken out of the file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.config.test_bad_configs import BASE, CALENDAR, WINDOW, _write

from arrowflow.config import InvalidConfig, check, json_schema, load, read
from arrowflow.config.explain import explain

TWO = BASE.replace('units = "int64"', 'units = "int64"\nsensor = "int64"').replace('["plant"]', '["plant", "sensor"]')
LISTED = 'roster = ["north", "south"]\n'


def completed(text, section):
    return text.replace("[sink.parquet]", f"[completeness]\n{section}\n[sink.parquet]", 1)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def spec_of(tmp_path, text):
    file, _ = _write(tmp_path, text)
    assert check(file, {}) == []
    return load(file, {}).operator.spec


def keys_of(spec):
    columns = spec.plan(
        pa.schema([("plant", pa.string()), ("sensor", pa.int64()), ("units", pa.int64())])
    ).roster.columns
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def test_keys_of_one_column_are_a_list(tmp_path):
    spec = spec_of(tmp_path, completed(BASE, LISTED + 'max_silence = "2d"'))

    assert keys_of(spec) == [("north",), ("south",)]
    assert (spec.roster.per, spec.roster.max_silence_us) == (None, 2 * 86_400_000_000)


def test_keys_of_several_columns_are_tables(tmp_path):
    rows = '[{ sensor = 2, plant = "north" }, { plant = "south", sensor = 1 }]'

    spec = spec_of(tmp_path, completed(TWO, f'roster = {rows}\nper = ["plant"]'))

    assert keys_of(spec) == [("north", 2), ("south", 1)]
    assert spec.roster.per == ("plant",)


@pytest.mark.parametrize(
    "text",
    [
        "sensor,plant\n2,north\n1,south\n",
        '\ufeffsensor,plant\r\n2,"north"\r\n\r\n1,south\r\n',
        'sensor,"plant"\n002,north\n1,south',
    ],
)
def test_a_file_of_commas_is_read_as_text_and_then_as_the_columns_are(tmp_path, text):
    Path("sensors.csv").write_text(text, encoding="utf-8")

    assert keys_of(spec_of(tmp_path, completed(TWO, 'roster = "sensors.csv"'))) == [("north", 2), ("south", 1)]


def test_text_in_a_file_of_commas_stays_what_it_is(tmp_path):
    Path("plants.csv").write_text('plant\n007\n"a, b"\n', encoding="utf-8")

    assert keys_of(spec_of(tmp_path, completed(BASE, 'roster = "plants.csv"'))) == [("007",), ("a, b",)]


def test_a_parquet_file_is_a_roster_and_may_hold_null(tmp_path):
    pq.write_table(pa.table({"plant": ["north", None], "sensor": [2, 1]}), "sensors.parquet")

    assert keys_of(spec_of(tmp_path, completed(TWO, 'roster = "./sensors.parquet"'))) == [("north", 2), (None, 1)]


def test_a_calendar_counts_per_plant_and_the_plan_is_explained(tmp_path):
    file, _ = _write(tmp_path, completed(BASE.replace(WINDOW, CALENDAR), 'roster = ["north"]'))

    assert check(file, {}) == []
    assert load(file, {}).operator.spec.output_schema(load(file, {}).source.decoder.build().schema).names[-5:] == [
        "status", "reported", "expected", "missing", "__af_closed_by",
    ]  # fmt: skip
    told = dict(explain(read(file, {}), datetime(2026, 1, 1, tzinfo=UTC)).parts)["windows"]
    assert "1 keys are expected in every window: a silent one has a row marked no_data, without values" in told
    assert any("for 366 days" in line for line in told)


def test_explain_says_who_is_expected_and_how_long(tmp_path):
    Path("s.csv").write_text("plant,sensor\nnorth,1\nsouth,2\n", encoding="utf-8")
    file, _ = _write(tmp_path, completed(TWO, 'roster = "s.csv"\nper = ["plant"]\nmax_silence = "3h"'))

    windows = dict(explain(read(file, {}), datetime(2026, 1, 1, tzinfo=UTC)).parts)["windows"]

    assert (
        "2 keys listed in s.csv are expected in every window, counted per plant: a silent one has a row marked no_data, without values"
        in windows
    )
    assert any("windows go on to have such rows for 3h" in line for line in windows)


def test_rows_can_be_put_into_folders_by_what_became_of_them(tmp_path):
    assert (
        spec_of(tmp_path, completed(BASE.replace('["plant", "date"]', '["status", "date"]'), LISTED)).roster is not None
    )


MISTAKES = [
    ("no roster", BASE, 'per = ["plant"]', "completeness.roster", "is missing: The keys: a CSV or Parquet file"),
    ("a number", BASE, "roster = ⌖7", "completeness.roster", "is no roster: write the name of a file"),
    ("fractions", BASE, "roster = ⌖[1.5]", "completeness.roster", "is no roster"),
    ("nothing", BASE, "roster = ⌖[]", "completeness.roster", "it has no keys"),
    ("no name", BASE, 'roster = ⌖""', "completeness.roster", "is no roster"),
    ("another key", BASE, LISTED + "⌖pre = []", "completeness.pre", 'did you mean "per"?'),
    ("no such file", BASE, 'roster = ⌖"none.csv"', "completeness.roster", "there is no file"),
    ("a folder", BASE, 'roster = ⌖"folder.csv"', "completeness.roster", "cannot be read"),
    ("another kind of file", BASE, 'roster = ⌖"keys.xlsx"', "completeness.roster", "neither a .csv nor a .parquet file"),
    ("no parquet", BASE, 'roster = ⌖"bad.parquet"', "completeness.roster", "cannot be read"),
    ("no text", BASE, 'roster = ⌖"latin.csv"', "completeness.roster", "cannot be read"),
    ("an empty file", BASE, 'roster = ⌖"empty.csv"', "completeness.roster", "it has no keys"),
    ("a head and nothing else", BASE, 'roster = ⌖"head.csv"', "completeness.roster", "it has no keys"),
    ("a line too short", BASE, 'roster = ⌖"short.csv"', "completeness.roster", "line 3 of"),
    ("a quote left open", BASE, 'roster = ⌖"open.csv"', "completeness.roster", "cannot be read"),
    ("another column", BASE, 'roster = ⌖"other.csv"', "completeness.roster", "its column 'planta' is no group key"),
    ("the same key twice", BASE, 'roster = ⌖["north", "north"]', "completeness.roster", "plant = 'north' is there twice"),
    ("of the wrong type", BASE, "roster = ⌖[1, 2]", "completeness.roster", "column 'plant' is int64, and the rows' is string"),
    ("of two types", BASE, 'roster = ⌖["a", 1]', "completeness.roster", "of several types, int and str"),
    ("beyond integers", TWO, 'roster = ⌖[{ plant = "a", sensor = 99999999999999999999 }]', "completeness.roster", "cannot be a column"),
    ("a list for two columns", TWO, LISTED.replace("= ", "= ⌖"), "completeness.roster", "list tables such as { plant = …, sensor = … }"),
    ("tables that lack a column", TWO, 'roster = ⌖[{ plant = "a" }]', "completeness.roster", "entry 1 has plant; each has plant, sensor"),
    ("per nothing there is", TWO, 'roster = [{ plant = "a", sensor = 1 }]\nper = ⌖["plnt"]', "completeness.per", "per names 'plnt', which is no group key"),
    ("per twice", TWO, 'roster = [{ plant = "a", sensor = 1 }]\nper = ["plant", ⌖"plant"]', "completeness.per[1]", "is there twice"),
    ("too long a silence", BASE, LISTED + 'max_silence = ⌖"90000000d"', "completeness.max_silence", "longer than 400 years"),
    ("too many rows at once", BASE.replace('"1h"', '"1ms"'), LISTED + 'max_silence = ⌖"1d"', "completeness.max_silence", "set max_silence to at most 2h46m40s"),
    ("a key that is no folder", BASE, 'roster = ⌖["north", ""]', "completeness.roster", "key 2 cannot be in a folder of [sink.parquet]: plant is empty"),
    ("a session", BASE.replace('type = "tumbling"\nsize = "1h"', 'type = "session"\ngap = "1h"'), None, "completeness", "a session window is there only where its key has rows"),
    ("one partition's own", BASE.replace('"30m"', '"30m"\nscope = ⌖"partition"'), LISTED, "event_time.scope", 'with [completeness] it is "pipeline"'),
    ("corrections", BASE.replace('late = "drop"', 'late = ⌖"correct"\ncorrect_for = "1d"'), LISTED, "window.late", 'use "side" or "drop"'),
    ("an aggregate of a name that is taken", BASE.replace("total =", "⌖expected ="), LISTED, "aggregate.expected", "is a column that [completeness] adds"),
    ("a group of a name that is taken", BASE.replace('plant = "string"', 'status = "string"').replace('["plant"]', '[⌖"status"]').replace('["plant", "date"]', '["date"]'), LISTED, "window.group_by[0]", "derive another name"),
    ("folders of lists", BASE.replace('["plant", "date"]', '⌖["missing"]'), LISTED, "sink.parquet.partition_by", "missing"),
    ("a plant without a calendar", BASE.replace(WINDOW, CALENDAR), LISTED.replace("= ", "= ⌖"), "completeness.roster", "plant = 'south' has no calendar"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "section", "key", "sentence"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_every_mistake_is_told_at_its_place_with_what_to_do(tmp_path, text, section, key, sentence):
    Path("folder.csv").mkdir()
    for name, content in {
        "bad.parquet": b"PAR1", "latin.csv": "plant\nse\u00f1al\n".encode("latin-1"), "empty.csv": b"", "head.csv": b"plant\n",
        "short.csv": b"plant,x\na,b\na\n", "open.csv": b'plant\n"a\n', "other.csv": b"planta\na\n",
    }.items():  # fmt: skip
        Path(name).write_bytes(content)
    text = (
        text.replace("[sink.parquet]", f"[⌖completeness]\n{LISTED}[sink.parquet]")
        if section is None
        else completed(text, section)
    )
    file, place = _write(tmp_path, text)

    problems = check(file, {})

    told = [problem for problem in problems if problem.key == key and sentence in problem.sentence]
    assert told, "\n".join(map(str, problems)) or "nothing was found"
    if place is not None:
        assert f"{told[0].place.line}:{told[0].place.column}" == place
    assert len(problems) == 1, "one mistake is told once"
    with pytest.raises(InvalidConfig):
        load(file, {})


def test_a_roster_without_windows_is_told(tmp_path):
    text = BASE.replace(WINDOW, "").replace("[window]\n", "").replace('[aggregate]\ntotal = "sum(units)"\n', "")
    file, place = _write(tmp_path, text.replace("[sink.parquet]", f"[⌖completeness]\n{LISTED}[sink.parquet]"))

    told = [problem for problem in check(file, {}) if problem.key == "completeness"]

    assert [problem.sentence for problem in told] == [
        "is about the keys of windows, and there is no [window]: remove it"
    ]
    assert f"{told[0].place.line}:{told[0].place.column}" == place


def test_an_editor_completes_the_section():
    section = json_schema()["$defs"]["CompletenessSection"]

    assert set(section["properties"]) == {"roster", "per", "max_silence"}
    assert section["required"] == ["roster"]
