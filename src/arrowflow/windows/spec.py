"""What a pipeline says about its windows: frozen descriptions with a `build`. Importing this loads no kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from arrowflow.windows.plan import Aggregate, CalendarWindow, Plan, WindowKind, plan_window
from arrowflow.windows.roster import Roster
from arrowflow.windows.shapes import Cumulative, Hopping, Session, Sliding, Tumbling

if TYPE_CHECKING:
    import pyarrow as pa

    from arrowflow.windows.operator import KeyedWindows
    from arrowflow.windows.passing import PassThrough

__all__ = [
    "Aggregate",
    "CalendarWindow",
    "Cumulative",
    "Hopping",
    "PassThroughSpec",
    "Roster",
    "Session",
    "Sliding",
    "Tumbling",
    "WindowSpec",
]


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Rows grouped by key and window, aggregated, and given out once when the window closes.

    Parameters
    ----------
    window : Tumbling, Hopping, Cumulative, Sliding, Session or CalendarWindow
        Which windows there are.
    group_by : tuple of str
        Key columns; null is a key of its own, apart from the empty string.
    aggregates : tuple of Aggregate
        Result columns, in order.
    allowed_lateness_us : int
        How long a window waits after its end, on top of the tolerance for disorder.
    scope : "pipeline" or "partition"
        Whether a window waits for all partitions, or only for the one that feeds its key.
    correct_for_us : int or None
        The late policy "correct": a row that comes up to this much too late reopens its window, which comes out again
        as a later revision. None: windows come out once.
    max_state_bytes : int or None
        Memory that open windows may take; `StateTooLarge` is raised before they take more. None: no limit.
    roster : Roster or None
        Keys expected in every window: silent ones have rows too, and each row says how many of them there were.
    """

    window: WindowKind
    group_by: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    allowed_lateness_us: int = 0
    scope: Literal["pipeline", "partition"] = "pipeline"
    correct_for_us: int | None = None
    max_state_bytes: int | None = None
    roster: Roster | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Result columns that tell one window's row from every other: keys, bounds and what a calendar calls them."""
        return (*self.group_by, "window_start", "window_end", *(field.name for field in self.window.fields()))

    def plan(self, schema: pa.Schema) -> Plan:
        """Check against the schema of the rows without loading a kernel; raises `ConfigError`."""
        return plan_window(
            self.window,
            self.group_by,
            self.aggregates,
            self.allowed_lateness_us,
            self.scope,
            schema,
            correct_for_us=self.correct_for_us,
            roster=self.roster,
        )

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns of closed windows over rows of `schema`; raises `ConfigError`."""
        return self.plan(schema).output_schema()

    def build(self, schema: pa.Schema) -> KeyedWindows:
        """Make an operator over rows of `schema`; raises `ConfigError`. Loads (or compiles) the kernels."""
        plan = self.plan(schema)
        # Kernels take seconds to load and `validate`, `explain` and `--help` never need them.
        from arrowflow.windows.operator import KeyedWindows

        return KeyedWindows(plan, self.max_state_bytes)

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on; patience may change at a restart, where floors rise with it."""
        corrects = {} if self.correct_for_us is None else {"correct_for_us": self.correct_for_us}
        roster = {} if self.roster is None else {"roster": dict(self.roster.fingerprint())}
        return {
            **corrects,
            **roster,
            "window": dict(self.window.fingerprint()),
            "group_by": list(self.group_by),
            "aggregates": [dict(aggregate.fingerprint()) for aggregate in self.aggregates],
            "scope": self.scope,
        }


@dataclass(frozen=True, slots=True)
class PassThroughSpec:
    """No window: every row goes on as it is, with the reserved columns beside its own."""

    allowed_lateness_us: ClassVar[int] = 0
    identity: ClassVar[tuple[str, ...]] = ()

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns of `schema` and the reserved ones; raises `ConfigError`."""
        from arrowflow.windows.passing import passed_schema

        return passed_schema(schema)

    def build(self, schema: pa.Schema) -> PassThrough:
        """Make the operator; raises `ConfigError`."""
        from arrowflow.windows.passing import PassThrough

        return PassThrough(schema)

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on: nothing but that there is no window."""
        return {"window": {"kind": "none"}}
