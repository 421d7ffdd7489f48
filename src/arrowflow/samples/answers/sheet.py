"""The answer sheet: a verdict and its windows as one JSON-able dict. It never computes a figure itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from arrowflow.samples.answers.figures import iso
from arrowflow.samples.answers.judge import Place, Placed, Rules, Span, Verdict


def sheet(
    verdict: Verdict, rules: Rules, figures: Callable[[Sequence[Placed]], dict[str, object]]
) -> dict[str, object]:
    """Return the balance, the expected rows per window, and every late and refused record by place.

    Windows are sorted by their group (null first) and start; late and refused records by partition and offset.
    """
    return {
        "read": verdict.read,
        "folded": verdict.folded,
        "duplicate": 0,
        "filtered": dict(sorted(verdict.filtered.items())),
        "late_count": len(verdict.late),
        "dead_letter_count": dict(sorted(Counter(reason for _, reason in verdict.dead).items())),
        "windows": _windows(verdict, rules, figures),
        "late": _late(verdict.late),
        "missed": _late(verdict.missed),
        "dead_letters": [
            {"partition": place.partition, "offset": place.offset, "reason": reason}
            for place, reason in sorted(verdict.dead)
        ],
    }


def _late(rows: Sequence[tuple[Place, Span]]) -> list[dict[str, object]]:
    """Rows and what they came too late for."""
    return [
        {
            "partition": place.partition,
            "offset": place.offset,
            "window_start": iso(span.start),
            "window_end": iso(span.end),
        }
        for place, span in sorted(rows)
    ]


def _windows(
    verdict: Verdict, rules: Rules, figures: Callable[[Sequence[Placed]], dict[str, object]]
) -> list[dict[str, object]]:
    rows = []
    for key in sorted(verdict.groups, key=_null_first):
        span = verdict.spans[key]
        rows.append(
            {
                **dict(zip(rules.group_by, key, strict=False)),
                **dict(span.columns),
                "window_start": iso(span.start),
                "window_end": iso(span.end),
                "rows": len(verdict.groups[key]),
                **figures(verdict.groups[key]),
            }
        )
    return rows


def _null_first(key: tuple[object, ...]) -> list[tuple[bool, str]]:
    return [(part is not None, str(part)) for part in key]
