"""What every `Calendar` must keep: each instant in exactly one window, whoever asks and for however much."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np

from arrowflow.protocols import Calendar, CalendarTable

DAY_US = 86_400_000_000


class CalendarConformance:
    """Subclass it with `calendar`, `keys` and `span_us`."""

    asks = 60

    def calendar(self) -> Calendar:
        """Return the calendar under test, a new one with the same rules at every call."""
        raise NotImplementedError

    def keys(self) -> Sequence[str]:
        """Return key values that have windows."""
        raise NotImplementedError

    def unknown(self) -> Sequence[str | None]:
        """Return key values that have none."""
        return (None, "", "no such key")

    def span_us(self) -> tuple[int, int]:
        """Return the time to ask about: a few months, changes of clocks and rules among them."""
        raise NotImplementedError

    def asked(self) -> list[tuple[str, int, int]]:
        """Key values and ranges from dice, from one microsecond to forty days, and around every boundary they meet."""
        dice = random.Random(7)  # noqa: S311 - dice, not a secret
        low, high = self.span_us()
        ranges = []
        for _ in range(self.asks):
            from_us = dice.randrange(low, high)
            ranges.append(
                (dice.choice(self.keys()), from_us, from_us + dice.choice([1, DAY_US, dice.randrange(1, 40 * DAY_US)]))
            )
        calendar = self.calendar()
        for key, from_us, to_us in ranges[:10]:
            edge = int(self.table(key, from_us, to_us, calendar).start_us[-1])
            ranges += [(key, edge - 1, edge), (key, edge - 1, edge + 1), (key, edge, edge + 1)]
        return ranges

    def table(self, key: str, from_us: int, to_us: int, calendar: Calendar | None = None) -> CalendarTable:
        """The answer for a key value that has windows."""
        table = (calendar or self.calendar()).table(key, from_us, to_us)
        assert table is not None, f"{key!r} has no calendar"
        return table

    def test_boundaries_ascend_and_cover_what_was_asked(self) -> None:
        calendar = self.calendar()
        for key, from_us, to_us in self.asked():
            table = self.table(key, from_us, to_us, calendar)
            windows = len(table.label)

            assert len(table.start_us) == windows + 1 == len(table.production_day) + 1
            assert [str(each.dtype) for each in (table.start_us, table.label, table.production_day)] == [
                "int64",
                "int32",
                "int32",
            ]
            assert (np.diff(table.start_us) > 0).all()
            assert table.start_us[0] <= from_us
            assert table.start_us[-1] >= to_us

    def test_labels_have_names_and_days_never_go_back(self) -> None:
        calendar = self.calendar()
        assert len(set(calendar.labels)) == len(calendar.labels)
        for key, from_us, to_us in self.asked():
            table = self.table(key, from_us, to_us, calendar)

            opens, _closes = table.windows()
            assert ((table.label >= 0) & (table.label < len(calendar.labels))).all()
            assert (np.diff(table.production_day[np.argsort(opens, kind="stable")]) >= 0).all()
            assert (np.abs(table.production_day - opens // DAY_US) <= 4).all()

    def test_holes_are_off_and_tables_tell_the_windows_around_them(self) -> None:
        """Intervals with the same bounds and name are one window, whatever lies between them is off."""
        calendar = self.calendar()
        off = calendar.labels.index("off") if "off" in calendar.labels else -1
        for key, from_us, to_us in self.asked():
            table = self.table(key, from_us, to_us, calendar)
            opens, closes = table.windows()
            start, end = table.start_us[:-1], table.start_us[1:]

            assert ((opens <= start) & (end <= closes)).all()
            assert calendar.has_holes or ((opens == start) & (end == closes)).all()
            for low, high in {(int(a), int(b)) for a, b in zip(opens, closes, strict=True)}:
                inside = (start >= low) & (end <= high)
                own = inside & (opens == low) & (closes == high)
                assert len(set(zip(table.label[own], table.production_day[own], strict=True))) == 1
                assert (table.label[inside & ~own] == off).all()
                assert not (inside & ~own).any() or (table.label[own] != off).all()

    def test_overlapping_asks_agree_on_every_boundary_and_name(self) -> None:
        """An answer may cut the windows at its two edges; what lies within two answers is the same in both."""
        asked, dice = self.asked(), random.Random(11)  # noqa: S311 - dice, not a secret
        mine, yours = self.calendar(), self.calendar()
        for key, from_us, to_us in asked:
            shift = dice.randrange(-2 * DAY_US, 2 * DAY_US)
            other_from, other_to = from_us + shift, to_us + abs(shift)
            one, other = self.table(key, from_us, to_us, mine), self.table(key, other_from, other_to, yours)
            low, high = max(from_us, other_from), min(to_us, other_to)
            if low >= high:
                continue

            assert _within(one, low, high) == _within(other, low, high)
            for at_us in {low, high - 1, dice.randrange(low, high)}:
                alone = self.table(key, at_us, at_us + 1, yours)
                assert _name_at(one, at_us) == _name_at(other, at_us) == _name_at(alone, at_us)

    def test_asking_in_any_order_gives_the_same_answers(self) -> None:
        asked = self.asked()
        one, other = self.calendar(), self.calendar()
        forth = [_plain(self.table(*each, calendar=one)) for each in asked]
        back = [_plain(self.table(*each, calendar=other)) for each in reversed(asked)]

        assert forth == back[::-1]

    def test_a_key_value_without_windows_has_no_table(self) -> None:
        low, high = self.span_us()
        for key in self.unknown():
            assert self.calendar().table(key, low, high) is None

    def test_an_answer_is_the_askers_own(self) -> None:
        """Who changes an answer must not change the next one."""
        low, high = self.span_us()
        calendar = self.calendar()
        table = self.table(self.keys()[0], low, high, calendar)
        before = _plain(table)
        for column in (table.start_us, table.label, table.production_day):
            if column.flags.writeable:
                column[:] = 0

        assert _plain(self.table(self.keys()[0], low, high, calendar)) == before

    def test_the_fingerprint_is_plain_data_and_does_not_change_with_use(self) -> None:
        used = self.calendar()
        for key, from_us, to_us in self.asked():
            used.table(key, from_us, to_us)

        fresh = self.calendar()
        assert json.dumps(used.fingerprint(), sort_keys=True) == json.dumps(fresh.fingerprint(), sort_keys=True)
        assert used.labels == fresh.labels


def _within(table: CalendarTable, low: int, high: int) -> list[int]:
    return [at for at in table.start_us.tolist() if low < at < high]


def _name_at(table: CalendarTable, at_us: int) -> tuple[int, int]:
    window = int(np.searchsorted(table.start_us, at_us, side="right")) - 1
    return int(table.label[window]), int(table.production_day[window])


def _plain(table: CalendarTable) -> tuple[list[int], list[int], list[int]]:
    return table.start_us.tolist(), table.label.tolist(), table.production_day.tolist()
