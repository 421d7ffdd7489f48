"""What is tried first on a mutant of each module: laws aimed at it, and the test files about it. Knows names only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

UNIT = Path("tests/unit/windows")


class Target(NamedTuple):
    """Kinds and aggregates (empty: all) for the laws, and the stems of test files to run before the others."""

    kinds: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()
    tests: tuple[str, ...] = ("operator", "state")


_SUMS = ("sum", "mean", "var", "stddev", "weighted_mean", "quality_mean")
_FLOATS = tuple(f"{function}({column})" for function in _SUMS for column in "xf")
_DECIMALS = ("sum(d)", "mean(d)", "min(d)", "max(d)", "first(d)", "last(d)", "weighted_mean(d)", "var(d)")
_ORDERED = ("time_weighted_mean", "coverage", "time_in_state", "counter_delta")
_TRACES = Target((), _ORDERED, ("traces", "operator"))
_EDGES = Target((), ("first", "last"), ("aggregates", "operator"))
_PRODUCTS = Target((), ("weighted_mean", "quality_mean", "var", "stddev"), ("planted_sums", "aggregates", "merge"))
_MOMENTS = Target((), ("var", "stddev"), ("aggregates", "merge"))
_DISTINCT = Target((), ("count_distinct",), ("aggregates", "merge", "digest"))
_ROSTER = Target((), (), ("roster", "roster_holes"))
_STRINGS = Target((), (), ("keys", "state"))
_OVERLAPPING, _POINTS = ("hopping", "cumulative"), ("sliding", "pieces", "session")

TARGETS = {
    "operator.py": Target((), (), ("operator", "state", "quiet", "room", "roster")),
    "state.py": Target((), (), ("state", "operator", "room", "quiet", "hands", "chains")),
    "seats.py": Target((), (), ("sessions", "state", "operator", "room")),
    "pairs.py": _STRINGS,
    "kernels/pairs.py": _STRINGS,
    "keys.py": _STRINGS,
    "texts.py": _STRINGS,
    "kernels/texts.py": _STRINGS,
    "chains.py": Target((), (), ("chains", "state")),
    "room.py": Target((), (), ("room",)),
    "roster.py": _ROSTER,
    "rollcall.py": _ROSTER,
    "members.py": _ROSTER,
    "grids.py": _ROSTER,
    "aggregates/build.py": Target((), (), ("room", "aggregates")),
    "kernels/panes.py": Target((), (), ("operator", "quiet", "spec")),
    "kinds/calendar.py": Target(("calendar",), (), ("moved_boundaries", "holes", "operator", "spec", "roster_holes")),
    "kinds/overlapping.py": Target(_OVERLAPPING),
    "kernels/overlaps.py": Target(_OVERLAPPING, (), ("overlaps", "operator")),
    "kinds/points.py": Target(_POINTS),
    "kinds/session.py": Target(("session",)),
    "kinds/tumbling.py": Target(("tumbling",)),
    "kinds/whole.py": Target(("tumbling", "calendar")),
    "kernels/sessions.py": Target(_POINTS, (), ("sessions", "operator", "state")),
    "kernels/clocks.py": Target((), (), ("clocks", "operator")),
    "clocks.py": Target((), (), ("clocks", "operator")),
    "kernels/traces.py": _TRACES,
    "aggregates/traces.py": _TRACES,
    "kernels/edges.py": _EDGES,
    "aggregates/edges.py": _EDGES,
    "kernels/extremes.py": Target((), ("min", "max"), ("aggregates", "types")),
    "aggregates/extremes.py": Target((), ("min", "max"), ("aggregates", "types")),
    "kernels/sums.py": Target((), _SUMS, ("sums", "planted_sums", "aggregates")),
    "aggregates/sums.py": Target((), ("sum", "mean"), ("sums", "planted_sums", "aggregates", "merge")),
    "aggregates/fixed.py": Target((), _FLOATS, ("sums", "planted_sums", "aggregates", "merge")),
    "kernels/rounding.py": Target(
        (), (*_FLOATS, "time_weighted_mean"), ("sums", "planted_sums", "aggregates", "traces")
    ),
    "kernels/products.py": _PRODUCTS,
    "aggregates/products.py": _PRODUCTS,
    "aggregates/factors.py": _PRODUCTS,
    "aggregates/weighted.py": Target((), ("weighted_mean", "quality_mean"), ("aggregates", "merge")),
    "aggregates/moments.py": _MOMENTS,
    "kernels/decimals.py": Target((), _DECIMALS, ("aggregates", "merge")),
    "aggregates/decimals.py": Target((), _DECIMALS, ("aggregates", "merge")),
    "aggregates/distinct.py": _DISTINCT,
    "aggregates/loglog.py": _DISTINCT,
    "kernels/loglog.py": _DISTINCT,
    "kernels/sorted.py": Target((), ("count_distinct", "quantile"), ("aggregates", "merge")),
    "aggregates/runs.py": Target((), ("count_distinct", "quantile"), ("aggregates", "merge")),
    "aggregates/quantiles.py": Target((), ("quantile",), ("aggregates", "merge")),
    "aggregates/counts.py": Target((), ("count",), ("aggregates", "merge")),
    "aggregates/custom.py": Target((), (), ("custom",)),
    "aggregates/states.py": Target((), (), ("custom", "merge")),
    "digest.py": Target((), (), ("digest", "state")),
    "kernels/digests.py": Target((), (), ("digest", "state")),
    "columns.py": Target((), (), ("types", "aggregates", "operator")),
    "arrays.py": Target((), (), ("arrays", "types", "operator")),
    "hands.py": Target((), (), ("hands", "operator")),
    "lanes.py": Target((), (), ("lanes", "state", "room")),
    "order.py": Target((), (), ("order", "operator")),
    "passing.py": Target((), (), ("passing",)),
    "plan.py": Target((), (), ("spec", "aggregates", "custom", "roster")),
    "spec.py": Target((), (), ("spec", "passing")),
    "shapes.py": Target((), (), ("spec", "operator")),
    "functions.py": Target((), (), ("spec", "types")),
    "parameters.py": Target((), (), ("spec", "types")),
    "durations.py": Target((), (), ("spec", "traces")),
}


def target_of(file: str) -> Target:
    """What is tried first on a mutant of `file`, a path below the package of windows."""
    return TARGETS.get(file, Target())


def files_of(root: Path, stems: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The test files with these stems, and all others of the window core."""
    every = sorted(str(file.relative_to(root)) for file in (root / UNIT).glob("test_*.py"))
    first = [f"{UNIT}/test_{stem}.py" for stem in stems if f"{UNIT}/test_{stem}.py" in every]
    return first, [file for file in every if file not in first]
