"""Windows alone, on generated rows: each kind's answer is held against one that polars computes from all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from arrowflow.api.windows import Shifts
from arrowflow.bench.results import Line
from arrowflow.bench.rounds import in_turn
from arrowflow.bench.rows import MINUTE_US, PLANTS, batches_of, fed, generated
from arrowflow.calendars import PlantCalendar
from arrowflow.errors import ArrowflowError
from arrowflow.windows.plan import WindowKind
from arrowflow.windows.spec import Aggregate, Hopping, Session, Sliding, Tumbling, WindowSpec

KINDS = ("tumbling", "hopping", "session", "calendar", "sliding")
_GAP_US = 10_000_000
_ROWS_AN_HOUR = 625_000
_KEYS, _ROWS_A_KEY = 5_000, 80
_ZONE = "America/Mexico_City"
_SHIFTS = {"T1": "06:00-14:00", "T2": "14:00-22:00", "T3": "22:00-06:00"}
_ANSWER = ["plant", "key", "window_start", "n", "total"]


def spec_of(kind: str) -> WindowSpec:
    """A count and one float sum per key in windows of a kind."""
    aggregates = (Aggregate("n", "count", None), Aggregate("total", "sum", "value"))
    return WindowSpec(_window(kind), ("plant", "key"), aggregates)


def _window(kind: str) -> WindowKind:
    match kind:
        case "tumbling":
            return Tumbling(30 * MINUTE_US)
        case "hopping":
            return Hopping(30 * MINUTE_US, 5 * MINUTE_US)
        case "session":
            return Session(_GAP_US)
        case "calendar":
            return Shifts(PlantCalendar("plant", dict.fromkeys(PLANTS, _ZONE), _SHIFTS))
        case _:
            return Sliding(10 * MINUTE_US)


def rows_of(kind: str, rows: int, keys: int, **how: float) -> pa.Table:
    """Rows that suit a kind: sessions want keys that talk now and then."""
    return generated(rows, keys, burst=8 if kind == "session" else 1, **how)  # type: ignore[arg-type]


def as_polars(table: pa.Table) -> pl.DataFrame:
    """The rows as polars holds them, times as times."""
    return pl.DataFrame(pl.from_arrow(table)).with_columns(t=pl.col("event_us").cast(pl.Datetime("us", "UTC")))


def polars_answer(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The same question put to polars: `plant`, `key`, `window_start`, `n`, `total`."""
    answer = [pl.len().cast(pl.Int64).alias("n"), pl.col("value").sum().alias("total")]
    match kind:
        case "tumbling":
            found = frame.group_by("plant", "key", window_start=pl.col("t").dt.truncate("30m")).agg(answer)
        case "hopping":
            pane = pl.col("t").dt.truncate("5m")
            steps = [frame.with_columns(window_start=pane - pl.duration(minutes=5 * step)) for step in range(6)]
            found = pl.concat(steps).group_by("plant", "key", "window_start").agg(answer)
        case "session":
            ordered = frame.sort("plant", "key", "t")
            edge = (pl.col("event_us").diff() > _GAP_US).fill_null(value=True).over("plant", "key")
            numbered = ordered.with_columns(session=edge.cast(pl.Int64).cum_sum())
            number = pl.col("session") + pl.struct("plant", "key").rle_id() * len(frame)
            grouped = numbered.with_columns(session=number).group_by("plant", "key", "session")
            found = grouped.agg(pl.col("t").min().alias("window_start"), *answer)
        case "calendar":
            local = pl.col("t").dt.convert_time_zone(_ZONE)
            shift = local.dt.offset_by("-6h").dt.truncate("8h").dt.offset_by("6h")
            found = frame.group_by("plant", "key", window_start=shift.dt.convert_time_zone("UTC")).agg(answer)
        case _:
            rolled = frame.sort("key", "t").rolling("t", period="10m", group_by=["plant", "key"]).agg(answer)
            found = rolled.with_columns(window_start=pl.col("t").dt.offset_by("-10m"))
    return found.select(_ANSWER)


def _polars(kind: str, frame: pl.DataFrame) -> pa.Table:
    return polars_answer(kind, frame).to_arrow()


def difference(mine: pa.Table, other: pl.DataFrame) -> str | None:
    """What differs between two answers: nothing, or one sentence; sums may differ as far as an order of adding may."""
    left, right = _in_order(pl.DataFrame(pl.from_arrow(mine)).select(_ANSWER)), _in_order(other)
    exact = _ANSWER[:-1]
    if not left.select(exact).equals(right.select(exact)):
        return f"{len(left)} windows and {len(right)}, which are not the same keys, starts and counts"
    if not np.allclose(left["total"].to_numpy(), right["total"].to_numpy(), rtol=1e-9, atol=1e-9):
        return "sums that differ"
    return None


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in one form, and in an order that costs less than that of their texts."""
    plain = frame.with_columns(
        pl.col("plant", "key").cast(pl.String), pl.col("window_start").cast(pl.Datetime("us", "UTC"))
    )
    place = plain.select(_ANSWER[:-1]).hash_rows(seed=1)
    return plain.with_columns(place.alias("place")).sort("place", "total").drop("place")


def measure(
    rows: int, runs: int, kinds: Iterable[str] = KINDS, *, keys: int | None = None, baseline: bool = True, **how: float
) -> list[Line]:
    """Time windows of each kind; tumbling ones beside polars' ``group_by``, which is told all rows at once.

    Parameters
    ----------
    rows, runs : int
        Size of the stream, and how often each is timed.
    kinds : iterable of str
        Which of `KINDS`.
    keys : int, optional
        Different keys; by default 5,000, or one for each eighty rows where that is less.
    baseline : bool
        Whether polars is timed too where it has the kind in this form.
    **how
        For `generated`.

    Raises
    ------
    ArrowflowError
        If an answer is not that of polars.
    """
    lines: list[Line] = []
    how.setdefault("hours", max(2.0, rows / _ROWS_AN_HOUR))
    keys = max(1, min(_KEYS, rows // _ROWS_A_KEY)) if keys is None else keys
    for kind in kinds:
        table = rows_of(kind, rows, keys, **how)
        frame, batches = as_polars(table), batches_of(table)
        spec = spec_of(kind)
        works: dict[str, Callable[[], pa.Table]] = {kind: partial(fed, spec, batches)}
        if kind == "tumbling" and baseline:
            works["polars group_by, all rows at once"] = partial(_polars, kind, frame)
        lines += _lines(works, kind, frame, rows, runs)
    return lines


def _lines(
    works: Mapping[str, Callable[[], pa.Table]], kind: str, frame: pl.DataFrame, rows: int, runs: int
) -> list[Line]:
    found = in_turn(works, runs)
    right = polars_answer(kind, frame)
    for name, timed in found.items():
        if wrong := difference(timed.answer, right):
            raise ArrowflowError(f"{name}: beside polars' answer there are {wrong}")
    told = f"{len(right):,} result rows equal to polars'"
    return [Line("windows", name, rows, tuple(timed.wall_s), tuple(timed.cpu_s), told) for name, timed in found.items()]
