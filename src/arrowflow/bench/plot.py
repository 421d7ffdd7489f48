"""Results as SVG text: bars by group, and curves over a sweep. Draws what it is given and rounds it to tenths of a pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from arrowflow.bench.chart import grouped
from arrowflow.bench.results import Line, Result

_WIDTH, _LEFT, _RIGHT, _BAR = 860, 260, 170, 24
_HIGH, _TOP, _UNDER = 320, 56, 64
_LIGHT = dict(
    zip(
        "abcdefghij",
        ["0969da", "bc4c00", "1a7f37", "8250df", "bf3989", "4d2d00", "0a7ea4", "9a6700", "59636e", "cf222e"],
        strict=True,
    )
)
_DARK = dict(
    zip(
        "abcdefghij",
        ["4493f8", "f0883e", "3fb950", "ab7df8", "db61a2", "d4a72c", "39c5cf", "e3b341", "9198a1", "f85149"],
        strict=True,
    )
)
_COLOURS = tuple(_LIGHT)


def _style() -> str:
    """Plain rules, so that programs which know no variables draw it too."""
    return f"""\
  .paper {{ fill: #ffffff }} .ink {{ fill: #1f2328 }} .soft {{ fill: #59636e }} .grid {{ stroke: #d1d9e0 }}
  .curve {{ fill: none; stroke-width: 2 }}
{_painted(_LIGHT)}
  text {{ font: 12px system-ui, sans-serif }} .small {{ font-size: 11px }} .head {{ font-size: 15px; font-weight: 600 }}
  @media (prefers-color-scheme: dark) {{
  .paper {{ fill: #0d1117 }} .ink {{ fill: #f0f6fc }} .soft {{ fill: #9198a1 }} .grid {{ stroke: #3d444d }}
{_painted(_DARK)}
  }}"""


def _painted(colours: Mapping[str, str]) -> str:
    rules = [
        f"  .{name} .full {{ fill: #{code} }} .{name} .curve {{ stroke: #{code} }}" for name, code in colours.items()
    ]
    return "\n".join(rules)


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of one picture: name to points, and what the axes count. An axis of `log_x` shows powers of ten."""

    title: str
    note: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False
    names_of_x: Mapping[float, str] | None = None


def bars_svg(result: Result) -> str:
    """A bar for each line, as long as its rate beside the fastest of its group."""
    groups = grouped(result.lines)
    height = _TOP + sum(34 + _BAR * len(lines) for lines in groups.values()) + 24
    body: list[str] = []
    y = _TOP
    for group, lines in groups.items():
        body.append(f'<text class="ink" x="16" y="{y + 14}">{escape(group)}</text>')
        y += 24
        most = max(line.records_per_s for line in lines)
        for number, line in enumerate(lines):
            body += _bar(line, most, _COLOURS[number % len(_COLOURS)], y)
            y += _BAR
        y += 10
    return _document(result.title, about(result), height, body)


def about(result: Result) -> str:
    """Where and when, in one line."""
    machine = result.machine
    return f"{result.date[:10]}, {machine.cpu}, {machine.cores} cores, arrowflow {result.versions.get('commit', '')}"


def curves_svg(curves: Curves) -> str:
    """Curves with their names at the right, and both axes."""
    points = [point for each in curves.series.values() for point in each]
    xs, top = sorted({x for x, _ in points}), _round_up(max(y for _, y in points))

    def at(x: float, y: float) -> tuple[float, float]:
        return _tenth(_LEFT - 180 + _share(x, xs, log=curves.log_x) * (_WIDTH - _LEFT - 40)), _tenth(
            _TOP + _HIGH - y / top * _HIGH
        )

    body = [*_axes(curves, xs, top, at)]
    names = sorted(curves.series, key=lambda name: -curves.series[name][-1][1])
    free = float(_TOP)
    for name in names:
        colour = _COLOURS[list(curves.series).index(name) % len(_COLOURS)]
        places = [at(x, y) for x, y in curves.series[name]]
        path = " ".join(f"{x},{y}" for x, y in places)
        body.append(f'<g class="{colour}"><polyline class="curve" points="{path}"/>')
        body += [f'<circle class="full" cx="{x}" cy="{y}" r="3"/>' for x, y in places]
        free = max(free, places[-1][1])
        body.append(
            f'<text class="full small" x="{places[-1][0] + 8}" y="{_tenth(free + 4)}">{escape(name)}</text></g>'
        )
        free += 14
    return _document(curves.title, curves.note, _TOP + _HIGH + _UNDER, body)


def _bar(line: Line, most: float, colour: str, y: float) -> Iterator[str]:
    length = max(1.0, _tenth(line.records_per_s / most * (_WIDTH - _LEFT - _RIGHT)))
    name = line.name if line.x is None else f"{line.name} at {line.x:,g}"
    yield f'<text class="soft" x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
    yield f'<g class="{colour}"><rect class="full" x="{_LEFT}" y="{y + 3}" width="{length}" height="{_BAR - 8}" rx="2"/></g>'
    told = f"{_figure(line.records_per_s)} {line.unit}/s, {_figure(line.cpu_ns)} CPU ns"
    yield f'<text class="ink small" x="{_LEFT + length + 6}" y="{y + 15}">{told}</text>'


def _axes(curves: Curves, xs: Sequence[float], top: float, at: object) -> Iterator[str]:
    assert callable(at)
    left, right = at(xs[0], 0)[0], at(xs[-1], 0)[0]
    for step in range(5):
        y = at(xs[0], top * step / 4)[1]
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text class="soft small" x="{left - 8}" y="{y + 4}" text-anchor="end">{_figure(top * step / 4)}</text>'
    for x in _ticks(xs):
        told = (curves.names_of_x or {}).get(x, _figure(x))
        yield f'<text class="soft small" x="{at(x, 0)[0]}" y="{_TOP + _HIGH + 18}" text-anchor="middle">{escape(told)}</text>'
    yield f'<text class="ink" x="{(left + right) / 2}" y="{_TOP + _HIGH + 40}" text-anchor="middle">{escape(curves.x_label)}</text>'
    yield f'<text class="ink" x="16" y="{_TOP - 8}">{escape(curves.y_label)}</text>'


def _ticks(xs: Sequence[float]) -> Sequence[float]:
    step = math.ceil(len(xs) / 12)
    return xs[::step]


def _share(x: float, xs: Sequence[float], *, log: bool) -> float:
    low, high = (math.log(xs[0]), math.log(xs[-1])) if log else (xs[0], xs[-1])
    return 0.0 if high == low else ((math.log(x) if log else x) - low) / (high - low)


def _document(title: str, note: str, height: float, body: Sequence[str]) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(note)}</desc>',
        f"<style>\n{_style()}\n</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="6"/>',
        f'<text class="ink head" x="16" y="24">{escape(title)}</text>',
        *body,
        f'<text class="soft small" x="16" y="{height - 8}">{escape(note)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8 times a power of ten, so that quarters of it are short numbers."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


def _figure(value: float) -> str:
    """Three digits and a letter for the thousands."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _tenth(value: float) -> float:
    return round(value * 10) / 10
