"""Open windows may take half of the memory there is, and what there is depends on who limits it."""

import os
import subprocess
import sys

import pytest

from arrowflow.config.memory import memory_limit

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
UNLIMITED = "9223372036854771712"


def made(root, cgroup, limits):
    """A root folder that says what a process would read there."""
    for name, text in {"proc/self/cgroup": cgroup, **limits}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {}, MACHINE),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "max\n"}, MACHINE),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "1000000\n"}, 1_000_000),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "2000000\n"}, 2_000_000),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/memory.max": "1000000\n", "sys/fs/cgroup/a/memory.max": "2000000\n"}, 10**6),
        (
            "9:cpu:/x\n4:memory:/docker/c\n",
            {
                "sys/fs/cgroup/memory/docker/c/memory.limit_in_bytes": "3000000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{UNLIMITED}\n",
            },
            3_000_000,
        ),
    ],
)
def test_the_least_limit_of_the_control_groups_around_a_process_counts(tmp_path, cgroup, limits, expected):
    assert memory_limit(made(tmp_path, cgroup, limits)) == expected


def test_without_control_groups_the_machine_is_the_limit(tmp_path):
    assert memory_limit(tmp_path) == MACHINE


def test_an_address_space_that_is_limited_is_the_limit():
    code = "from arrowflow.config.memory import memory_limit; print(memory_limit())"
    command = ["sh", "-c", 'ulimit -v 400000; exec "$0" -c "$1"', sys.executable, code]

    told = subprocess.run(command, capture_output=True, text=True, check=True)

    assert int(told.stdout) <= 400_000 * 1024
