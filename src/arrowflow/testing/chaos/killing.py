"""Real processes of a user's pipeline, killed and frozen at points the dice choose; and what their tables hold then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from arrowflow.engine import start
from arrowflow.testing.chaos.histories import Names, counted
from arrowflow.testing.chaos.rehearsal import Rehearsal
from arrowflow.testing.chaos.victim import TO_THE_END
from arrowflow.testing.simulation.verifier import rows_of

_PATIENCE_S = 300.0
_FENCED = 7
_EPOCHS = 30
_EVERY = 3
"""One in so many victims is frozen and thawed after another has taken over; the others are killed."""


@dataclass(slots=True)
class Campaign:
    """What happened to a lake, and what is wrong with it.

    Parameters
    ----------
    killed, fenced : int
        Processes that died by SIGKILL, and that were frozen, woke up and found themselves fenced.
    unharmed : int
        Processes that came to their end before they came to their point.
    """

    seed: int
    killed: int = 0
    fenced: int = 0
    unharmed: int = 0
    points: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def campaign(
    rehearsal: Rehearsal, config: str, scratch: Path, kills: int, seed: int, tell: Callable[[str], None]
) -> Campaign:
    """Kill and freeze `kills` processes one after the other on one lake, let the last finish, and compare.

    Parameters
    ----------
    rehearsal : Rehearsal
        What is run; `config` is the file it came from, read again by every process.
    scratch : Path
        An empty folder: archive, lakes and traces go there.
    tell : callable
        Takes a line for each victim.
    """
    archive, lake, calm = scratch / "archive.ndjson", scratch / "lake", scratch / "calm"
    rehearsal.write_archive(archive)
    rows = max(1, len(rehearsal.records) // _EPOCHS)
    start(rehearsal.in_folder(archive, calm, epoch_rows=rows), TO_THE_END).result()
    dice = random.Random(f"kills {seed}")  # noqa: S311 - dice, not a secret
    done = Campaign(seed)
    stage = _Stage([config, str(archive), str(lake), str(rows)], scratch)
    points = stage.points(rows, rehearsal, archive)
    for number in range(kills):
        # The archive is read to its end sooner or later; then a new lake is begun, so that every kill meets work.
        point, hit = dice.choice(points), dice.randint(1, 3)
        freezes = number % _EVERY == _EVERY - 1
        told = stage.freeze(point, hit) if freezes else stage.kill(point, hit)
        done.killed += told == "killed"
        done.fenced += told == "fenced"
        done.unharmed += told == "unharmed"
        done.points.append(f"{point}:{hit}")
        tell(f"{number + 1:3d}: {'frozen' if freezes else 'killed'} at {point}:{hit}: {told}")
        if told.startswith("wrong"):
            done.wrong.append(f"{point}:{hit}: {told}")
        if told == "unharmed":
            done.wrong += _compare(rehearsal, lake, calm)
            lake = scratch / f"lake-{number}"
            stage.arguments[2] = str(lake)
    code = stage.run("").wait(_PATIENCE_S)
    if code:
        done.wrong.append(f"the last run ended with exit code {code}: {stage.told()}")
    done.wrong += _compare(rehearsal, lake, calm)
    return done


@dataclass(slots=True)
class _Stage:
    """Starts processes and waits for them; leaves none behind."""

    arguments: list[str]
    scratch: Path

    def run(self, plan: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "ARROWFLOW_FAILPOINTS": plan}
        env.pop("ARROWFLOW_FAILPOINT_TRACE", None)
        command = [sys.executable, "-m", "arrowflow.testing.chaos.victim", *self.arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603

    def points(self, rows: int, rehearsal: Rehearsal, archive: Path) -> list[str]:
        """The points that a run of this pipeline passes more than once, each once; found by running it."""
        from arrowflow.failpoints import Failpoints

        trace = self.scratch / "trace"
        pipeline = rehearsal.in_folder(archive, self.scratch / "traced", epoch_rows=rows)
        start(pipeline, TO_THE_END, failpoints=Failpoints.parse("", str(trace))).result()
        passed = Counter(trace.read_text().split())
        return sorted(name for name, times in passed.items() if times > 1 and "/" not in name)

    def kill(self, point: str, hit: int) -> str:
        """Run into a SIGKILL at the hit-th passing of a point."""
        code = self.run(f"{point}:{hit}:kill").wait(_PATIENCE_S)
        if code == -signal.SIGKILL:
            return "killed"
        return "unharmed" if code == 0 else f"wrong: exit code {code}: {self.told()}"

    def freeze(self, point: str, hit: int) -> str:
        """Freeze a process at a point, let another go on to the end, thaw the first: it must find itself fenced."""
        zombie = self.run(f"{point}:{hit}:stop")
        try:
            if not self._froze(zombie):
                return "unharmed" if zombie.returncode == 0 else f"wrong: exit code {zombie.returncode}: {self.told()}"
            winner = self.run("commit.checked:3:kill").wait(_PATIENCE_S)
            zombie.send_signal(signal.SIGCONT)
            code = zombie.wait(_PATIENCE_S)
        finally:
            if zombie.poll() is None:
                zombie.kill()
                zombie.wait()
        fine = code == _FENCED and winner in (0, -signal.SIGKILL)
        return "fenced" if fine else f"wrong: the frozen one ended with {code}, the other with {winner}: {self.told()}"

    def _froze(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _PATIENCE_S
        while process.poll() is None and time.monotonic() < deadline:
            if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return True
            time.sleep(0.05)
        return False

    @property
    def _log(self) -> Path:
        return self.scratch / "victims.log"

    def told(self) -> str:
        """The last words of a victim."""
        return (self._log.read_text(errors="replace").strip().splitlines() or [""])[-1][:300]


def _compare(rehearsal: Rehearsal, lake: Path, calm: Path) -> list[str]:
    """Every way in which the tables of a lake differ from those of the run to which nothing happened."""
    wrong = []
    for node in rehearsal.judged:
        found, wanted = _rows(lake / node.name), _rows(calm / node.name)
        wrong += [f"{node.name}: missing {n} times: {dict(row)}" for row, n in (wanted - found).items()]
        wrong += [f"{node.name}: {n} times too often: {dict(row)}" for row, n in (found - wanted).items()]
    return wrong


def _rows(root: Path) -> Counter[Names]:
    files = sorted(root.rglob("*.parquet"))
    return counted([row for file in files for row in rows_of(str(file.relative_to(root)), file.read_bytes())])
