"""What `explain` says of the tables of results: columns, folders, files of a day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.config.test_bad_configs import BASE, CALENDAR, WINDOW

from arrowflow.config import read
from arrowflow.config.explain import explain

TUMBLING = 'type = "tumbling"\nsize = "1h"'
FOLDERS = 'partition_by = ["plant", "date"]'
SLIDING = BASE.replace(TUMBLING, 'type = "sliding"\nsize = "90m"')


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(text):
    """What is explained of a file with this text: its parts by title, and the warnings."""
    Path("job.toml").write_text(text, encoding="utf-8")
    explained = explain(read("job.toml", {}), datetime(2026, 1, 1, tzinfo=UTC))
    return {**dict(explained.parts), "warnings": explained.warnings}


def by_utc(parts):
    return [line for line in parts["warnings"] if "UTC" in line]


def test_the_columns_of_a_result_are_told_with_their_types():
    parts = told(BASE.replace("sum(units)", "max(half)").replace("[window]", '[[transform]]\nderive = { half = "units * 0.5" }\n[window]'))  # fmt: skip

    assert parts["columns of a result"] == (
        "plant: string",
        "window_start: timestamp[us, tz=UTC]",
        "window_end: timestamp[us, tz=UTC]",
        "total: double",
        "and columns that begin with __af_, which say how the row came about",
    )


def test_what_the_dates_of_folders_are_is_told():
    plain, local = told(BASE), told(BASE.replace(WINDOW, CALENDAR))

    assert "  date of a folder: of window_start, in UTC" in plain["files per day"]
    assert by_utc(plain) == ["parquet: date of its folders go by UTC, for there is no calendar"]
    assert "  date of a folder: of window_start, in the local time of plant" in local["files per day"]
    assert by_utc(local) == []


def test_folders_of_sliding_windows_begin_before_their_row_unless_told_otherwise():
    plain, by_row = told(SLIDING), told(SLIDING.replace(FOLDERS, f'{FOLDERS}\ntime_column = "window_end"'))

    hint = (
        "parquet: date of its folders go by window_start, 1h30m before the row that a result is for; "
        'with time_column = "window_end" they go by the row itself'
    )
    assert hint in plain["warnings"]
    assert not any("time_column" in line for line in by_row["warnings"])
    assert "  date of a folder: of window_end, in UTC" in by_row["files per day"]


def test_a_column_called_date_is_not_taken_for_a_date_of_the_folders():
    parts = told(BASE.replace("plant", "date").replace(FOLDERS.replace("plant", "date"), 'partition_by = ["date"]'))

    assert parts["files per day"][0] == "parquet: at most about 24 × the number of different date (windows close 24 times a day)"  # fmt: skip
    assert not any("of a folder" in line for line in parts["files per day"])
    assert by_utc(parts) == []


def test_partitions_that_close_their_own_windows_multiply_the_files():
    parts = told(
        BASE.replace(FOLDERS, 'partition_by = ["date"]').replace('"30m"', '"30m"\nscope = "partition"')
    )  # fmt: skip

    assert parts["files per day"][0] == (
        "parquet: at most about 24 × the number of partitions, each of which closes its own windows (windows close 24 times a day)"
    )


@pytest.mark.parametrize(
    ("window", "late", "missed"),
    [
        (TUMBLING, "with the reason", "with the window it missed"),
        (
            'type = "hopping"\nsize = "1h"\nhop = "5m"',
            "with the reason, and so are rows that missed some of their windows: missed_windows",
            "with what it missed, from the start of the first window to the end of the last",
        ),
        ('type = "hopping"\nsize = "5m"\nhop = "1h"', "with the reason", "with the window it missed"),
        ('type = "session"\ngap = "10m"', "with the reason", "with the session it would have been alone"),
    ],
)
def test_what_the_late_table_holds_is_told(window, late, missed):
    text = BASE.replace(TUMBLING, window).replace('late = "drop"', 'late = "side"') + '[late]\npath = "lake/late"\n'

    parts = told(text)

    assert f"rows that come later are written to the late table {late}" in parts["windows"]
    assert f"late: each late row once, {missed}" in parts["guarantees"]
