"""What a roster adds to the answer of `tests.oracles.windows`, in plain Python: it looks at every instant in turn.

Nothing here knows of batches or of closings: who was heard in which window is in the answer already, and how far windows
are settled is one number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tests.oracles.windows import Answer, Window

NO_ONE = "nobody is expected"
"""The label of windows in which no key is missed."""


class Told(NamedTuple):
    """What a row says beside its aggregates; `missing` sorted."""

    status: str
    reported: int
    expected: int
    missing: tuple[str, ...]


def roll(
    answer: Answer,
    roster: Sequence[tuple],
    per: Sequence[int],
    ending: Callable[[tuple, int], Window | None],
    settled: int,
    silence: int,
) -> dict[tuple, Told]:
    """By (key, start, end), what is told of every key with rows and of every silent one.

    ``ending(key, instant)`` is the window of a key that ends at an instant, if there is one; every window that ends at
    `settled` or before has closed, as have those that were heard.
    """
    heard = sorted({window.end for _key, window in answer.results})
    present = {(key, window.start, window.end) for key, window in answer.results}
    expected = dict(_expected(heard, roster, ending, settled, silence))
    told = {}
    for key, start, end in present | {place for place, label in expected.items() if label != NO_ONE}:
        scope = [other for other in roster if _of(other, per) == _of(key, per)]
        wanted = [other for other in scope if expected.get((other, start, end), NO_ONE) != NO_ONE]
        there = [other for other in scope if (other, start, end) in present]
        status = "unexpected" if key not in roster else "reported" if key in there else "no_data"
        missing = sorted(_name(other, per) for other in wanted if other not in there)
        told[key, start, end] = Told(status, len(there), len(wanted), tuple(missing))
    return told


def _expected(
    heard: Sequence[int],
    roster: Sequence[tuple],
    ending: Callable[[tuple, int], Window | None],
    settled: int,
    silence: int,
) -> Iterator[tuple[tuple, str]]:
    """The windows of every key of the roster that are given out, whoever was heard in them."""
    if not heard:
        return
    for end in range(heard[0], max(heard[-1], settled) + 1):
        if end - max(each for each in heard if each <= end) > silence:
            continue
        for key in roster:
            window = ending(key, end)
            if window is not None:
                yield (key, window.start, window.end), window.label or ""


def _of(key: tuple, per: Sequence[int]) -> tuple:
    return tuple(key[place] for place in per)


def _name(key: tuple, per: Sequence[int]) -> str:
    rest = [value for place, value in enumerate(key) if place not in per] or list(key)
    return " / ".join("null" if value is None else str(value) for value in rest)
