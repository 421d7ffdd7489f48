"""Hard values for aggregates, as strategies, and comparison of results bit for bit. Judges nothing."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import strategies as st

FLOATS = st.one_of(
    st.floats(width=64, allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [1e16, -1e16, 1.0, 0.1, 5e-324, 1e308, -1e308, 2.0**80, 2.0**-60, 2.0**-61, -0.0, 0.0, 3.0, 2.0**53]
    ),
    st.builds(math.ldexp, st.floats(-1, 1), st.integers(-64, 84)),
)
ANY_FLOATS = st.one_of(FLOATS, FLOATS, st.sampled_from([math.nan, math.inf, -math.inf]))
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1])
)
UNSIGNED = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3), st.sampled_from([2**53 + 1, 2**63]))
UNSCALED = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-300, 300), st.sampled_from([2**63, -(2**64), 2**53 + 1, 5])
)
TEXTS = st.text("abé\U0001f600", max_size=2)


def decimals(scale, unscaled=UNSCALED):
    """decimal128(38, scale) values, exact."""
    return unscaled.map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale)))


def same(left, right):
    """Equal, of equal type, NaN to NaN and -0.0 apart from 0.0; decimals with their places."""
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or left.hex() == right.hex()
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return left.as_tuple() == right.as_tuple()
    return left == right and type(left) is type(right)
