"""Records of random schemas, whole and spoilt: the kernel, the rules and the oracle say the same of each.

What is drawn is encoded by hand, so the expected values never went through a reader.
"""

from __future__ import annotations

import io
import json
import random

import fastavro
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles.avro import expected, fits, shown
from tests.support.avro import Maker, bare, draw, encode, leaf, paths, varint

from arrowflow.decoders.avro.decoder import AvroDecoder
from arrowflow.decoders.avro.spec import AvroSpec, Field, read_writers, texts_by_id
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.testing.conformance.decoders import raw_batch

TYPES = (
    "string", "bool", "int8", "int32", "int64", "uint8", "uint64", "float32", "float64", "decimal(12, 2)", "decimal(38, 6)",
    "decimal(5, 0)", "date", "timestamp[s]", "timestamp[ms]", "timestamp[us]", "timestamp[ns]", "timestamp[iso]", "json",
)  # fmt: skip
ID = 7
FRAME = b"\0" + ID.to_bytes(4, "big")


def columns_of(dice, schema, named):
    """Some columns that the schema can be read as; no path leads through another."""
    found, taken = [], set()
    ends = list(paths(schema, named))
    dice.shuffle(ends)
    for path, _ in ends:
        if len(found) == 5 or any(path[: len(other)] == other or other[: len(path)] == path for other in taken):
            continue
        leaves = [kind for reached, end in ends if reached == path for kind in kinds(end, named)]
        types = [text for text in TYPES if any(fits(text, kind) for kind in leaves)]
        if dice.random() < 0.7:
            types = [text for text in types if text != "json"] or types
        if types:
            taken.add(path)
            found.append(Field(f"c{len(found)}", dice.choice(types), path=".".join(path)))
    return found


def kinds(schema, named):
    schema = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return [kind for branch in schema for kind in kinds(branch, named)]
    return [] if schema == "null" else [schema]


def both(fields, schemas):
    """A decoder that uses the kernel and one that does not."""
    spec = AvroSpec(tuple(fields), schemas, "dead_letter")
    writers = read_writers(texts_by_id(schemas))
    slow = AvroDecoder(spec.fields, writers, Bounds(), stops=False, fast=False)
    return spec.build(), slow


def answers(decoded, rows):
    """Per row the cells, or the reason and the detail."""
    columns = [cells(column) for column in decoded.table.columns]
    refused = {reject.row: (reject.reason, reject.detail) for reject in decoded.rejects}
    assert [bool(ok) for ok in decoded.ok] == [row not in refused for row in range(rows)]
    return [refused.get(row, [column[row] for column in columns]) for row in range(rows)]


def cells(column):
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).to_pylist()
    return [shown(value) for value in column.to_pylist()]


def wanted(fields, schema, named, value):
    """What the oracle says of one record: its cells, or the reason of the first column that refuses it."""
    row = []
    for field in fields:
        end = leaf(schema, named, value, field.keys)
        if end is None:
            row.append(None)
            continue
        verdict, cell = expected(field.type, *end, bare(*end[:1], named, end[1]))
        if verdict == "bad":
            return cell
        row.append(shown(cell))
    return row


def made(dice):
    """A schema, its columns and some values; columns may be none."""
    maker = Maker(dice)
    schema = maker.record(3)
    return schema, maker.named, columns_of(dice, schema, maker.named)


@given(st.randoms(use_true_random=False))
def test_records_of_a_random_schema_are_what_the_oracle_says(dice):
    schema, named, fields = made(dice)
    if not fields:
        return
    fast, slow = both(fields, {ID: json.dumps(schema)})
    values = [draw(dice, schema, named) for _ in range(12)]
    records = [FRAME + encode(dice, schema, named, value) for value in values]

    got = answers(fast.decode(raw_batch(records)), len(records))

    for value, one in zip(values, got, strict=True):
        said = wanted(fields, schema, named, value)
        assert one == said or one[0] == said
    assert got == answers(slow.decode(raw_batch(records)), len(records))


def spoilt(dice, record):
    """A record with some bytes of it changed, taken out, put in, doubled or cut off."""
    out = bytearray(record)
    for _ in range(dice.choice([1, 1, 1, 2, 4])):
        at = dice.randrange(len(out) + 1)
        match dice.randrange(6):
            case 0 if out:
                out[min(at, len(out) - 1)] = dice.choice([0, 1, 2, 3, 127, 128, 129, 254, 255, dice.randrange(256)])
            case 1:
                out.insert(at, dice.choice([0, 1, 2, 128, 255]))
            case 2:
                del out[at : at + 1]
            case 3:
                del out[at:]
            case 4:
                out[at:at] = varint(dice.choice([-(2**63), 2**63 - 1, 2**31, -1, -2, 1_000_000, len(out)]))
            case _:
                out[at:at] = dice.choice(
                    [
                        b"\xff" * 9 + b"\x01",
                        b"\xff" * 10,
                        b"\x80" * 9 + b"\x02",
                        b"\x80\x00",
                        b"\xed\xa0\x80",
                        b"\xc0\x80",
                    ]
                )
    return bytes(out)


@given(st.randoms(use_true_random=False))
def test_a_spoilt_record_gets_the_same_cells_or_reason_from_kernel_and_rules(dice):
    schema, named, fields = made(dice)
    if not fields:
        return
    fast, slow = both(fields, {ID: json.dumps(schema)})
    whole = [FRAME + encode(dice, schema, named, draw(dice, schema, named)) for _ in range(4)]
    records = [spoilt(dice, dice.choice(whole)) for _ in range(20)] + whole

    got = answers(fast.decode(raw_batch(records)), len(records))

    assert got == answers(slow.decode(raw_batch(records)), len(records))


@given(st.randoms(use_true_random=False))
def test_what_the_rules_take_fastavro_reads_to_the_last_byte(dice):
    """The reader that others use is never stricter than the rules are."""
    schema, named, _ = made(dice)
    if schema["fields"][0]["type"] == "null":
        return
    text = json.dumps(schema)
    spec = AvroSpec((Field("c", "json", path="f0"),), {ID: text}, "dead_letter")
    plain = fastavro.parse_schema(json.loads(text.replace("logicalType", "was")))
    decoder = spec.build()
    whole = FRAME + encode(dice, schema, named, draw(dice, schema, named))
    for _ in range(10):
        record = spoilt(dice, whole)
        if record[:5] != FRAME:
            continue
        refused = {reject.reason for reject in decoder.decode(raw_batch([record])).rejects}
        stream = io.BytesIO(record[5:])
        if not refused - {"type"}:
            fastavro.schemaless_reader(stream, plain)
            assert stream.tell() == len(record) - 5


def test_the_kernel_reads_most_good_records():
    """Or the laws above would hold of a decoder that never uses it. Left are columns of JSON, and what is refused."""
    read = good = 0
    for seed in range(30):
        dice = random.Random(seed)
        schema, named, fields = made(dice)
        fields = [field for field in fields if field.type != "json"]
        if fields:
            fast, _ = both(fields, {ID: json.dumps(schema)})
            records = [FRAME + encode(dice, schema, named, draw(dice, schema, named)) for _ in range(100)]
            doubt = fast._kernel.read(pa.array(records, pa.binary())).doubt
            read += len(records) - int(doubt.sum())
            good += int(fast.decode(raw_batch(records)).ok.sum())

    assert good > 1_000
    assert read > 0.8 * good
