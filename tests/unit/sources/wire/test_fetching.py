"""Columnar fetch against a broker on loopback that lies, hangs up, moves and throttles on demand."""

import random
import struct
import time

import pytest

from arrowflow.errors import ArrowflowError, ConfigError, DataLossError, RetryableError, Unreachable
from arrowflow.sources.kafka.columnar import ColumnarSource
from arrowflow.sources.kafka.subscription import Subscription
from arrowflow.sources.kafka.wire import codes
from arrowflow.sources.kafka.wire.faults import Malformed
from arrowflow.sources.kafka.wire.settings import understood
from arrowflow.testing import kafka
from arrowflow.testing.conformance.sources import check_sums, rows_of, source_context
from arrowflow.testing.kafka import WireBroker, WireLog, WireRecord, packed_batch
from arrowflow.types import Bounds, Fetched, SourcePartition

PART = SourcePartition("kafka", "t", 0)
OTHER = SourcePartition("kafka", "t", 1)


class Known:
    """What the ordinary client is to columnar fetch, over a broker that only this test knows."""

    name = "kafka"

    def __init__(self, broker):
        self.cluster = self
        self.broker = broker
        self.reads = 0

    def check(self, wanted):
        pass

    def ranges(self, parts):
        logs = {part: self.broker.logs[part.topic, part.partition] for part in parts}
        return {part: (log.low, log.end) for part, log in logs.items()}

    def remember(self, epochs):
        self.epochs = dict(epochs)

    def read(self, after, bounds):
        self.reads += 1
        return Fetched({part: (at, at) for part, at in after.items()}, ())

    def close(self):
        pass


@pytest.fixture
def broker():
    records = [WireRecord(b"%d" % n, b"k", (("h", b"x"),)) for n in range(30)]
    batches = b"".join(
        packed_batch(10 * n, records[10 * n : 10 * n + 10], codec=n, base_ms=n, max_ms=n) for n in (0, 1)
    )
    with WireBroker({("t", 0): WireLog(batches + packed_batch(20, records[20:], codec=4))}) as started:
        yield started


@pytest.fixture
def open_source():
    opened = []

    def open_one(broker, insist=True, **properties):
        told = {"socket.timeout.ms": "2000", **{key.replace("_", "."): value for key, value in properties.items()}}
        wanted = Subscription(broker.bootstrap, tuple(broker.ids), "earliest", "g", told, headers=True)
        opened.append(ColumnarSource(Known(broker), wanted, understood(told), source_context(), insist=insist))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def read_to(source, at, end, patience=20.0):
    """Read until every partition stands at `end`; the same call again after an error that allows it."""
    found, deadline = {part: [] for part in at}, time.monotonic() + patience
    while any(at[part] < end for part in at):
        assert time.monotonic() < deadline, at
        fetched = source.read(at, Bounds(seconds=0.2))
        check_sums(fetched, at)
        for part in at:
            found[part] += [row.value for row in rows_of(fetched, part)]
        at = {part: each.stop for part, each in fetched.ranges.items()}
    return found


def values(first, stop):
    return [b"%d" % n for n in range(first, stop)]


def fetches(broker):
    return [each for each in broker.asked if each.api == kafka.FETCH]


# ---- what is asked ------------------------------------------------------------------------------------------


def test_everything_is_read_by_topic_id_with_the_epochs_of_leader_and_last_batch(broker, open_source):
    source = open_source(broker)
    source.remember({PART: 3})
    broker.logs["t", 0].leader_epoch = 5

    assert read_to(source, {PART: 0}, 30) == {PART: values(0, 30)}

    first, *later = fetches(broker)
    assert (first.version, first.detail["t", 0][:3]) == (13, (0, 5, 3))
    assert later[0].detail["t", 0][:3] == (30, 5, 0)


def test_a_broker_without_topic_ids_is_asked_by_name(broker, open_source):
    broker.offered[kafka.FETCH] = (4, 12)

    assert read_to(open_source(broker), {PART: 0}, 30) == {PART: values(0, 30)}
    assert {each.version for each in fetches(broker)} == {12}


def test_the_next_request_is_on_its_way_before_the_last_answer_is_read(broker, open_source):
    source = open_source(broker)
    fetched = source.read({PART: 0}, Bounds(rows=5, seconds=5.0))

    deadline = time.monotonic() + 10
    while len(fetches(broker)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert fetched.rows == 5
    assert fetches(broker)[1].detail["t", 0][0] == 30


def test_who_is_furthest_behind_in_time_is_asked_for_first_and_shares_are_fair(broker, open_source):
    broker.logs["t", 1] = WireLog(packed_batch(0, [WireRecord(b"%d" % n) for n in range(30)], max_ms=-5))

    assert read_to(open_source(broker), {PART: 0, OTHER: 0}, 30) == {PART: values(0, 30), OTHER: values(0, 30)}

    order = [list(each.detail) for each in fetches(broker)]
    assert order[-1] == [("t", 1), ("t", 0)]
    first, second = fetches(broker)[0].detail.values()
    assert first[3] == second[3] == 4 * 1024 * 1024


def test_limits_of_a_byte_still_move_on(broker, open_source):
    """The first batch of a partition comes whole."""
    assert read_to(open_source(broker, max_partition_fetch_bytes="1"), {PART: 0}, 30) == {PART: values(0, 30)}
    assert len(fetches(broker)) >= 3


def test_a_batch_that_does_not_come_whole_is_asked_for_with_twice_the_room_until_it_does(broker, open_source):
    broker.logs["t", 0].strict = True

    assert read_to(open_source(broker, max_partition_fetch_bytes="50"), {PART: 0}, 30) == {PART: values(0, 30)}

    limits = [each.detail["t", 0][3] for each in fetches(broker)]
    assert limits[:3] == [50, 100, 200]
    assert limits == sorted(limits)


# ---- errors have meanings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(codes.MOVED - {codes.UNKNOWN_TOPIC_OR_PARTITION}))
def test_row_68_after_an_error_of_leadership_the_metadata_is_asked_for_again(broker, open_source, code):
    broker.logs["t", 0].errors = [code, code]

    assert read_to(open_source(broker), {PART: 0}, 30) == {PART: values(0, 30)}
    assert sum(each.api == kafka.METADATA for each in broker.asked) >= 2


def test_row_61_a_diverging_epoch_is_data_loss_with_the_place(broker, open_source):
    source = open_source(broker)
    source.remember({PART: 9})
    broker.logs["t", 0].diverging = (4, 12)

    with pytest.raises(DataLossError, match=r"t\[0\]: offset 20 .*truncated.* 9; .*epoch 4, offset 12"):
        read_to(source, {PART: 20}, 30)


def test_row_61_an_epoch_the_broker_cannot_place_is_data_loss_though_the_offset_is_there(broker, open_source):
    """A real broker calls both "out of range"; asked without the epoch it shows which of the two it meant."""
    source = open_source(broker)
    source.remember({PART: 9})
    broker.logs["t", 0].errors = [codes.OFFSET_OUT_OF_RANGE] * 2

    with pytest.raises(DataLossError, match=r"t\[0\]: offset 20 .*truncated.*nothing of leader epoch 9"):
        read_to(source, {PART: 20}, 30)

    assert [each.detail["t", 0][2] for each in fetches(broker)][:3] == [9, 9, -1]


def test_row_60_an_offset_out_of_range_is_data_loss_with_the_range(broker, open_source):
    broker.logs["t", 0].errors = [codes.OFFSET_OUT_OF_RANGE]
    broker.logs["t", 0].low = 20

    with pytest.raises(DataLossError, match=r"t\[0\]: offset 3 was wanted, the broker holds \[20, 30\)"):
        read_to(open_source(broker), {PART: 3}, 30)


def test_an_offset_refused_though_it_is_in_range_is_asked_for_again(broker, open_source):
    broker.logs["t", 0].errors = [codes.OFFSET_OUT_OF_RANGE]
    source = open_source(broker)

    assert read_to(source, {PART: 0}, 30) == {PART: values(0, 30)}
    (notice,) = source._context.observer.events
    assert "refuses offset 0 of its own range" in notice.message


def test_row_59_a_topic_with_another_id_is_data_loss(broker, open_source):
    source = open_source(broker)
    read_to(source, {PART: 0}, 30)
    broker.ids["t"] = kafka.uuid.uuid4()
    broker.logs["t", 0].errors = [codes.UNKNOWN_TOPIC_ID]

    with pytest.raises(DataLossError, match="deleted and created again"):
        read_to(source, {PART: 30}, 31)


@pytest.mark.parametrize("code", [codes.TOPIC_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED])
def test_row_74_a_missing_right_is_a_config_error(broker, open_source, code):
    broker.logs["t", 0].errors = [code]

    with pytest.raises(ConfigError, match=r"t\[0\]: offset 0 .*AUTHORIZATION_FAILED"):
        read_to(open_source(broker), {PART: 0}, 30)


def test_an_error_nobody_knows_may_be_tried_again(broker, open_source):
    broker.logs["t", 0].errors = [-1]

    with pytest.raises(RetryableError, match=r"t\[0\]: offset 0 .*error -1"):
        read_to(open_source(broker), {PART: 0}, 30)


def test_a_broker_that_throttles_is_left_alone_for_that_time(broker, open_source):
    broker.throttle_ms = 400
    source = open_source(broker)
    read_to(source, {PART: 0}, 30)
    asked, began = len(fetches(broker)), time.monotonic()

    source.read({PART: 30}, Bounds(seconds=1.0))

    assert len(fetches(broker)) - asked <= (time.monotonic() - began) / 0.4 + 1


# ---- connections --------------------------------------------------------------------------------------------


def test_row_70_a_connection_closed_between_requests_is_opened_again_without_a_word(broker, open_source):
    source = open_source(broker)
    at = {PART: 0}
    for _ in range(4):
        fetched = source.read(at, Bounds(rows=4, seconds=5.0))
        at = {part: each.stop for part, each in fetched.ranges.items()}
        broker.hang_up()

    assert read_to(source, at, 30)[PART] == values(at[PART], 30)
    assert source._context.observer.events == []


@pytest.mark.parametrize("size", [1, 61])
def test_row_70_answers_that_come_in_slices_are_the_same(broker, open_source, size):
    broker.slice = size

    assert read_to(open_source(broker), {PART: 0}, 30) == {PART: values(0, 30)}


def test_row_70_a_connection_that_ends_inside_an_answer_is_opened_again_and_loses_nothing(broker, open_source):
    cuts = iter([3, 40, 200])

    def cut_short(api, answer):
        size = next(cuts, None) if api == kafka.FETCH else None
        return answer if size is None else (answer[:size], len(answer))

    broker.spoil = cut_short
    source = open_source(broker)
    found, deadline = None, time.monotonic() + 20
    while found is None:
        assert time.monotonic() < deadline
        try:
            found = read_to(source, {PART: 0}, 30)
        except Unreachable:
            continue

    assert found == {PART: values(0, 30)}


def test_row_26_headers_may_be_many_and_come_twice_and_be_null(broker, open_source):
    headers = (*((f"h{n % 7}", b"%d" % n) for n in range(10_000)), ("h0", None))
    broker.logs["t", 0].batches = packed_batch(0, [WireRecord(b"v", headers=headers)])

    (batch,) = open_source(broker).read({PART: 0}, Bounds(rows=1, seconds=5.0)).batches

    assert batch.headers.to_pylist() == [list(headers)]


def test_row_69_a_broker_that_is_away_is_unreachable_costs_little_and_comes_back(broker, open_source):
    source = open_source(broker)
    read_to(source, {PART: 0}, 30)
    broker.spoil = lambda *_: None
    spent, began, told = time.process_time(), time.monotonic(), 0
    while time.monotonic() < began + 2:
        try:
            source.read({PART: 30}, Bounds(seconds=0.2))
        except Unreachable as error:
            told += broker.bootstrap in str(error)
    assert told >= 1
    assert time.process_time() - spent < 1.0
    broker.spoil = lambda _, answer: answer
    broker.logs["t", 0].batches += packed_batch(30, [WireRecord(b"30")])

    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline
        try:
            assert read_to(source, {PART: 30}, 31) == {PART: [b"30"]}
            break
        except Unreachable:
            continue


def test_row_69_a_broker_that_never_answers_is_unreachable_in_time(broker, open_source):
    broker.silent = True
    source = open_source(broker, socket_timeout_ms="300")

    with pytest.raises(Unreachable, match="does not answer"):
        read_to(source, {PART: 0}, 30)


def test_an_answer_above_the_limit_names_the_setting(broker, open_source):
    broker.announce = 2**30

    with pytest.raises(ConfigError, match=r"announces .* 1073741824 bytes.*'receive\.message\.max\.bytes'"):
        read_to(open_source(broker), {PART: 0}, 30)


# ---- when the ordinary client takes over --------------------------------------------------------------------


def spoiled_format(broker):
    broker.logs["t", 0].batches = packed_batch(0, [WireRecord(b"v")], magic=1)


def no_epochs(broker):
    broker.epochs = False


def no_versions(broker):
    broker.offered[kafka.FETCH] = (0, 11)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoiled_format, "message format 1"),
        (no_epochs, "no leader epochs"),
        (no_versions, r"versions 0 to 11 of Fetch"),
    ],
)
def test_what_is_not_understood_is_read_by_the_ordinary_client_with_one_line(broker, open_source, spoil, reason):
    spoil(broker)
    source = open_source(broker, insist=False)
    for _ in range(3):
        source.read({PART: 0}, Bounds(seconds=5.0))

    assert source._truth.reads == 3
    (notice,) = source._context.observer.events
    assert notice.message.startswith("columnar fetch is not used: ")
    assert reason in notice.message
    with pytest.raises(ConfigError, match=reason):
        open_source(broker).read({PART: 0}, Bounds(seconds=5.0))


# ---- hostile bytes ------------------------------------------------------------------------------------------


def test_row_71_a_corrupt_batch_is_fetched_again_and_then_data_loss_with_its_place(broker, open_source):
    log = broker.logs["t", 0]
    bad = bytearray(log.batches)
    bad[-3] ^= 1
    log.batches = bytes(bad)
    source = open_source(broker)

    assert read_to(source, {PART: 0}, 20)[PART] == values(0, 20)
    with pytest.raises(RetryableError, match=r"t\[0\]: offset 20 .*checksum.*fetching it again"):
        read_to(source, {PART: 20}, 30)
    with pytest.raises(DataLossError, match=r"t\[0\]: offset 20 .*also when fetched again"):
        read_to(source, {PART: 20}, 30)


def test_rows_before_records_that_cannot_be_right_are_read_first(broker, open_source):
    broker.logs["t", 0].batches = packed_batch(0, [WireRecord(b"0")]) + packed_batch(
        1, [WireRecord(b"1")], body=b"\x7f" * 9
    )
    source = open_source(broker)

    fetched = source.read({PART: 0}, Bounds(seconds=5.0))
    assert (fetched.rows, fetched.ranges[PART].stop) == (1, 1)
    with pytest.raises(RetryableError, match=r"t\[0\]: offset 1: record at byte 0"):
        source.read({PART: 1}, Bounds(seconds=5.0))


def test_headers_that_cannot_be_right_are_told_with_their_offset(broker, open_source):
    inner = b"\0\0\0" + b"\1\1" + kafka.zigzag(1) + kafka.zigzag(60) + b"abc"
    broker.logs["t", 0].batches = packed_batch(4, [WireRecord(b"1")], body=kafka.zigzag(len(inner)) + inner)

    with pytest.raises(RetryableError, match=r"t\[0\]: offset 4: its headers do not fit"):
        open_source(broker).read({PART: 4}, Bounds(rows=1, seconds=5.0))


def test_an_answer_to_nothing_or_with_a_wrong_number_is_refused(broker, open_source):
    broker.spoil = lambda api, answer: answer if api != kafka.FETCH else struct.pack(">i", 77) + answer[4:]

    with pytest.raises(Malformed, match="answers request 77"):
        read_to(open_source(broker), {PART: 0}, 30)


def test_an_answer_that_is_garbled_twice_is_left_to_the_ordinary_client(broker, open_source):
    broker.spoil = lambda api, answer: answer if api != kafka.FETCH else answer[:-4]
    source = open_source(broker, insist=False)

    with pytest.raises(Malformed, match=r"where t\[0\]: offset 0 was asked for"):
        read_to(source, {PART: 0}, 30)
    source.read({PART: 0}, Bounds(seconds=5.0))
    assert source._truth.reads == 1


def mutated(dice, answer):
    """Flip, cut, grow or replace a few bytes behind the request's number."""
    out = bytearray(answer)
    for _ in range(dice.randrange(1, 5)):
        kind, place = dice.randrange(6), dice.randrange(4, max(len(out), 5)) if len(out) > 4 else 4
        if kind == 0 and place < len(out):
            out[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del out[place:]
        elif kind == 2:
            out[place:place] = dice.randbytes(dice.randrange(1, 9))
        elif kind == 3:
            out[place : place + 4] = struct.pack(">i", dice.choice([-1, -2, 2**31 - 1, -(2**31), 10**6, 0]))
        elif kind == 4:
            out[place : place + 8] = struct.pack(">q", dice.choice([-1, 2**63 - 1, -(2**63), 2**40]))
        else:
            out[place : place + 5] = b"\xff\xff\xff\xff\x0f"
    return bytes(out)


def fuzzed(broker, open_source, seeds, target):
    """For each seed, spoil about every second answer of one kind; returns the rows read, the errors and the longest read."""
    rows, errors, longest = 0, [], 0.0
    for seed in seeds:
        dice = random.Random(seed)
        broker.spoil = lambda api, answer, dice=dice: (
            mutated(dice, answer) if api == target and dice.random() < 0.6 else answer
        )
        source = open_source(broker, socket_timeout_ms="50", fetch_wait_max_ms="10")
        at = {PART: dice.choice([0, 3, 10, 19])}
        for _ in range(3):
            began = time.monotonic()
            try:
                fetched = source.read(at, Bounds(rows=dice.choice([1, 7, 1000]), seconds=0.05))
            except ArrowflowError as error:
                errors.append(error)
            else:
                check_sums(fetched, at)
                rows += fetched.rows
                at = {part: each.stop for part, each in fetched.ranges.items()}
            longest = max(longest, time.monotonic() - began)
        source.close()
    return rows, errors, longest


@pytest.mark.parametrize("target", [kafka.FETCH, kafka.METADATA, kafka.VERSIONS])
def test_hostile_answers_end_in_rows_or_a_clear_error_never_in_a_crash_or_a_hang(
    broker, open_source, target, fuzz_seeds
):
    rows, errors, longest = fuzzed(broker, open_source, fuzz_seeds, target)

    assert rows > 0
    assert longest < 30
    assert errors
    away = (Unreachable,) if target == kafka.FETCH else (Unreachable, ArrowflowError)
    named = [str(error) for error in errors if not isinstance(error, away)]
    assert [text for text in named if "t[0]: offset" not in text and "announces an answer of" not in text] == []
    assert all(broker.bootstrap in str(error) for error in errors)
