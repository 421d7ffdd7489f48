"""How every worker is told what to do: a line on standard input per job, a line on standard output when it is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def serve(run: Callable[[str, str, str, str], None]) -> None:
    """Call ``run(job, topic, out, scratch)`` for each line until there is no more; what a library prints goes elsewhere."""
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print("ready", file=told)
    for line in sys.stdin:
        run(*line.split())
        print("done", file=told)
