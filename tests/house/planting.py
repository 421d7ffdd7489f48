"""A copy of the package in which a test may plant what must not be there. Never touches the tree itself."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "arrowflow"


def copy_of_the_package(folder: Path) -> Path:
    """Copy the package and the project file into `folder`; return the copy of the package."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    copy = folder / "arrowflow"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def file_of(package: Path, module: str) -> Path:
    """Return the file of a dotted module name inside a copy of the package."""
    path = package.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def plant(file: Path, code: str) -> None:
    """Put `code` at the end of a file of the copy; a file that is not there yet is made."""
    with file.open("a") as out:
        out.write("\n" + code + "\n")
