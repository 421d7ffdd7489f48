"""On a real Kafka, with records arriving all along: thirty kills, frozen writers, three reading engines, one answer."""

from __future__ import annotations

import pytest
from tests.chaos.kafka_campaign import (
    campaign_on,
    finish,
    freeze_and_fence,
    kill_at_random,
    run_until,
    strange_protocol,
    watched,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(2400)]


def test_thirty_kills_leave_exactly_the_answer_and_readers_never_see_anything_else(kafka, tmp_path):
    with campaign_on(kafka, tmp_path, rows=30_000, seed=1) as (campaign, arrivals), watched(campaign) as report:
        deaths = kill_at_random(campaign, kills=30, in_flight=20)
        run_until(campaign, epochs=200)
        finish(campaign, arrivals)

    in_flight = sum(flying for _, flying in deaths)
    print(f"{in_flight} of {len(deaths)} kills with an epoch in flight; {campaign.data_epochs()} epochs; {report}")
    assert campaign.wrong() == []
    assert strange_protocol(campaign) == []
    assert report["violations"] == []
    assert min(report["looks"].values()) > 50
    assert in_flight >= 20
    assert campaign.data_epochs() >= 200


def test_a_frozen_writer_that_wakes_up_is_fenced_and_doubles_nothing(kafka, tmp_path):
    with campaign_on(kafka, tmp_path, rows=20_000, seed=2) as (campaign, arrivals), watched(campaign) as report:
        ends = freeze_and_fence(campaign, zombies=6)
        finish(campaign, arrivals)

    assert [code for _, code in ends] == [7] * len(ends), ends
    assert campaign.wrong() == []
    assert strange_protocol(campaign) == []
    assert report["violations"] == []
