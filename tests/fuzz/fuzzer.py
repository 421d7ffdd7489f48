"""Coverage-guided fuzzing with atheris over the kernels as plain Python, and a corpus that stays small. Not part of CI.

``python -m tests.fuzz.json --seconds 300`` begins from the corpus and the seeds, lets libFuzzer look for inputs that reach
new branches of `arrowflow.decoders`, and keeps of all of them the smallest that together reach each pair of lines
that was reached. It exits with 1 for an input on which the two readers differ, which it keeps too.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
WATCHED = os.path.join("arrowflow", "decoders")  # noqa: PTH118 - compared with text


def main(name: str) -> None:
    """Fuzz one target: ``json`` or ``avro``."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{name}", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to look; 0: only make the corpus small")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer's dice; 0: another each time")
    parser.add_argument("--step", choices=("fuzz", "reduce"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step == "fuzz":
        fuzz(name, args.folder, args.seconds, args.seed)
    elif args.step == "reduce":
        reduce(name, args.folder)
    else:
        sys.exit(run(name, args.seconds, args.seed))


def run(name: str, seconds: int, seed: int) -> int:
    """Fuzz, then reduce, each in a process without compiled kernels; how it ended."""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    with tempfile.TemporaryDirectory() as folder:
        step = [sys.executable, "-m", f"tests.fuzz.{name}", "--folder", folder]
        found = 0
        if seconds:
            found = subprocess.run(
                [*step, "--step", "fuzz", "--seconds", str(seconds), "--seed", str(seed)], env=env, check=False
            ).returncode
        for file in Path(folder).glob("crash-*"):
            (CORPUS / name / file.name).write_bytes(file.read_bytes())
            print(f"the readers differ on {CORPUS / name / file.name}")
        reduced = subprocess.run([*step, "--step", "reduce"], env=env, check=False).returncode
    return 1 if found or reduced else 0


def fuzz(name: str, folder: Path, seconds: int, seed: int) -> None:
    """Let libFuzzer look for so many seconds; ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris (Linux or macOS)")
    with atheris.instrument_imports(include=["arrowflow.decoders"]):
        target = importlib.import_module(f"tests.fuzz.{name}_records")
    for data in (*inputs(name), *target.seeds()):
        (folder / _name_of(data)).write_bytes(data)
    options = [f"-max_total_time={seconds}", "-timeout=60", f"-artifact_prefix={folder}/", f"-max_len={target.LARGEST}"]
    atheris.Setup(["fuzz", str(folder), *options, f"-seed={seed}", "-print_final_stats=1"], target.check)
    atheris.Fuzz()


def reduce(name: str, folder: Path) -> None:
    """Write the smallest inputs that reach all that is reached; crashes stay."""
    target = importlib.import_module(f"tests.fuzz.{name}_records")
    known = {*inputs(name), *(file.read_bytes() for file in folder.iterdir() if not file.name.startswith("crash-"))}
    for data in target.seeds()[:5]:
        target.check(data)  # what is done once, such as building decoders, is no input's own
    reached: set[tuple[str, int, int]] = set()
    kept = []
    for data in sorted(known or target.seeds(), key=lambda each: (len(each), each)):
        more = arcs(target.check, data)
        if not more <= reached:
            reached |= more
            kept.append(data)
    for file in (CORPUS / name).iterdir():
        if not file.name.startswith("crash-"):
            file.unlink()
    for data in kept:
        (CORPUS / name / _name_of(data)).write_bytes(data)
    print(
        f"{name}: {len(kept)} of {len(known)} inputs reach all {len(reached)} pairs of lines, {sum(map(len, kept)):,} bytes"
    )


def inputs(name: str) -> list[bytes]:
    """The inputs of a corpus, in the order of their names."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def arcs(check: Any, data: bytes) -> set[tuple[str, int, int]]:
    """Every pair of lines of the decoders that follow each other while an input is checked."""
    found: set[tuple[str, int, int]] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if WATCHED not in frame.f_code.co_filename:
            return None
        if event == "line":
            found.add((frame.f_code.co_filename, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        elif event == "return":
            last.pop(id(frame), None)
        return trace

    sys.settrace(trace)
    try:
        check(data)
    finally:
        sys.settrace(None)
    return found


def _name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
