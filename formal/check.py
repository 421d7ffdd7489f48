"""Check the commit protocol with SPIN: every state of the model, and every rule switched off must be refuted.

``python formal/check.py`` runs the short table, ``--full`` the large configurations too, ``--only NAME`` one line, ``--show NAME``
tells a mutant's counterexample call by call. Needs ``spin`` and ``gcc``. Exit code 1 if anything is not as the table says.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
OUTCOMES = {"made": 1, "taken": 2, "missing": 3, "failed": 4}
EXHAUSTED = ("<12", "<8", "<14", "<16", "<10")


@dataclass(frozen=True)
class Setting:
    """One way to compile the model; `flags` are -D options without the -D."""

    name: str
    flags: tuple[str, ...]
    what: str
    full: bool = False


@dataclass(frozen=True)
class Mutant:
    """A rule that is switched off; `reading` says what the counterexample shows."""

    name: str
    flags: tuple[str, ...]
    rule: str
    reading: str


@dataclass(frozen=True)
class Verdict:
    """What the checker said of one setting or mutant."""

    states: int
    seconds: float
    depth: int
    violated: str
    whole: bool


def small(*flags: str, crashes: int = 0, lost: int = 0, rounds: int = 0) -> tuple[str, ...]:
    return (f"CRASHES={crashes}", f"LOST={lost}", f"ROUNDS={rounds}", *flags)


from formal_table import MUTANTS, SETTINGS  # noqa: E402
