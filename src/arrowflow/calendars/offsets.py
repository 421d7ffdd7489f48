"""A zone as arrays: since when which UTC offset holds. Never adds a day's length to an instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from arrowflow.types import I64

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
FIRST_US = -62_135_596_800 * SECOND_US
"""0001-01-01T00:00:00Z: times before it are taken as this one."""
LAST_US = 253_402_300_800 * SECOND_US - 1
"""The last microsecond of the year 9999 UTC: times after it are taken as this one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN_US = 3 * DAY_US  # more than the largest offset and the largest skip (24 h) together
_YEARS_KEPT = 512


@dataclass(frozen=True, slots=True)
class ZoneOffsets:
    """The UTC offsets of one zone.

    Parameters
    ----------
    zone : ZoneInfo
        What the arrays are taken from.
    at_us, offset_us : int64[k]
        ``offset_us[i]`` (local minus UTC) holds in ``[at_us[i], at_us[i + 1])``; the first is far in the past.
    ruled : bool
        Whether a yearly rule goes on after the last listed transition. Its years are computed when asked for.
    """

    zone: ZoneInfo
    at_us: I64
    offset_us: I64
    ruled: bool
    _rule_years: dict[int, tuple[I64, I64]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, zone: ZoneInfo, transition_us: I64, *, ruled: bool) -> ZoneOffsets:
        """Ask `zone` for the offset from each listed transition on."""
        at = np.concatenate([np.array([FIRST_US - _MARGIN_US], np.int64), transition_us])
        first = _offset_us(zone, int(at[1]) - SECOND_US if len(at) > 1 else 0)
        offset = [first, *(_offset_us(zone, int(instant)) for instant in transition_us)]
        return cls(zone, at, np.array(offset, np.int64), ruled)

    def at(self, us: I64) -> I64:
        """Return the offset (int64[n], microseconds) at each instant."""
        us = np.clip(us, FIRST_US, LAST_US)
        at, offset = [self.at_us], [self.offset_us]
        if self.ruled:
            for year in np.unique(_year(us[us >= self.at_us[-1]])):  # ascending, so the periods are too
                rule = self._rule_year(int(year))
                at.append(rule[0])
                offset.append(rule[1])
        found: I64 = np.concatenate(offset)[np.searchsorted(np.concatenate(at), us, side="right") - 1]
        return found

    def instant(self, civil_us: I64) -> I64:
        """Return the first instant whose local time is at or after each civil time.

        Parameters
        ----------
        civil_us : int64[n]
            Civil times, as microseconds since 1970-01-01T00:00 on the same wall clock.

        Returns
        -------
        int64[n]
            A civil time that is skipped gives the first instant after the gap, one that comes twice the first
            of the two. Never falls where `civil_us` does not.

        Notes
        -----
        In period i local time rises from ``at[i] + offset[i]`` up to, not including, ``at[i+1] + offset[i]``.
        The answer is in the first period whose upper end is above the civil time; a running maximum of the upper
        ends lets a binary search find it. Oracle: ``tests/oracles/calendars.py::first_instant``.
        """
        if not len(civil_us):
            return civil_us
        at, offset = self.steps(int(civil_us.min()) - _MARGIN_US, int(civil_us.max()) + _MARGIN_US)
        upper = np.maximum.accumulate(at[1:] + offset[:-1])
        period = np.searchsorted(upper, civil_us, side="right")
        instant: I64 = np.maximum(at[period], civil_us - offset[period])
        return instant

    def steps(self, from_us: int, to_us: int) -> tuple[I64, I64]:
        """Return ``(at_us, offset_us)`` whose periods cover ``[from_us, to_us)``; the last one is open-ended."""
        low = max(int(np.searchsorted(self.at_us, from_us, side="right")) - 1, 0)
        high = max(low + 1, int(np.searchsorted(self.at_us, to_us, side="left")))  # before the first year there is one
        at, offset = [self.at_us[low:high]], [self.offset_us[low:high]]
        if self.ruled and to_us > self.at_us[-1]:
            edges = np.clip(np.array([max(from_us, self.at_us[-1]), to_us]), FIRST_US, LAST_US)
            first, last = (int(year) for year in _year(edges))
            rule = [self._rule_year(year) for year in range(first, last + 1)]
            if from_us >= self.at_us[-1]:
                at, offset = [], []
            at, offset = [*at, *(a for a, _ in rule)], [*offset, *(o for _, o in rule)]
        return np.concatenate(at), np.concatenate(offset)

    def _rule_year(self, year: int) -> tuple[I64, I64]:
        """Return the periods of one UTC year after the last listed transition; the first starts with the year."""
        if year not in self._rule_years:
            for old in list(self._rule_years)[: -_YEARS_KEPT + 1]:
                self._rule_years.pop(old, None)
            self._rule_years[year] = self._find_rule_year(year)
        return self._rule_years[year]

    def _find_rule_year(self, year: int) -> tuple[I64, I64]:
        start = max(_year_start(year), int(self.at_us[-1]))
        stop = min(_year_start(year + 1), LAST_US - DAY_US)
        at, offset = [start], [_offset_us(self.zone, start)]
        # A yearly rule (RFC 8536, section 3.3) changes the clock twice a year, months apart: a look a week finds both.
        weeks = [*range(start, stop, 7 * DAY_US), stop] if start < stop else []
        for before, instant in pairwise(weeks):
            here = _offset_us(self.zone, instant)
            if here != offset[-1]:
                at.append(_bisect(self.zone, before, instant, offset[-1]))
                offset.append(here)
        return np.array(at, np.int64), np.array(offset, np.int64)


def _offset_us(zone: ZoneInfo, us: int) -> int:
    here = (_EPOCH + timedelta(microseconds=us)).astimezone(zone).utcoffset()
    assert here is not None
    return here // timedelta(microseconds=1)


def _bisect(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """Return the first second in ``(before, after]`` whose offset is not `offset`, that at `before`."""
    low, high = before // SECOND_US, after // SECOND_US
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(zone, middle * SECOND_US) == offset:
            low = middle
        else:
            high = middle
    return high * SECOND_US


def _year(us: I64) -> I64:
    return us.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970


def _year_start(year: int) -> int:
    return int(np.datetime64(year - 1970, "Y").astype("datetime64[us]").astype(np.int64))
