"""What `explain` says of each kind of window is what the window core does."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from tests.oracles import windows as oracle

from arrowflow.config.meaning import closing, held, lateness, meaning, stride_us
from arrowflow.config.settings import WindowSection

MINUTE = 60_000_000
ROW_US = int(dt.datetime(2025, 10, 31, 10, 7, tzinfo=dt.UTC).timestamp()) * 1_000_000


def section(**keys):
    return WindowSection.model_validate({"late": "drop", "group_by": ["plant"], **keys})


def told(wait_us=5 * MINUTE, **keys):
    window = section(**keys)
    rules = [closing(window, wait_us), *filter(None, [lateness(window, wait_us)])]
    return [*meaning(window, wait_us), *rules, *held(window, wait_us)]


def test_hopping_windows_are_told_with_their_number_panes_and_price():
    assert told(type="hopping", size="30m", hop="5m") == [
        "30m long, one every 5m, from Unix time zero (UTC) plus 0s, per plant",
        "each row is in 6 windows and folded once: 6 panes of 5m are added up for each window, so there are 6 times as "
        "many results as with windows back to back",
        "for example, a row at 2025-10-31 10:07 UTC is in the windows from [09:40, 10:10) to [10:05, 10:35)",
        "  the first one appears once event time has reached 10:15, the last one 10:40",
        "a result appears once event time is 5m past the window's end",
        "a row that is too late for some of its windows is folded into the others; those it missed are counted apart",
        "one row per group and pane of 5m that has rows: at most about 8 per group",
    ]


def test_row_42_a_hop_that_does_not_divide_the_size_and_one_longer_than_it_are_told():
    short, long = told(type="hopping", size="7m", hop="5m"), told(type="hopping", size="10m", hop="15m")

    assert short[1].startswith("each row is in 1 or 2 windows and folded once: 7 panes of 1m are added up")
    assert long[1] == "between two windows are 5m: rows there are counted as filtered: no_window"


@pytest.mark.parametrize(
    ("size", "hop", "origin"), [(30, 5, 0), (7, 5, 0), (10, 15, 0), (10, 15, 3), (11, 60, 0), (5, 5, 2)]
)
def test_the_example_of_a_hopping_window_is_the_oracles(size, hop, origin):
    lines = told(type="hopping", size=f"{size}m", hop=f"{hop}m", origin=f"{origin}m")
    windows = oracle.hopping(ROW_US, size * MINUTE, hop * MINUTE, origin * MINUTE)

    example = next(line for line in lines if line.startswith("for example"))
    if not windows:
        assert "is in no window; the next begins at 11:00" in example
        return
    spans = [f"[{clock(window.start)}, {clock(window.end)})" for window in (windows[0], windows[-1])]
    assert re.findall(r"\[.*?\)", example) == list(dict.fromkeys(spans))


def clock(us):
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)).strftime("%H:%M")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"type": "tumbling", "size": "30m", "origin": "10m"}, "UTC is in [09:40, 10:10)"),
        ({"type": "cumulative", "size": "1d", "step": "1h"}, "is in the windows from [00:00, 11:00) to [00:00, 2025-11-01 00:00)"),
        ({"type": "cumulative", "size": "1d", "step": "1h"}, "each row is in up to 24 windows and folded once"),
        ({"type": "sliding", "size": "10m"}, "sees (09:57, 10:07]: a row exactly 10m older is not in it,"),
        ({"type": "sliding", "size": "10m", "closed": "both"}, "sees [09:57, 10:07]: a row exactly 10m older is in it too,"),
        ({"type": "sliding", "size": "10m"}, "one result row for each row that is read"),
        ({"type": "sliding", "size": "10m"}, "one row per group and different event time of the last 15m"),
        ({"type": "sliding", "size": "10m"}, "a result appears once event time is more than 5m past its row"),
        ({"type": "session", "gap": "10m"}, "alone is [10:07, 10:17); a row at exactly 10:17 still joins"),
        ({"type": "session", "gap": "10m"}, "it is over once event time is later than 10:22"),
        ({"type": "session", "gap": "10m"}, "once event time is more than 15m past its last row"),
        ({"type": "session", "gap": "10m"}, "is already more than 5m past it"),
        ({"type": "session", "gap": "10m"}, "one row per group and session that is not over"),
        ({"type": "session", "gap": "10m", "max_length": "8h"}, "at or after 18:07 would begin the next session"),
        ({"type": "session", "gap": "10m", "max_length": "8h"}, "one row per group and different event time of the sessions that are not over"),
    ],
)  # fmt: skip
def test_what_a_kind_means_and_costs_is_told(keys, sentence):
    assert sentence in "\n".join(told(**keys))


def test_windows_close_as_often_as_they_end():
    assert stride_us(section(type="hopping", size="30m", hop="5m")) == 5 * MINUTE
    assert stride_us(section(type="cumulative", size="1h", step="20m")) == 20 * MINUTE
    assert stride_us(section(type="tumbling", size="1h")) == 60 * MINUTE
    assert stride_us(section(type="session", gap="1h")) < MINUTE
