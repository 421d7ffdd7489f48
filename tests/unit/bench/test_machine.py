"""Which machine, which versions, which commit."""

import shutil
import subprocess

import pytest

from arrowflow.bench.machine import commit_of, these_versions, this_machine


def test_the_machine_has_a_processor_cores_and_memory():
    machine = this_machine()

    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_mb > 100


def test_versions_of_what_figures_depend_on_are_told():
    found = these_versions()

    assert {"python", "numba", "pyarrow", "polars", "librdkafka", "arrowflow", "commit"} <= set(found)
    assert found["numba"][0].isdigit()
    assert found["librdkafka"][0].isdigit()


def test_outside_a_checkout_the_commit_is_unknown(tmp_path):
    assert commit_of(tmp_path) == "unknown"


def test_a_commit_is_told_and_marked_where_files_were_changed_since(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "one")
    clean = commit_of(tmp_path)
    (tmp_path / "file").write_text("2")

    assert len(clean) == 10
    assert commit_of(tmp_path) == f"{clean}+"
