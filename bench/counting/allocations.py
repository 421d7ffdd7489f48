"""Counts calls of Python's allocators and the bytecodes a piece of work runs: what an object per record cannot hide from.

Allocator calls are counted, not blocks alive, so an object that is gone at once counts too; objects that Python takes
from its free lists call no allocator, which is what the bytecodes are for. Only the calling thread counts.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic

_MEM, _OBJ = 1, 2
"""PYMEM_DOMAIN_MEM and PYMEM_DOMAIN_OBJ: what the interpreter and its objects take."""
_CALLS, _THREAD = 0, 1
_Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Calloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_Realloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Self = ctypes.CFUNCTYPE(ctypes.c_size_t)


class Spent(NamedTuple):
    """What a piece of work took."""

    allocations: int
    bytecodes: int


class _Allocator(ctypes.Structure):
    """`PyMemAllocatorEx`."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("context", "malloc", "calloc", "realloc", "free"))


@intrinsic
def _words_at(typing: Any, address: Any) -> Any:
    """An address as a pointer to int64."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate


class _Counted:
    """One domain's allocator with a counter before it."""

    def __init__(self, domain: int, words: np.ndarray) -> None:
        self._domain = domain
        self._plain = _allocator(domain)
        self._hooks = _hooks(self._plain, words.ctypes.data)
        calls = {name: hook.address for name, hook in zip(("malloc", "calloc", "realloc"), self._hooks, strict=True)}
        self._counting = _Allocator(context=self._plain.context, free=self._plain.free, **calls)

    def enter(self) -> None:
        _install(self._domain, self._counting)

    def leave(self) -> None:
        _install(self._domain, self._plain)


def _hooks(plain: _Allocator, address: int) -> tuple[Any, Any, Any]:
    """Compiled functions that count a call of this thread and pass it on."""
    malloc, calloc, realloc = _Malloc(plain.malloc), _Calloc(plain.calloc), _Realloc(plain.realloc)
    this_thread = _Self(ctypes.cast(ctypes.CDLL(None).pthread_self, ctypes.c_void_p).value)

    @cfunc("voidptr(voidptr, size_t)")
    def counted_malloc(context: Any, size: int) -> Any:
        words = carray(_words_at(address), 2)
        words[0] += words[1] == this_thread()
        return malloc(context, size)

    @cfunc("voidptr(voidptr, size_t, size_t)")
    def counted_calloc(context: Any, many: int, size: int) -> Any:
        words = carray(_words_at(address), 2)
        words[0] += words[1] == this_thread()
        return calloc(context, many, size)

    @cfunc("voidptr(voidptr, voidptr, size_t)")
    def counted_realloc(context: Any, at: Any, size: int) -> Any:
        words = carray(_words_at(address), 2)
        words[0] += words[1] == this_thread()
        return realloc(context, at, size)

    return counted_malloc, counted_calloc, counted_realloc


def _allocator(domain: int) -> _Allocator:
    found = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(found))
    return found


def _install(domain: int, allocator: _Allocator) -> None:
    ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(allocator))


class Allocations:
    """Counts for one thread; the allocators are as they were outside of `spent`."""

    def __init__(self) -> None:
        self._words = np.zeros(2, np.int64)
        self._domains = [_Counted(domain, self._words) for domain in (_MEM, _OBJ)]

    def spent(self, work: Callable[[], Any]) -> Spent:
        """Do the work twice over, counting once allocator calls and once bytecodes; it has to be the same both times."""
        with self._counting():
            work()
        allocations = int(self._words[_CALLS])
        return Spent(allocations, _bytecodes(work))

    @contextmanager
    def _counting(self) -> Iterator[None]:
        get = ctypes.CDLL(None).pthread_self
        get.restype = ctypes.c_size_t
        self._words[:] = 0, get()
        was = gc.isenabled()
        gc.disable()
        for each in self._domains:
            each.enter()
        try:
            yield
        finally:
            for each in self._domains:
                each.leave()
            if was:
                gc.enable()


def _bytecodes(work: Callable[[], Any]) -> int:
    """How many bytecodes the calling thread runs in `work`."""
    count = 0

    def trace(frame: FrameType, event: str, _given: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
