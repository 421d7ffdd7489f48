"""Let real processes race for names: spawned, they share nothing but the store."""

import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("race_worker.py")
SRC = Path(__file__).parents[2] / "src"


def race(workers, paths, meeting, **env):
    """Let `workers` processes create every path; return per path who thinks it won. They meet at the file `meeting`."""
    folder = paths[0].rpartition("/")[0]
    started = [_start(f"w{i}", workers, folder, len(paths), meeting, env) for i in range(workers)]
    won = [set(process.communicate(timeout=120)[0].split()) for process in started]
    print("names won per process:", [len(names) for names in won])
    assert sum(bool(names) for names in won) > 2, "the processes did not meet: the race proved nothing"
    return [[f"w{i}" for i in range(workers) if path in won[i]] for path in paths]


def _start(name, workers, folder, rounds, meeting, env):
    return subprocess.Popen(
        [sys.executable, str(WORKER), name, str(workers), folder, str(rounds), str(meeting)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(SRC), **env},
    )
