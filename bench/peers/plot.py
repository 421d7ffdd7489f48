"""Bars as an SVG file, by hand. Knows nothing of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _LEFT, _BAR, _GAP = 760, 230, 16, 6
_COLOURS = ("#0b6e4f", "#8d99ae")


def bars(groups: Mapping[str, Sequence[tuple[str, float | None]]], title: str) -> str:
    """One group of horizontal bars under another, each group on a scale of its own; the first bar of each is set off.

    Parameters
    ----------
    groups : mapping
        Name of the group → (label, value) in order; None is drawn as "no figure".
    title : str
        What the values are.
    """
    body, y = [f'<text x="8" y="18" class="title">{escape(title)}</text>'], 34
    for name, rows in groups.items():
        body.append(f'<text x="8" y="{y + 13}" class="group">{escape(name)}</text>')
        y += 22
        most = max((value for _, value in rows if value), default=1.0)
        for number, (label, value) in enumerate(rows):
            body += _bar(label, value, most, y, _COLOURS[number > 0])
            y += _BAR + _GAP
        y += 12
    style = (
        "text{font:12px sans-serif;fill:#222}.title{font-size:13px}.group{font-weight:bold}"
        "@media (prefers-color-scheme:dark){text{fill:#ddd}}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img"><style>{style}</style>'
    return "\n".join([head, *body, "</svg>", ""])


def _bar(label: str, value: float | None, most: float, y: int, colour: str) -> list[str]:
    length = (_WIDTH - _LEFT - 110) * (value or 0) / most
    told = f"{value:,.0f}" if value else "no figure"
    return [
        f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
        f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>',
        f'<text x="{_LEFT + length + 6:.1f}" y="{y + 12}">{told}</text>',
    ]
