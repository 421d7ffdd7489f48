"""The base of aggregate functions that users write in Python. Loads no kernels and keeps nothing.

```python
class Longest(CustomAggregate[int]):
    name = "longest"

    def output(self, kind):
        return pa.int64() if kind == pa.string() else None

    def state(self, kind):
        return pa.int64()

    def initial(self):
        return 0

    def add(self, state, values):
        return max(state, pc.max(pc.utf8_length(values)).as_py())

    def merge(self, left, right):
        return max(left, right)

    def finish(self, state):
        return state or None


Aggregate("longest_code", Longest(), "code")
```
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

import pyarrow as pa

from arrowflow.windows.arrays import Array

S = TypeVar("S")
"""What a function's states are."""


class CustomAggregate(ABC, Generic[S]):
    """A commutative aggregate of your own: values may come in any order and any cutting.

    A state is what Arrow's ``as_py()`` gives for a value of the type `state` names, and is never changed in place:
    `add` and `merge` return another. Equal contents must give equal states, whatever way they came about.
    ``arrowflow.testing.aggregates.check_aggregate`` holds yours to all that.
    """

    name: ClassVar[str]
    """How the state and its metadata call it; names of built-in functions are not refused, but confusing."""

    @abstractmethod
    def output(self, kind: pa.DataType) -> pa.DataType | None:
        """The type of the result over a column of type `kind`, None where it does not take that type."""

    @abstractmethod
    def state(self, kind: pa.DataType) -> pa.DataType:
        """The Arrow type of its states: integers, floats, bool, strings, binary, and structs and lists of those."""

    @abstractmethod
    def initial(self) -> S:
        """The state over no values: ``merge(initial(), x)`` is ``x``."""

    @abstractmethod
    def add(self, state: S, values: Array) -> S:
        """The state with one more slice of values of one window: never empty, no nulls."""

    @abstractmethod
    def merge(self, left: S, right: S) -> S:
        """The state over the values of both."""

    @abstractmethod
    def finish(self, state: S) -> object:
        """The result as a Python value of the output type, None for null."""

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on: the name and any setting; override it where there are settings.

        A state is refused where another fingerprint wrote it, so change it when the meaning changes.
        """
        return {"name": self.name}
