"""Protocol traces of real runs, followed through the model by SPIN: is what the writers of a job did a behaviour of it?

``python -m formal.traces FILE...`` says so for the files given, which hold the runs of one job or of several. A file of a table is
one *lens*: the model knows a single output per epoch, so a trace is followed once for the first file of each record, once for
the second, and so on, and once for each file that is corrected later. Needs ``spin`` and ``gcc``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from formal.check import OUTCOMES, compile_model, event_names, left_out

NUMBERS = {name: number for number, name in event_names().items()}
LEFT_OUT = left_out()
OTHER_KINDS = frozenset({"reset.create", "reconfig.create", "retire.create"})
"""Records the model has no word for yet: a trace that holds one is followed up to it."""
FAILED = OUTCOMES.index("failed")
_FOLLOWED = re.compile(r"^pan:1: assertion violated\s+!\(followed\)", re.MULTILINE)
_EPOCH = re.compile(r"-(\d{12})-")
SIZES = (40, 120, 400, 1500)


class Unknown(ValueError):
    """A trace holds an event that the model does not know."""


@dataclass(frozen=True)
class Call:
    """One call of one run; `ended` is infinite where the process died in it."""

    run: str
    begun: float
    ended: float
    event: str
    outcome: str
    facts: Mapping

    @property
    def n(self) -> int:
        return self.facts.get("n", -1) + 1

    def __str__(self) -> str:
        told = self.facts.get("path", "") or self.facts.get("newest", "")
        return f"run {self.run[:6]}: {self.event} {self.facts.get('n', '')} {told} {self.outcome}"


class Step(NamedTuple):
    """A call as the model sees it."""

    call: Call
    event: str
    n: int
    extra: int
    outcome: str


def read(paths: Iterable[Path]) -> dict[str, list[Call]]:
    """All calls of the traces by log, in the order they began."""
    begun, ended, logs = {}, {}, {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            name = told.pop("run"), told.pop("call")
            if "begun" in told:
                begun[name] = told
                if told["event"] == "run.start":
                    logs[name[0]] = told["log"]
            else:
                ended[name] = told
    by_log: dict[str, list[Call]] = defaultdict(list)
    for name, told in begun.items():
        if told["event"] not in NUMBERS and told["event"] not in LEFT_OUT and told["event"] not in OTHER_KINDS:
            raise Unknown(f"the model knows no event {told['event']!r}: see docs/model.md, how to add one")
        end = ended.get(name, {"ended": float("inf"), "outcome": "failed"})
        facts = {key: value for key, value in (told | end).items() if key not in ("begun", "ended", "event", "outcome")}
        by_log[logs[name[0]]].append(Call(name[0], told["begun"], end["ended"], told["event"], end["outcome"], facts))
    return {log: sorted(calls, key=lambda call: call.begun) for log, calls in by_log.items()}


def lenses(calls: Sequence[Call]) -> list[dict[str, str]]:
    """For each lens the staged paths it sees, and whether each is a new file or a revision."""
    named: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    previews, order = set(), []
    for call in calls:
        for place, file in enumerate(call.facts.get("outputs", ())):
            target = file["sink"], file["dst"]
            replaces = file.get("replaces")
            named[target][file["src"]] = "revision" if replaces else "file"
            if replaces and replaces["revision"] == 0:
                previews.add(target)  # always the newest only, and outside of every promise
            order.append((place, target, file["src"]))
    corrected = {target for target, files in named.items() if "revision" in files.values()} - previews
    found: dict[object, dict[str, str]] = {target: named[target] for target in sorted(corrected)}
    for place, target, source in order:
        if target not in corrected and target not in previews:
            found.setdefault(place, {})[source] = "file"
    return list(found.values()) or [{}]


def steps(calls: Sequence[Call], lens: Mapping[str, str], targets: Container[str] = ()) -> Iterator[Step]:
    """The calls of one run as the model sees them through a lens, whose files end up as `targets`."""
    looked_for: Call | None = (
        None  # a move or replacement that found nothing to do: the next look at its target is part of it
    )
    restoring = False
    for call in calls:
        event, path = call.event, call.facts.get("path", "")
        seen = lens.get(path)
        was_restoring, restoring = restoring, event == "state.read"
        if event in ("file.move", "file.replace") and seen:
            looked_for = call if call.outcome in ("missing", "taken") else None
            yield Step(call, event, call.n, 0, call.outcome)
        elif event == "file.read" and looked_for and looked_for.facts["target"] == path:
            yield Step(call, event, looked_for.n, 0, call.outcome)
        elif event == "staged.delete" and seen:
            yield Step(call, event if looked_for else "object.delete", call.n, 0, call.outcome)
            looked_for = None
        elif event in ("file.stage", "revision.stage") and seen:
            yield Step(call, f"{seen}.stage", call.n, 0, call.outcome)
        elif event == "state.create":
            yield Step(call, event, call.n, int(".full." in path), call.outcome)
        elif event == "state.read" and was_restoring and call.outcome == "made":
            continue  # one restore reads several files
        elif event == "record.list":
            yield Step(call, event, call.n, call.facts.get("newest", -1) + 1, call.outcome)
        elif event == "compact.create":
            yield Step(call, event, call.n, _sealed_up_to(call, lens), call.outcome)
        elif event == "seal.publish":
            if path.endswith("/sealed-0000.parquet"):  # one file stands for all of its record; done already is as good
                yield Step(call, event, call.n, 0, "failed" if call.outcome == "failed" else "made")
        elif event == "live.delete":
            if path in targets:
                yield Step(call, event, int(_EPOCH.findall(path)[-1]) + 1, 0, call.outcome)
        elif event.endswith(".create") and "acked" in call.facts and event not in OTHER_KINDS:
            yield Step(call, event, call.n, min(call.facts["acked"].values(), default=call.n - 2) + 1, call.outcome)
        elif event in ("state.read", "run.start"):
            yield Step(call, event, 0, 0, call.outcome)
        elif event == "object.delete" and not (seen or path.startswith("state/")):
            continue  # an outbox or an old revision, which the model leaves out; or a staged file of another lens
        elif event in ("record.read", "record.delete", "object.delete") or event.startswith(("kafka.", "load.")):
            yield Step(call, event, call.n, call.facts.get("extra", 0), call.outcome)
        elif call.outcome == "failed" and call.ended != float("inf"):
            yield Step(call, "file.read", 0, 0, "failed")  # whatever failed: the run goes back to the log


def _sealed_up_to(call: Call, lens: Mapping[str, str]) -> int:
    """Up to which epoch of the model a compact record seals the table that a lens sees; 0 for another table."""
    sinks = {path.split("/")[3] for path in lens}
    stops = [stop for sink in sinks for _, stop in call.facts["sealed"].get(sink, ())]
    return max(stops, default=0)  # epochs are half-open there, and counted from 1 here


def targets_of(calls: Sequence[Call], lens: Mapping[str, str]) -> set[str]:
    """Where the files of a lens end up."""
    return {call.facts["target"] for call in calls if call.event == "file.move" and call.facts["path"] in lens}


def slots(calls: Sequence[Call]) -> list[list[list[Call]]]:
    """The runs, dealt to two writers of the model: each takes the next one when its last has ended."""
    runs: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        runs[call.run].append(call)
    dealt: list[list[list[Call]]] = [[], []]
    for run in sorted(runs.values(), key=lambda run: run[0].begun):
        free = [slot for slot in dealt if not slot or _last(slot[-1]) < run[0].begun]
        if not free:
            raise Unknown("more than two writers at a time: the model has two")
        free[0].append(run)
    return dealt


def _last(run: Sequence[Call]) -> float:
    return max(call.begun if call.ended == float("inf") else call.ended for call in run)


@dataclass
class Followed:
    """What became of one trace."""

    refused: list[str] = field(default_factory=list)
    lenses: int = 0
    calls: int = 0
    runs: int = 0

    def __iadd__(self, other: Followed) -> Self:
        return Followed(
            self.refused + other.refused, self.lenses + other.lenses, self.calls + other.calls, self.runs + other.runs
        )


class Follower:
    """Compiles the model once for each size, in a folder of its own, and follows traces."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._built = folder, {}

    def follow(self, paths: Iterable[Path], *, most: int | None = None, to_the_first: bool = False) -> Followed:
        """Follow all jobs of the traces through all lenses, or the `most` that see most, or up to the first refused."""
        found = Followed()
        for log, calls in read(paths).items():
            calls = _up_to_other_kinds(calls)
            dealt = slots(calls)
            found += Followed(calls=len(calls), runs=sum(map(len, dealt)))
            for lens in sorted(lenses(calls), key=len, reverse=True)[:most]:
                targets = targets_of(calls, lens)
                writers = [[step for run in slot for step in steps(run, lens, targets)] for slot in dealt]
                found.lenses += 1
                if refused := self._follow(writers):
                    found.refused.append(f"{log}, seen through {sorted(lens)[:1]}: {refused}")
                    if to_the_first:
                        break
        return found

    def _follow(self, writers: Sequence[Sequence[Step]]) -> str:
        """Why the model cannot do this; empty if it can."""
        lines = []
        for slot, own in enumerate(writers):
            others = [step.call.ended for step in writers[1 - slot]]
            for i, other in enumerate(others):  # a call that a death cut short is over once the next run begins
                if other == float("inf"):
                    others[i] = writers[1 - slot][i + 1].call.begun if i + 1 < len(others) else other
            for step in own:
                before = bisect_left(others, step.call.begun)
                lines.append(
                    f"{slot} {NUMBERS[step.event]} {step.n} {step.extra} {OUTCOMES.index(step.outcome)} {before}"
                )
        epochs = max((step.n for own in writers for step in own), default=0) + 3
        pan = self._pan(epochs)
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            Path(place, "trace").write_text("\n".join(lines))
            told = subprocess.run(
                [pan, "-E", "-n", "-w16", f"-m{100 * sum(map(len, writers)) + 10_000}"], cwd=place, env={**os.environ, "PROTOCOL_TRACE": "trace"},
                capture_output=True, text=True, check=False,
            ).stdout  # fmt: skip
        return "" if _FOLLOWED.search(told) else _told(told, writers)

    def _pan(self, epochs: int) -> Path:
        size = next(size for size in SIZES if epochs < size)
        if size not in self._built:
            flags = (
                "TRACE",
                "REVISIONS",
                "GC",
                "SEALING",
                f"E={size}",
                f"A={2 * size}",
                f"R={size}",
                "LOST=30000",
                "ROUNDS=30000",
            )
            place = self.folder / f"followed-{size}"
            place.mkdir()
            self._built[size] = compile_model(place, flags, ("-O0", "-DSAFETY"))
        return self._built[size]


def _up_to_other_kinds(calls: list[Call]) -> list[Call]:
    cut = next((i for i, call in enumerate(calls) if call.event in OTHER_KINDS), len(calls))
    return calls[:cut]


def _told(told: str, writers: Sequence[Sequence[Step]]) -> str:
    """Which call the model could not make."""
    broken = next((line for line in told.splitlines() if line.startswith("pan:1:")), "")
    line = next((line for line in told.splitlines() if line.startswith("followed ")), "")
    if not line or "max search depth too small" in told or "out of memory" in told:
        return f"the checker gave no answer: {told[-500:]}"
    reached = [int(word) for word in line.split()[1:3]]
    stuck = [str(own[at].call) for own, at in zip(writers, reached, strict=True) if at < len(own)]
    return f"{broken or 'no behaviour of the model goes on with'} {' or '.join(stuck)} (call {reached})"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="formal-") as folder:
        found = Follower(Path(folder)).follow(map(Path, sys.argv[1:]))
    print(*found.refused, sep="\n" if found.refused else "")
    print(f"{found.runs} runs, {found.calls} calls, {found.lenses} lenses: {len(found.refused)} refused")
    return int(bool(found.refused))


if __name__ == "__main__":
    sys.exit(main())
