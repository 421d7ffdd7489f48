"""The command line as a process of its own, on a configuration that needs no broker: gold.toml over an archive of its sample."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "configs" / "gold.toml"


def write_config(folder: Path, archive: Path, *, cadence: str = "1s", limits: str = "") -> Path:
    """gold.toml with its Kafka table exchanged for `archive`, its lake in `folder`; returns the file."""
    text = GOLD.read_text(encoding="utf-8")
    text = re.sub(
        r"\[source\.kafka\].*?\[source\.kafka\.schema\]",
        f'[source.replay]\npaths = ["{archive}"]\n\n[source.replay.schema]',
        text,
        flags=re.DOTALL,
    )
    text = text.replace("${ARROWFLOW_LAKE:-./lake}", str(folder / "lake")).replace("${ARROWFLOW_CADENCE:-5m}", cadence)
    file = folder / "gold.toml"
    file.write_text(f"{text}\n{limits}\n", encoding="utf-8")
    return file


def arrowflow(*args: str | Path, path: str = "", **env: str) -> subprocess.Popen[str]:
    """Start ``arrowflow ARGS``; `path` comes before everything else that Python imports from."""
    parts = [path] if path else []
    python_path = os.pathsep.join([*parts, str(ROOT / "src")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARROWFLOW_", "TZ"))}
    return subprocess.Popen(
        [sys.executable, "-m", "arrowflow", *map(str, args)],
        env={**kept, "PYTHONPATH": python_path, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(child: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    """Wait for the end; returns exit code, stdout and stderr. A child that does not end is killed, whatever failed."""
    try:
        out, err = child.communicate(timeout=seconds)
    finally:
        if child.poll() is None:
            child.kill()
    return child.returncode, out, err


def wait_for(condition, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
