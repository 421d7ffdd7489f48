"""A small round of the campaign of flipped bits; `python -m tests.chaos.bit_flips --flips 100000` is the large one."""

from __future__ import annotations

from tests.chaos.bit_flips import Tally, flip_many, restart_many


def test_row_81_every_one_of_2000_flipped_bits_is_found_and_its_file_named(tmp_path):
    tally = Tally()

    flip_many(tmp_path, 2000, seed=1, tally=tally)

    assert tally.missed == []
    assert set(tally.flips) == {"record", "job.json", "state", "Parquet"}
    assert tally.newest_record >= 100


def test_row_81_after_a_flipped_bit_the_engine_gives_the_same_rows_or_stops_with_the_files_name(tmp_path):
    tally = Tally()

    restart_many(tmp_path, 30, seed=1, tally=tally)

    assert tally.wrong == []
    assert tally.restarts["state: finished"] > 2
    assert tally.restarts["record: stopped"] > 0
