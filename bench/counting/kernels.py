"""Kernels that are compiled when they are first called and counted at each call from Python.

`watch_kernels` comes before the first import of a kernel. Only what is called is compiled, for one processor
(`NUMBA_CPU_NAME`) and without numba's cache, so that the same source gives the same instructions on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
from bench.counting.steps import Steps


class Watch:
    """What the kernels called so far took: instructions by name, as ``file.kernel``."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.spent: Counter[str] = Counter()
        self.active = False

    def call(self, name: str, kernel: Any, given: tuple[Any, ...]) -> Any:
        """Call a kernel; its instructions are counted under its name while the watch is active."""
        if not self.active:
            return kernel(*given)
        # Numba's choice among signatures takes some thousand steps and there is one; it was asked when nothing was counted.
        (only,) = kernel.overloads.values()
        answer, spent = self._steps.over(only.entry_point, given)
        self.spent[name] += spent
        return answer

    def over(self, work: Callable[[], Any]) -> dict[str, int]:
        """Instructions per kernel of one piece of work, all of whose kernels are compiled."""
        self._steps.learn_memory()
        self.spent.clear()
        self.active = True
        try:
            work()
        finally:
            self.active = False
        return dict(self.spent)


class Late:
    """A kernel that is compiled when it is needed, with its own signature and options."""

    def __init__(self, watch: Watch, function: FunctionType, signature: str, options: dict[str, Any]) -> None:
        self._watch, self._function, self._signature = watch, function, signature
        self._options = {name: value for name, value in options.items() if name != "cache"}
        self._compiled: Callable[..., Any] | None = None
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

    def __call__(self, *given: Any) -> Any:
        return self._watch.call(self.name, self.compiled, given)

    @property
    def compiled(self) -> Callable[..., Any]:
        """The kernel itself; those of its file that it calls are compiled with it."""
        if self._compiled is None:
            function = self._function
            known = {
                name: each.compiled if isinstance(each, Late) else each for name, each in function.__globals__.items()
                if name in function.__code__.co_names
            }  # fmt: skip
            own = FunctionType(
                function.__code__, {**function.__globals__, **known}, function.__name__, function.__defaults__
            )
            own.__module__, own.__qualname__ = function.__module__, function.__qualname__
            self._compiled = numba.core.decorators.njit(self._signature, **self._options)(own)
        return self._compiled


def watch_kernels(steps: Steps) -> Watch:
    """Have every kernel imported from now on compiled late and counted."""
    watch, plain = Watch(steps), numba.njit

    def njit(*given: Any, **options: Any) -> Any:
        def decorate(function: FunctionType) -> Any:
            if ".kernels." in function.__module__ and isinstance(given[0], str):
                return Late(watch, function, given[0], options)
            return plain(*given, **options)(function)

        return decorate if given and not callable(given[0]) else plain(*given, **options)

    numba.njit = njit
    return watch
