"""What may follow the column in ``function(column, …)``: kinds of arguments and what they may be. Computes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from arrowflow.windows.durations import LONGEST_US, duration_us


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function.

    Parameters
    ----------
    name : str
        How messages and pages call it.
    allowed : str
        What it may be, in words.
    accepts : callable
        Whether a value is one of those.
    optional, default : bool, object
        Whether it may be left out, and what it is then.
    kind : "value", "column" or "duration"
        A column is looked up among the rows' columns; a duration is text that `duration_us` reads.
    """

    name: str
    allowed: str
    accepts: Callable[[object], bool]
    optional: bool = False
    default: object = None
    kind: Literal["value", "column", "duration"] = "value"


def _is_number(value: object) -> bool:
    # An integer too large for a double is finite too, and what it is for says whether it fits.
    finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return finite and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000


def _is_modulus(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and value > 0


def _is_duration(value: object) -> bool:
    return isinstance(value, str) and 0 < (duration_us(value) or 0) <= LONGEST_US


def _is_state(value: object) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


DECIMAL = Parameter("type", 'the word "decimal"', lambda value: value == "decimal", optional=True)
LIMIT = Parameter("limit", "a whole number from 1 to 1000000", _is_limit, optional=True, default=10_000)
QUANTILE = Parameter("q", "a number from 0 to 1", _is_fraction)
WEIGHTS = Parameter("weights", "the name of a column of numbers", _is_text, kind="column")
QUALITY = Parameter("quality", "the name of an integer column of OPC quality codes", _is_text, kind="column")
MODULUS = Parameter("modulus", "a positive number, where the counter starts again", _is_modulus, optional=True)
STATE = Parameter("state", "a value of the column", _is_state)
CARRY_FOR = Parameter("carry_for", 'a length of time such as "1h30m"', _is_duration, optional=True, kind="duration")
