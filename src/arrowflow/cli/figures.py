"""Numbers and times as people read them. Pure text, no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from arrowflow.types import MIN_US, Balance

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def count(number: int, one: str, many: str | None = None) -> str:
    """Write ``1 row``, ``1,234 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(us: int | None) -> str:
    """Write event time in UTC to the second; ``-`` where there is none yet."""
    if us is None or us == MIN_US:
        return "-"
    try:
        return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{us} µs"


def balance_line(balance: Balance) -> str:
    """Write the balance rule with its numbers; reasons in brackets."""
    parts = [
        f"{balance.folded:,} folded",
        f"{_sum(balance.filtered):,} filtered{_reasons(balance.filtered)}",
        f"{balance.duplicate:,} duplicate",
        f"{_sum(balance.late):,} late{_reasons(balance.late)}",
        f"{_sum(balance.dead_lettered):,} dead_lettered{_reasons(balance.dead_lettered)}",
    ]
    return f"{balance.read:,} read = {' + '.join(parts)}"


def _sum(reasons: Mapping[str, int]) -> int:
    return sum(reasons.values())


def _reasons(reasons: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {number:,}" for name, number in sorted(reasons.items()) if number)
    return f" ({told})" if told else ""


def balance_data(balance: Balance) -> dict[str, object]:
    """Return the balance as plain data, and whether it adds up."""
    return {
        "read": balance.read,
        "folded": balance.folded,
        "filtered": dict(balance.filtered),
        "duplicate": balance.duplicate,
        "late": dict(balance.late),
        "dead_lettered": dict(balance.dead_lettered),
        "adds_up": balance.read == balance.accounted,
    }
