"""Rows and windows on a time axis as SVG text. Knows no operator: what falls where is given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from arrowflow.config.durations import duration_text

_LEFT, _RIGHT, _WIDTH = 190, 120, 860
_LANE, _LEVEL, _TOP = 26, 22, 54
_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_MOST_TICKS = 11
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_STYLE = """\
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #d1d9e0 }
  .bar { fill: #cfe4ff; stroke: #0969da } .gone { fill: none; stroke: #b35900; stroke-dasharray: 4 3 }
  .row { fill: #0550ae } .number { fill: #ffffff } .late { stroke: #b35900; stroke-width: 2.5; fill: none }
  .nowhere { fill: none; stroke: #59636e; stroke-width: 2 } .latenumber { fill: #b35900 }
  text { font: 12px system-ui, sans-serif } .small { font-size: 11px } .head { font-size: 15px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
    .bar { fill: #12305a; stroke: #4493f8 } .gone { stroke: #f0883e } .row { fill: #79c0ff } .number { fill: #0d1117 }
    .late { stroke: #f0883e } .latenumber { fill: #f0883e } .nowhere { stroke: #9198a1 }
  }"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One window: its bounds, the rows it holds by number, its name, and late rows that lie in its bounds."""

    start_us: int
    end_us: int
    rows: tuple[int, ...]
    name: str = ""
    came_out: bool = True
    late: tuple[int, ...] = ()

    def spans(self, us: int, brackets: str) -> bool:
        """Whether an instant lies in the bounds, whatever the window holds."""
        after = us >= self.start_us if brackets[0] == "[" else us > self.start_us
        return after and (us <= self.end_us if brackets[1] == "]" else us < self.end_us)


@dataclass(frozen=True, slots=True)
class Picture:
    """All there is to draw; `brackets` are the two signs of a window's bounds."""

    title: str
    times_us: tuple[int, ...]
    bars: tuple[Bar, ...]
    late: frozenset[int]
    nowhere: frozenset[int]
    brackets: str
    zone: dt.tzinfo

    def clock(self, us: int, *, day: bool = False) -> str:
        """Write an instant as the zone's clock shows it, no finer than the picture needs."""
        local = (_EPOCH + dt.timedelta(microseconds=us)).astimezone(self.zone)
        edges = (us for bar in self.bars for us in (bar.start_us, bar.end_us))
        whole = all(edge % (60 * _SECOND_US) == 0 for edge in (*edges, *self.times_us))
        fine = any(edge % _SECOND_US for edge in self.times_us)
        text = local.strftime("%H:%M" if whole else "%H:%M:%S.%f" if fine else "%H:%M:%S")
        return f"{local:%Y-%m-%d} {text}" if day else text

    def span(self, bar: Bar) -> str:
        """Write a window with its brackets."""
        bounds = f"{self.brackets[0]}{self.clock(bar.start_us)}, {self.clock(bar.end_us)}{self.brackets[1]}"
        return f"{bar.name} {bounds}" if bar.name else bounds

    def axis(self) -> tuple[int, int]:
        """From where to where time is drawn: everything, and a little room."""
        starts = [*self.times_us, *(bar.start_us for bar in self.bars)]
        ends = [*self.times_us, *(bar.end_us for bar in self.bars)]
        room = max((max(ends) - min(starts)) // 40, 1)
        return min(starts) - room, max(ends) + room

    def x(self, us: int) -> float:
        """Place an instant, in whole tenths so that the text is the same everywhere."""
        begin, end = self.axis()
        return round(10 * (_LEFT + (us - begin) * (_WIDTH - _LEFT - _RIGHT) / (end - begin))) / 10


def picture_svg(picture: Picture) -> str:
    """Return the whole document."""
    levels = _levels(picture)
    axis_y = _TOP + _LEVEL * (max(levels) + 1) + 10
    first_lane = axis_y + 46
    height = first_lane + _LANE * len(picture.bars) + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(picture.title)}</title>',
        f'<desc id="desc">{escape(" ".join(described(picture)))}</desc>',
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="6"/>',
        f'<text class="ink head" x="16" y="28">{escape(picture.title)}</text>',
        *_ticks(picture, axis_y, height - 30),
        f'<text class="soft" x="16" y="{axis_y - 14}">rows, by event time</text>',
        *(_row(picture, number, axis_y - 14 - _LEVEL * levels[number]) for number in range(len(levels))),
        *(line for lane, bar in enumerate(picture.bars) for line in _lane(picture, bar, first_lane + _LANE * lane)),
        f'<text class="soft small" x="16" y="{height - 10}">{_legend(picture)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def described(picture: Picture) -> Iterator[str]:
    """Say in words what the picture shows, a sentence for each row that needs one and for each window."""
    when = ", ".join(picture.clock(us) for us in picture.times_us)
    yield f"{len(picture.times_us)} rows arrive in this order: {when}."
    for bar in picture.bars:
        held = f"holds {_numbered(bar.rows)}" if bar.came_out else "never came out"
        missed = f"; {_numbered(bar.late)} came too late for it" if bar.late else ""
        yield f"{picture.span(bar)} {held}{missed}."
    if picture.nowhere:
        yield f"In no window: {_numbered(tuple(sorted(picture.nowhere)))}."


def _numbered(rows: tuple[int, ...]) -> str:
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(str(number + 1) for number in rows)}"


def _levels(picture: Picture) -> list[int]:
    """How high each row's sign stands, so that none hides another."""
    taken: list[list[float]] = []
    levels = [0] * len(picture.times_us)
    for number in sorted(range(len(levels)), key=lambda n: (picture.times_us[n], n)):
        x = picture.x(picture.times_us[number])
        free = (level for level, used in enumerate(taken) if all(abs(x - other) >= _LEVEL for other in used))
        levels[number] = next(free, len(taken))
        if levels[number] == len(taken):
            taken.append([])
        taken[levels[number]].append(x)
    return levels


def _ticks(picture: Picture, axis_y: int, bottom: int) -> Iterator[str]:
    """The axis, with the date under the first tick, and the new day where it changes."""
    begin, end = picture.axis()
    step_us = next((s for s in _STEPS_S if (end - begin) // (s * _SECOND_US) < _MOST_TICKS), 0) * _SECOND_US
    step_us = step_us or -(-(end - begin) // (_MOST_TICKS * _DAY_US)) * _DAY_US
    day = ""
    for us in range(-(-begin // step_us) * step_us, end + 1, step_us):
        x, told = picture.x(us), picture.clock(us, day=True).split(" ", 1)
        yield f'<line class="grid" x1="{x}" y1="{axis_y}" x2="{x}" y2="{bottom}"/>'
        yield f'<text class="soft small" x="{x}" y="{axis_y + 16}" text-anchor="middle">{told[1]}</text>'
        if told[0] != day:
            shown = told[0][5:] if day else told[0]
            day = told[0]
            yield f'<text class="soft small" x="{x}" y="{axis_y + 30}" text-anchor="middle">{shown}</text>'
    yield f'<line class="grid" x1="{_LEFT}" y1="{axis_y}" x2="{_WIDTH - _RIGHT}" y2="{axis_y}"/>'


def _row(picture: Picture, number: int, y: int) -> str:
    """One row above the axis, with the number of its arrival."""
    us = picture.times_us[number]
    x, label = picture.x(us), number + 1
    late, nowhere = number in picture.late, number in picture.nowhere
    what = "came too late for a window" if late else "is in no window" if nowhere else ""
    kind, ink = ("late", "latenumber") if late else ("nowhere", "soft") if nowhere else ("row", "number")
    return (
        f"<g><title>{escape(f'row {label}, {picture.clock(us)} {what}'.strip())}</title>"
        f'<circle class="{kind}" cx="{x}" cy="{y}" r="9"/>'
        f'<text class="{ink} small" x="{x}" y="{y + 4}" text-anchor="middle">{label}</text></g>'
    )


def _lane(picture: Picture, bar: Bar, y: int) -> Iterator[str]:
    """One window: its bounds, a dot for each row it holds, a cross for each that came too late for it."""
    left, right = picture.x(bar.start_us), picture.x(bar.end_us)
    width, middle = round(10 * (right - left)) / 10, y + 9
    yield f'<text class="ink" x="16" y="{y + 13}">{escape(picture.span(bar))}</text>'
    yield f'<rect class="{"bar" if bar.came_out else "gone"}" x="{left}" y="{y}" width="{width}" height="18" rx="3"/>'
    for number in bar.rows:
        yield f'<circle class="row" cx="{picture.x(picture.times_us[number])}" cy="{middle}" r="4.5"/>'
    for number in bar.late:
        x = picture.x(picture.times_us[number])
        a, b = round(10 * (x - 4)) / 10, round(10 * (x + 4)) / 10
        yield f'<path class="late" d="M{a} {middle - 4}L{b} {middle + 4}M{a} {middle + 4}L{b} {middle - 4}"/>'
    rows = f"{len(bar.rows)} row{'' if len(bar.rows) == 1 else 's'}"
    told = f"{duration_text(bar.end_us - bar.start_us)}, {rows}" if bar.came_out else "never came out"
    yield f'<text class="soft small" x="{_WIDTH - _RIGHT + 12}" y="{y + 13}">{told}</text>'


def _legend(picture: Picture) -> str:
    parts = ["numbers: order of arrival", "dot: the window holds the row"]
    if picture.late:
        parts.append("cross: the row came too late for it")
    if picture.nowhere:
        parts.append("ring: in no window")
    return " · ".join(parts)
