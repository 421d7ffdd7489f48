"""One process of a kill campaign: ``python -m arrowflow.testing.chaos.victim CONFIG ARCHIVE FOLDER ROWS`` runs a rehearsal.

The failpoint variables of the command line count here too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from arrowflow.config import load
from arrowflow.engine import start
from arrowflow.errors import ArrowflowError
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import RunOptions
from arrowflow.testing.chaos.rehearsal import Rehearsal

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


def main() -> int:
    """Run to the end of the archive; the exit codes are those of `arrowflow run`."""
    config, archive, folder, rows = sys.argv[1:5]
    plan, trace = os.environ.get("ARROWFLOW_FAILPOINTS", ""), os.environ.get("ARROWFLOW_FAILPOINT_TRACE")
    try:
        pipeline = Rehearsal(load(config), ()).in_folder(Path(archive), Path(folder), epoch_rows=int(rows))
        start(pipeline, TO_THE_END, failpoints=Failpoints.parse(plan, trace)).result()
    except ArrowflowError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
