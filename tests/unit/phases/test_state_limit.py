"""Open windows that need more memory than they may stop the job; what was committed stands, and a larger limit goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from tests.support.small import pipeline, results, rows, window

from arrowflow.commitlog.local import LocalLogSpec
from arrowflow.engine import start
from arrowflow.errors import StateTooLarge
from arrowflow.failpoints import Failpoints
from arrowflow.pipeline import RunOptions

TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


def records(folder, name="small"):
    """Every record of the job, by epoch."""
    log, _control = LocalLogSpec(str(folder / name / "_log")).build(Failpoints())
    return {epoch: log.read(epoch) for epoch in log.epochs_after(-1)}


def run(folder, events, limit):
    job = pipeline(folder, rows(*events), operator=replace(window(), max_state_bytes=limit), max_epoch_rows=500)
    return start(job, TO_THE_END).result()


def answer(events):
    counted, total = Counter(), Counter()
    for key, t, value in events:
        counted[key, t // 10 * 10] += 1
        total[key, t // 10 * 10] += value
    return sorted((*place, n, total[place]) for place, n in counted.items())


def test_row_43_ever_new_keys_stop_the_job_and_the_next_run_with_a_larger_limit_goes_on(tmp_path):
    events = [(f"key {n}", 100, 1.0) for n in range(4000)]

    with pytest.raises(StateTooLarge) as raised:
        run(tmp_path, events, 300_000)
    before = records(tmp_path)

    message = str(raised.value)
    assert raised.value.exit_code == 4
    assert "max_state_bytes is 300,000" in message
    assert "tumbling windows (or panes) of" in message
    assert f"Nothing of epoch {max(before) + 1} was committed" in message
    assert 0 < sum(record.balance.read for record in before.values()) < 4000
    assert results(tmp_path) == []

    run(tmp_path, events, 10_000_000)

    after = records(tmp_path)
    assert {epoch: after[epoch] for epoch in before} == before, "what was committed stands"
    assert sum(record.balance.read for record in after.values()) == 4000, "and nothing is read twice"
    assert results(tmp_path) == answer(events)


def test_row_43_a_key_with_99_percent_of_the_records_ends_well_under_the_limit_that_many_keys_pass(tmp_path):
    events = [(f"key {n}" if n % 100 == 0 else "hot", 100, 1.0) for n in range(4000)]

    run(tmp_path, events, 300_000)

    assert results(tmp_path) == answer(events)
    assert results(tmp_path)[0] == ("hot", 100, 3960, 3960.0)
