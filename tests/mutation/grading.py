"""Grades one mutant in a child process forked from one that has loaded all libraries, but nothing of the package."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import Mutant
from tests.mutation.targets import files_of, target_of

ROOT = Path(__file__).parents[2]
PACKAGE = Path("arrowflow/windows")
LIVES, LAWS, TESTS, IMPORT, TIMEOUT = 0, 10, 11, 12, 13
WORDS = {LIVES: "SURVIVES", LAWS: "killed by laws", TESTS: "killed by tests", IMPORT: "no import", TIMEOUT: "timeout"}
EXAMPLES, MORE = 500, 1000
"""Examples of the laws aimed at the module, and of all laws for a mutant that lived through everything else."""
_STEPS = (120, 180, 300, 420)
"""CPU seconds a mutant may have used at the end of each step; unchanged code needs less than a tenth of the first."""
_MEMORY = 8 << 30
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Libraries are loaded before pytest could look at them, which it would warn of."""
_LONG = ("-k", "not test_all_aggregates_together and not test_estimates_are_unbiased")
"""Leaves out tests that take many seconds without the JIT."""


class Grade(NamedTuple):
    """How a mutant ended: one of the codes above, what noticed it, and how long that took."""

    mutant: Mutant
    code: int
    noticed: str
    seconds: float


class Bench:
    """A copy of the package in which one mutant at a time is made and graded."""

    def __init__(self, folder: Path) -> None:
        self.source, self.log = folder / "src", folder / "log"
        shutil.copytree(ROOT / "src", self.source)
        self._mutant: Mutant | None = None
        self._began = 0.0

    def begin(self, mutant: Mutant, *, quick: bool) -> int:
        """Fork a child that grades; returns its process id."""
        self._mutant, self._began = mutant, time.monotonic()
        file = self.source / PACKAGE / mutant.file
        file.write_bytes(mutant.applied((ROOT / "src" / PACKAGE / mutant.file).read_bytes()))
        for cached in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            cached.unlink()
        child = os.fork()
        if not child:
            _grade(self.source, mutant, self.log, quick=quick)
        return child

    def end(self, status: int) -> Grade:
        """What a child that ended with `status` found; the package is whole again."""
        mutant = self._mutant
        assert mutant is not None
        shutil.copyfile(ROOT / "src" / PACKAGE / mutant.file, self.source / PACKAGE / mutant.file)
        code = os.waitstatus_to_exitcode(status)
        if code not in WORDS:
            # Out of CPU time, or a crash of the interpreter, which any test would notice.
            code = TIMEOUT if code == -signal.SIGXCPU else TESTS
        lines = self.log.read_text(errors="replace").splitlines()
        told = [line for line in lines if line.startswith(("NOTICED", "FAILED", "ERROR"))]
        return Grade(mutant, code, told[0][:160] if told else "", time.monotonic() - self._began)


def preload() -> None:
    """Import what every child needs and no mutant changes."""
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "HYPOTHESIS_PROFILE": "few", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    import hypothesis
    import numba
    import polars
    import pyarrow.compute
    import pyarrow.parquet
    import pytest

    assert not any(name.split(".")[0] == "arrowflow" for name in sys.modules), "the package must not be loaded yet"
    assert numba.config.DISABLE_JIT, (hypothesis, polars, pyarrow, pytest)


def _grade(source: Path, mutant: Mutant, log: Path, *, quick: bool) -> None:
    """The child: try everything on the mutant and leave with a code."""
    code = IMPORT
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        sys.path[:0] = [str(source)]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(source), str(ROOT)])
        code = _steps(mutant, quick=quick)
    except BaseException as error:  # noqa: BLE001 (whatever a mutant raises on import, the child must leave here)
        print(f"NOTICED {type(error).__name__}: {error}")
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def _steps(mutant: Mutant, *, quick: bool) -> int:
    """Aimed laws, tests of the module, all tests, all laws: the first that notices ends it; `quick` is the first two."""
    target = target_of(mutant.file)
    _allow(_STEPS[0])
    from tests.laws.campaign import Choice, examples

    usual = Choice()
    aimed = Choice(usual.laws, target.kinds or usual.kinds, target.aggregates)
    first, others = files_of(ROOT, target.tests)
    if _is_noticed(examples(1, range(EXAMPLES), aimed)):
        return LAWS
    for step, files in enumerate((first,) if quick else (first, others), 1):
        _allow(_STEPS[step])
        if _pytest([*(_LONG if quick else ()), *files]):
            return TESTS
    if quick:
        return LIVES
    _allow(_STEPS[3])
    return LAWS if _is_noticed(examples(2, range(MORE), usual)) else LIVES


def _is_noticed(outcome: tuple) -> bool:
    _held, failure = outcome
    if failure is not None:
        print(f"NOTICED by {failure.law} of {failure.kind}: {failure.error}")
    return failure is not None


def _pytest(files: list[str]) -> bool:
    import pytest

    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", *_QUIET, *files]) not in (0, 5)


def _allow(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, _STEPS[-1] + 60))
