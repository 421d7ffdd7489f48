"""Counts every case in this process and prints one JSON object: ``python -m bench.counting.measure [CASE ...]``.

To be started by `bench.instructions`, which sets the processor that kernels are compiled for.
"""

from __future__ import annotations

import json
import sys

from bench.counting.kernels import Watch, watch_kernels
from bench.counting.steps import Steps


def measured(watch: Watch, wanted: list[str]) -> dict[str, dict[str, float]]:
    """Instructions a row by case and kernel: the difference of two sizes, over the rows they differ by."""
    from bench.counting.cases import cases

    found: dict[str, dict[str, float]] = {}
    for name, (prepare, n) in cases().items():
        if wanted and name not in wanted:
            continue
        for rows in (n, 2 * n):
            prepare(rows)()  # kernels are compiled, and Python has seen the way
        less, more = (watch.over(prepare(rows)) for rows in (n, 2 * n))
        found[name] = {kernel: round((more[kernel] - less.get(kernel, 0)) / n, 2) for kernel in sorted(more)}
    return found


if __name__ == "__main__":
    kernels = watch_kernels(Steps())
    print(json.dumps(measured(kernels, sys.argv[1:])))
