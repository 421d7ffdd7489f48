"""Counts the instructions one thread runs in compiled kernels, by the processor's trap flag. Needs no tool and no right.

With the trap flag set, the processor interrupts after each instruction, and Linux makes a SIGTRAP of it. The handler is
compiled, counts whether the instruction lay in memory that holds kernels, and leaves the flag set until it is told to stop. About
80,000 instructions a second; no clock, no cache and no other process changes the number. x86-64 Linux only.
"""

from __future__ import annotations

import ctypes
import platform
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

AVAILABLE = platform.system() == "Linux" and platform.machine() == "x86_64"
_MOST_REGIONS = 4096
_GO, _INSIDE, _OUTSIDE, _REGIONS, _STACK, _HEADER = 0, 1, 2, 3, 4, 5
# In the context a handler is given, the registers begin at word 5; RSP is the 15th of them, RIP and the flags follow.
_RSP, _RIP, _FLAGS, _CONTEXT = 5 + 15, 5 + 16, 5 + 17, 5 + 23
_TRAP = 0x100
_WITH_CONTEXT = 4
"""SA_SIGINFO."""


class _Action(ctypes.Structure):
    """`struct sigaction` of x86-64 Linux."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


@intrinsic
def _words_at(typing: Any, address: Any) -> Any:
    """An address as a pointer to int64."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate


@intrinsic
def _break(typing: Any) -> Any:
    """The instruction that raises SIGTRAP."""

    def generate(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.debugtrap", (), kind), [])
        return context.get_dummy_value()

    return types.void(), generate


class Steps:
    """The one counter of a process; it counts in the thread that asks.

    The handler stays for the life of the process, so make one only where nobody else waits for SIGTRAP.
    """

    def __init__(self) -> None:
        assert AVAILABLE, "instructions can be counted on x86-64 Linux only"
        self._words = np.zeros(_HEADER + 2 * _MOST_REGIONS, np.int64)
        self._handler = _handler(self._words.ctypes.data)

        @njit("void()")
        def trap() -> None:
            _break()

        self._trap = trap
        self.learn_memory()
        action = _Action(handler=self._handler.address, flags=_WITH_CONTEXT)
        if ctypes.CDLL(None, use_errno=True).sigaction(int(signal.SIGTRAP), ctypes.byref(action), None):
            raise OSError(ctypes.get_errno(), "sigaction(SIGTRAP)")

    def learn_memory(self) -> None:
        """Find where compiled kernels lie: executable memory that is of no file. Call again once more is compiled."""
        regions = _compiled_memory()
        assert len(regions) <= _MOST_REGIONS
        self._words[_REGIONS] = len(regions)
        flat = np.array(regions, np.int64).ravel()
        self._words[_HEADER : _HEADER + len(flat)] = flat

    def over(self, kernel: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Any, int]:
        """What a kernel answers, and the instructions it took; what Python does around it lies outside of kernels."""
        # Compiled memory is left twice: what holds the trap comes back, and then the kernel. Nothing is stepped through after it.
        self._words[_GO], self._words[_STACK] = 2, 0
        self._trap()
        before = self._words[_INSIDE]
        try:
            answer = kernel(*given)
        finally:
            self._words[_GO] = 0
        return answer, int(self._words[_INSIDE] - before)


def _handler(address: int) -> Any:
    """The compiled handler over the words at `address`."""

    @cfunc("void(int32, CPointer(int64), CPointer(int64))")
    def handle(_signal: int, _info: Any, context: Any) -> None:
        words = carray(_words_at(address), _HEADER + 2 * _MOST_REGIONS)
        registers = carray(context, _CONTEXT)
        at, low, high = registers[_RIP], 0, words[_REGIONS]
        while low < high:  # the last region that begins at or before it
            middle = (low + high) >> 1
            if words[_HEADER + 2 * middle] <= at:
                low = middle + 1
            else:
                high = middle
        inside = low > 0 and at < words[_HEADER + 2 * low - 1]
        words[_INSIDE if inside else _OUTSIDE] += 1
        if inside and not words[_STACK]:
            words[_STACK] = registers[_RSP]
        elif not inside and words[_STACK] and registers[_RSP] > words[_STACK]:
            words[_STACK] = 0
            words[_GO] -= 1
        if words[_GO] > 0:
            registers[_FLAGS] |= _TRAP
        else:
            registers[_FLAGS] &= ~_TRAP

    return handle


def _compiled_memory() -> list[tuple[int, int]]:
    """Ranges of executable memory that belong to no file, ascending."""
    found: list[tuple[int, int]] = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _offset, _device, inode, *name = line.split(maxsplit=5)
        if "x" in rights and inode == "0" and not name:
            low, high = (int(each, 16) for each in span.split("-"))
            if found and found[-1][1] == low:
                found[-1] = (found[-1][0], high)
            else:
                found.append((low, high))
    return found
