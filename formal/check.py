"""Check the commit protocol with SPIN: every state of every setting, and every mutant of `table.toml` refuted.

``python formal/check.py`` runs the short table, ``--smoke`` the part that CI runs, ``--full`` the large
settings too; ``--only TEXT`` picks lines by name; ``--show NAME`` tells a mutant's counterexample call by call; ``--markdown FILE``
writes the tables of docs/model.md. Needs ``spin`` and ``gcc``. Exit code 1 if a line is not as it should be, 3 without the tools.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY_MB = int(os.environ.get("FORMAL_MEMORY_MB", "6000"))
OUTCOMES = ("", "made", "taken", "missing", "failed")
SMOKE_SETTINGS = {"moves", "garbage", "revisions"}
LARGE = {
    "horizon not announced", "state collected by age alone", "staged files of any age are collected",
    "a move that takes any source", "a revision without precondition", "marker read before init_transactions", "marker ignored",
    "a transactional id for each run", "load jobs with ids of their own",
}  # fmt: skip
"""Mutants whose counterexample lies behind some 100,000 states: left out of the smoke run."""


@dataclass(frozen=True)
class Line:
    """One line of the table: a setting, or a mutant if it has a rule that is off."""

    name: str
    flags: tuple[str, ...]
    what: str
    reading: str = ""
    full: bool = False

    @property
    def mutant(self) -> bool:
        return bool(self.reading)


@dataclass(frozen=True)
class Verdict:
    """What the checker said."""

    line: Line
    states: int
    depth: int
    seconds: float
    violated: str
    whole: bool

    @property
    def as_it_should_be(self) -> bool:
        refuted = bool(self.violated) and not re.search(r"<\d+", self.violated)  # `n < E` only says that E is too small
        return refuted if self.line.mutant else self.whole and not self.violated


def lines() -> Iterator[Line]:
    table = tomllib.loads((HERE / "table.toml").read_text(encoding="utf-8"))
    for kind in ("setting", "mutant"):
        for entry in table[kind]:
            bounds = zip(("CRASHES", "LOST", "ROUNDS"), entry["bounds"], strict=True)
            flags = (*(f"{name}={value}" for name, value in bounds), *entry.get("flags", ()))
            what = entry["rule"] if kind == "mutant" else entry["what"]
            yield Line(entry["name"], flags, what, entry.get("reading", ""), entry.get("full", False))


def compile_model(folder: Path, flags: Sequence[str], cc: Sequence[str]) -> Path:
    """Translate the model and compile its checker in `folder`."""
    told = subprocess.run(
        ["spin", "-a", *(f"-D{flag}" for flag in flags), str(HERE / "commit.pml")],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not (folder / "pan.c").exists():
        raise SystemExit(f"spin could not translate the model with {list(flags)}:\n{told.stdout}{told.stderr}")
    options = ["-w", "-DCOLLAPSE", "-DVECTORSZ=300000", f"-DMEMLIM={MEMORY_MB}", *cc]
    subprocess.run(["gcc", *options, "-o", "pan", "pan.c"], cwd=folder, check=True)
    return folder / "pan"


def check(line: Line, folder: Path | None = None) -> Verdict:
    """Search all states of a line; a mutant breadth first, so that its counterexample is a shortest one."""
    with tempfile.TemporaryDirectory(prefix="formal-") as own:
        place = folder or Path(own)
        search = ("-O0", "-DSAFETY", "-DBFS") if line.mutant else ("-O2" if line.full else "-O0", "-DSAFETY")
        pan = compile_model(place, line.flags, search)
        told = subprocess.run([pan, "-m1000000"], cwd=place, capture_output=True, text=True, check=False).stdout
    return read_verdict(line, told)


def read_verdict(line: Line, told: str) -> Verdict:
    violated = re.search(r"pan:1: (?:assertion violated )?(.*?) \(at depth (\d+)\)", told)
    states = re.search(r"^\s*(\d+) states, stored", told, re.MULTILINE)
    depth = re.search(r"depth reached (\d+)", told)
    seconds = re.search(r"elapsed time (\S+) seconds", told)
    if not (states and depth and seconds):
        raise SystemExit(f"{line.name}: the checker gave no figures:\n{told[-2000:]}")
    return Verdict(
        line,
        states=int(states[1]),
        depth=int(violated[2]) if violated else int(depth[1]),
        seconds=float(seconds[1]),
        violated=violated[1].strip() if violated else "",
        whole="Search not completed" not in told and "max search depth too small" not in told,
    )


def event_names() -> dict[int, str]:
    """The events of the model by number, with the dot they have in traces."""
    text = (HERE / "events.pml").read_text(encoding="utf-8").split("how a call ended")[0]
    return {int(number): name.replace("_", ".", 1) for name, number in re.findall(r"#define (\w+)\s+(\d+)\b", text)}


def left_out() -> frozenset[str]:
    """The events that the engine tells of and the model has nothing for."""
    text = (HERE / "events.pml").read_text(encoding="utf-8")
    found = re.search(r"left out: (.*)", text)
    return frozenset(name.replace("_", ".", 1) for name in found[1].split()) if found else frozenset()


def counterexample(line: Line) -> list[str]:
    """The calls of both writers up to the assertion that fails."""
    names = event_names()
    with tempfile.TemporaryDirectory(prefix="formal-") as own:
        verdict = check(line, Path(own))
        replay = [
            "spin",
            "-t",
            "-k",
            "commit.pml.trail",
            *(f"-D{flag}" for flag in line.flags),
            str(HERE / "commit.pml"),
        ]
        told = subprocess.run(replay, cwd=own, capture_output=True, text=True, check=False).stdout
    calls = []
    for found in re.finditer(r"@ (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", told):
        writer, run, event, n, extra, outcome = map(int, found.groups())
        run_name = f"run {run}" if run else "a new run"
        calls.append(
            f"{' ' * 44 * writer}{run_name}: {names[event]} {n or ''} {f'({extra})' if extra else ''} {OUTCOMES[outcome]}"
        )
    return [*calls, f"violated: {verdict.violated}"]


def chosen(asked: argparse.Namespace) -> list[Line]:
    table = list(lines())
    if asked.only:
        return [line for line in table if asked.only in line.name and (asked.full or not line.full)]
    if asked.smoke:
        return [line for line in table if (line.name in SMOKE_SETTINGS if not line.mutant else line.name not in LARGE)]
    return [line for line in table if asked.full or not line.full]


def told_in_a_row(verdict: Verdict) -> str:
    mark = "ok " if verdict.as_it_should_be else "NOT"
    kind = "refuted" if verdict.violated else "all states" if verdict.whole else "NOT ALL"
    broken = f"  {verdict.violated}" if verdict.violated else ""
    return f"{mark} {verdict.line.name:45s} {kind:10s} {verdict.states:>10,} states  depth {verdict.depth:>4}  {verdict.seconds:6.2f} s{broken}"


def markdown(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Both tables of docs/model.md."""
    yield "| setting | what | states | depth |\n|---|---|---|---|"
    for v in verdicts:
        if not v.line.mutant:
            yield f"| {v.line.name} | {v.line.what} | {v.states:,} | {v.depth} |"
    yield "\n| switched off | the rule | steps | how it goes wrong |\n|---|---|---|---|"
    for v in verdicts:
        if v.line.mutant:
            yield f"| {v.line.name} | {v.line.what} | {v.depth} | {v.line.reading} |"


def missing_tools() -> list[str]:
    return [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--smoke", action="store_true")
    options.add_argument("--full", action="store_true")
    options.add_argument("--only", default="")
    options.add_argument("--show", default="")
    options.add_argument("--markdown", type=Path)
    options.add_argument("--processes", type=int, default=1)
    asked = options.parse_args()
    if missing := missing_tools():
        print(f"the model was not checked: {' and '.join(missing)} not found (Debian: apt-get install spin gcc)")
        return 3
    if asked.show:
        print(*counterexample(next(line for line in lines() if line.name == asked.show)), sep="\n")
        return 0
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(asked.processes) as pool:
        for verdict in pool.map(check, chosen(asked)):
            verdicts.append(verdict)
            print(told_in_a_row(verdict), flush=True)
    if asked.markdown:
        asked.markdown.write_text("\n".join(markdown(verdicts)) + "\n", encoding="utf-8")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrong = [verdict.line.name for verdict in verdicts if not verdict.as_it_should_be]
    mutants = sum(verdict.line.mutant for verdict in verdicts)
    print(
        f"{len(verdicts) - mutants} settings, {sum(v.states for v in verdicts if not v.line.mutant):,} states; {mutants} mutants; "
        f"{spent.ru_utime + spent.ru_stime:.0f} s of CPU; "
        + (f"NOT as it should be: {wrong}" if wrong else "all as it should be")
    )
    return int(bool(wrong) or not verdicts)


if __name__ == "__main__":
    sys.exit(main())
