"""Which machine and which versions these are. Reads files and metadata; measures nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from arrowflow.bench.results import Machine
from arrowflow.sources.kafka.bare import library_version

PACKAGES = ("numba", "numpy", "pyarrow", "polars", "confluent-kafka", "arrowflow")
UNKNOWN = "unknown"


def this_machine() -> Machine:
    """The machine this runs on; what the system does not tell is ``unknown`` or 0."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    kernel = f"{platform.system()} {platform.release()}"
    return Machine(_cpu(), cores, _memory_mb(), kernel, busy=round(_load(), 2))


def these_versions() -> dict[str, str]:
    """Versions of what the figures depend on, and the commit where the code runs from a checkout."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = UNKNOWN
    return found | {"librdkafka": library_version(), "commit": commit_of(Path(__file__).parent)}


def commit_of(folder: Path) -> str:
    """The commit a folder of sources stands at, with a ``+`` if files were changed since; ``unknown`` outside a checkout."""
    ask = ["git", "-C", str(folder)]
    try:
        head = _said([*ask, "rev-parse", "--short=10", "HEAD"])
        changed = _said([*ask, "status", "--porcelain", "-uno", "."])
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return head + ("+" if changed else "")


def _said(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - our own words
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine() or UNKNOWN
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine() or UNKNOWN)


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (AttributeError, OSError, ValueError):
        return 0


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0
