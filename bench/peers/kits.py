"""What a peer needs, made on demand in .cache/peers of the checkout: an environment of its own, its jars. Never in the product's.

A folder of bench/peers with a `requirements.txt` gets a virtual environment, one with a `pom.xml` gets jars by Maven, one
with Java sources gets them compiled. Kits are named after the contents of those files, so a changed pin is a new kit.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "peers"
_PATIENCE_S = 900.0


class KitUnavailable(RuntimeError):
    """This machine cannot have it; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Where the interpreter, the jars and the compiled classes of a peer are; a part it has no use for does not exist."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def jars(self) -> Path:
        return self.folder / "jars"

    @property
    def classes(self) -> Path:
        return self.folder / "classes"


def make(name: str) -> Kit:
    """Return the kit of a peer; the first call on a machine installs it. Raises `KitUnavailable`."""
    described = sorted(each for each in (HERE / name).iterdir() if each.suffix in {".txt", ".xml", ".java"})
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in described)).hexdigest()[:12]
    final = CACHE / f"{name}-{digest}"
    if (final / "whole").exists():
        return Kit(final)
    shutil.rmtree(final, ignore_errors=True)  # what an interrupted call left
    final.mkdir(parents=True)
    kit = Kit(final)
    if (requirements := HERE / name / "requirements.txt") in described:
        _install(requirements, kit)
    if (pom := HERE / name / "pom.xml") in described:
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={kit.jars}"]
        _call(["mvn", "-q", "-B", "-f", str(pom), *goal], "Maven")
    if sources := [str(each) for each in described if each.suffix == ".java"]:
        _call(["javac", "-nowarn", "-cp", f"{kit.jars}/*", "-d", str(kit.classes), *sources], "javac")
    (final / "whole").touch()
    return kit


def _install(requirements: Path, kit: Kit) -> None:
    _call([sys.executable, "-m", "venv", str(kit.folder / "venv")], "venv")
    if importlib.util.find_spec("uv"):
        installer = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(kit.python)]
    else:
        installer = [str(kit.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*installer, "-r", str(requirements)], "pip")


def _call(command: Sequence[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except FileNotFoundError as error:
        raise KitUnavailable(f"{command[0]!r} is not on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise KitUnavailable(f"{what} took longer than {_PATIENCE_S:.0f} s") from error
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise KitUnavailable(f"{what} failed: {' '.join(lines[-3:])[-300:]}")


def header() -> Path | None:
    """The folder that holds librdkafka/rdkafka.h, fetched from Debian's package where it is not installed; None if it cannot be."""
    installed = Path("/usr/include")
    if (installed / "librdkafka" / "rdkafka.h").exists():
        return installed
    unpacked = CACHE / "librdkafka" / "usr" / "include"
    if not (unpacked / "librdkafka" / "rdkafka.h").exists():
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(
                    ["apt-get", "download", "librdkafka-dev"], cwd=folder, check=True, capture_output=True, timeout=120
                )
                package = next(Path(folder).glob("*.deb"))
                subprocess.run(["dpkg", "-x", str(package), str(CACHE / "librdkafka")], check=True, capture_output=True)
            except (OSError, subprocess.SubprocessError, StopIteration):
                return None
    return unpacked
