"""Each failpoint with each action, in process, on files: no cell loses, doubles or changes a row."""

import pytest
from tests.chaos import matrix

from arrowflow.errors import ConfigError
from arrowflow.failpoints import REGISTRY, UPLOADS, Failpoints

CELLS = [(point, action) for point in matrix.points() for action in matrix.ACTIONS]
POSSIBLE = [cell for cell in CELLS if matrix.why_not(*cell) is None]


@pytest.mark.parametrize(("point", "action"), POSSIBLE, ids=[":".join(cell) for cell in POSSIBLE])
def test_this_action_at_this_point_leaves_each_window_once_as_its_newest_revision(point, action, tmp_path):
    assert matrix.cell(point, action, tmp_path / "lake") == []


def test_a_cell_that_cannot_be_is_refused_by_name():
    for point, action in set(CELLS) - set(POSSIBLE):
        with pytest.raises(ConfigError, match=rf"{point}.* cannot do '{action}'"):
            Failpoints.parse(f"{point}:1:{action}")


def test_every_point_that_writes_bytes_is_a_point():
    assert set(REGISTRY) >= UPLOADS


def test_a_cell_that_is_never_passed_says_so(tmp_path, monkeypatch):
    """So that a matrix of points nobody passes cannot be green."""
    monkeypatch.setattr(matrix, "live", lambda folder, plan, trace=None: trace and trace.write_text(""))

    assert "publish.move was never passed" in matrix.cell("publish.move", "kill", tmp_path / "lake")
