"""What the simulator refutes: every rule of the commit protocol that is left out costs a row within some hundred seeds."""

import pytest
from tests.simulation.weaker import WEAKER, first_refuting

from arrowflow.testing.simulation.history import simulate


@pytest.mark.parametrize("weaker", WEAKER, ids=[weaker.what for weaker in WEAKER])
def test_a_wrong_protocol_is_refuted_within_the_stated_seeds_and_the_right_one_is_not(weaker, monkeypatch):
    with monkeypatch.context() as context:
        weaker.plant(context.setattr)
        found = first_refuting(weaker.within, weaker.first)

    assert found is not None, f"{weaker.within} histories hold under: {weaker.what}"
    seed, wrong = found
    print(f"seed {seed}: {wrong[0]}")
    assert simulate(seed).wrong == ()
