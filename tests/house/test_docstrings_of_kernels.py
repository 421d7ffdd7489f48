"""What a kernel's docstring says about parameters and results is what the kernel has, type for type."""

import subprocess
import sys
import tomllib

from tests.house.planting import PACKAGE, ROOT

KERNELS = sorted(str(file) for file in PACKAGE.rglob("kernels/*.py"))
CHECKS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"]

PLANTS = {
    "PR01": ("def f(a, b):", "Parameters\n----------\na : int64\n    One."),
    "PR02": ("def f(a):", "Parameters\n----------\na : int64\n    One.\nb : int64\n    Not there."),
    "PR03": ("def f(a, b):", "Parameters\n----------\nb : int64\n    Two.\na : int64\n    One."),
    "PR04": ("def f(a):", "Parameters\n----------\na\n    One."),
    "RT01": ("def f():", "Notes\n-----\nO(1)."),
    "RT03": ("def f():", "Returns\n-------\nint64"),
    "YD01": ("def f():", "Notes\n-----\nO(1)."),
}


def lint(*files):
    """Return what numpydoc said about `files`, and whether it was content."""
    told = subprocess.run(
        [sys.executable, "-m", "numpydoc", "lint", "--config", str(ROOT), *files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode in (0, 1), told.stderr
    return told.stdout + told.stderr, told.returncode == 0


def test_every_kernel_documents_what_it_has():
    told, content = lint(*KERNELS)

    assert len(KERNELS) >= 11
    assert content, told


def test_each_check_is_shown_to_notice(tmp_path):
    assert sorted(PLANTS) == CHECKS
    for code, (head, sections) in PLANTS.items():
        body = "yield 1" if code == "YD01" else "return 1" if code.startswith("RT") else "pass"
        lines = ['"""Do it.', "", *sections.split("\n"), '"""', body]
        file = tmp_path / f"{code.lower()}.py"
        file.write_text("\n".join(['"""Kernels."""', head, *("    " + line for line in lines)]) + "\n")

    told, content = lint(*(str(tmp_path / f"{code.lower()}.py") for code in PLANTS))

    assert not content
    assert [code for code in PLANTS if f"{code.lower()}.py:2: {code} " not in told] == [], told
