"""How much memory this process may take: the machine's, or less where a container or a ulimit says so. Measures no use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def memory_limit(root: Path = _ROOT) -> int:
    """Return the least of the limits that hold for this process, in bytes.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are found; what is not there limits nothing.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, *_ulimits(), *_control_groups(root))


def _ulimits() -> Iterator[int]:
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _hard = resource.getrlimit(kind)
        yield 2**63 if soft == resource.RLIM_INFINITY else soft


def _control_groups(root: Path) -> Iterator[int]:
    """The limits of the process's control group and of those around it, of either version."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            mount, name = ("", "memory.max") if controllers == "" else ("memory", "memory.limit_in_bytes")
            top = root / "sys/fs/cgroup" / mount
            inner = Path(path.lstrip("/"))
            for folder in (inner, *inner.parents):
                said = _read(top / folder / name).strip()
                if said.isdigit():  # or "max"
                    yield int(said)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
