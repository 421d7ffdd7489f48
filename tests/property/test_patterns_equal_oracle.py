"""Records near a pattern that the decoder knows: whatever is changed in one, the oracle's answer comes out.

The decoder is taught first, so that its kernel meets the changed records; how many it read is checked, or the law
would hold of a decoder that never uses it.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from tests.property.test_json_decoder_equals_oracle import CASES, NASTY, decoded, raw_batch, truth

from arrowflow.decoders.json import Field, JsonSpec

USUAL = {
    "string": ('"Monterrey"', '"L3"', '""', '"a rather longer text than eight bytes"', '"línea ñ"', "null"),
    "bool": ("true", "false", "null"),
    "int": ("0", "7", "42", "100", "-0", "-3", "null"),
    "float": ("0.0", "68.8", "-12.25", "3", "0.001", "1234567.125", "-0.0", "null"),
    "date": ('"2026-11-25"', '"2024-02-29"', "null"),
    "count": ("0", "1764064800", "-1", "1764064800123", "null"),
    "iso": (
        '"2026-11-25T10:00:00Z"', '"2026-11-25 10:00:00.123456z"', '"2024-02-29T23:59:59.9999999+05:30"',
        '"0001-01-01T00:00:00Z"', '"1969-12-31T23:59:59.5-08:00"', "null",
    ),
    "local": ('"2026-11-25T10:00:00"', '"2026-07-01 00:00:00.5"', "null"),
    "json": ("1", '"x"', "true", "-2.50", "null"),
    "decimal": ("0", "1.5", "-12.25", "0.10", "null"),
}  # fmt: skip


SEEDS = settings().max_examples // 2


def usual_of(field):
    text = field.type
    if text.startswith("timestamp[iso,"):
        return USUAL["local"]
    if text == "timestamp[iso]":
        return USUAL["iso"]
    if text.startswith("timestamp"):
        return USUAL["count"]
    for prefix in ("float", "decimal", "date", "bool", "json", "string"):
        if text.startswith(prefix):
            return USUAL[prefix]
    return USUAL["int"]


def skeleton(dice, fields):
    """Places for values: fields of the schema, strangers, an object with the nested ones, a list."""
    flat = [field for field in fields if len(field.keys) == 1]
    chosen = dice.sample(flat, dice.randint(1, min(8, len(flat))))
    members = [(field.keys[0], usual_of(field)) for field in chosen]
    members += [(f"extra{n}", USUAL[dice.choice(list(USUAL))]) for n in range(dice.randint(0, 3))]
    dice.shuffle(members)
    inner = [field for field in fields if len(field.keys) == 2 and dice.random() < 0.6]
    space = dice.choice(["", "", " "])

    def write(values):
        parts = [f'"{name}":{space}{value}' for (name, _), value in zip(members, values, strict=False)]
        rest = values[len(members) :]
        if inner:
            parts.append(
                '"a":{' + ",".join(f'"{field.keys[1]}":{v}' for field, v in zip(inner, rest, strict=False)) + "}"
            )
        parts.append('"list":[' + rest[len(inner)] + ',{"k":' + rest[len(inner) + 1] + "}]")
        return ("{" + f",{space}".join(parts) + "}").encode()

    pools = [pool for _, pool in members] + [usual_of(field) for field in inner] + [USUAL["json"], USUAL["string"]]
    return write, pools


def changed(dice, write, pools):
    """A record with usual values, or one of them a nasty one, or some bytes of it changed."""
    values = [dice.choice(pool) for pool in pools]
    how = dice.random()
    if how < 0.5:
        values[dice.randrange(len(values))] = dice.choice(NASTY)
    record = bytearray(write(values))
    if how > 0.75:
        at = dice.randrange(len(record))
        byte = dice.choice(b'"\\{}[]:,.-+eE0129 \x00\x1f\x7f\x80\xc3\xa9\xff\tnut')
        match dice.randrange(4):
            case 0:
                record[at] = byte
            case 1:
                record.insert(at, byte)
            case 2:
                del record[at]
            case 3:
                del record[at:]
    return bytes(record)


@pytest.mark.parametrize("case", CASES)
def test_a_changed_record_is_what_the_oracle_says(case):
    spec = CASES[case]
    read = 0
    for seed in range(SEEDS):
        dice = random.Random(f"{case}-{seed}")
        write, pools = skeleton(dice, spec.fields)
        decoder = spec.build()
        taught = [write([dice.choice([v for v in pool if v != "null"]) for pool in pools]) for _ in range(4)]
        decoder.decode(raw_batch(taught))
        known = decoder._strategy._patterns._hits.sum()
        values = [changed(dice, write, pools) for _ in range(60)]

        assert decoded(spec, values, decoder) == truth(spec, values), f"seed {case}-{seed}"

        read += decoder._strategy._patterns._hits.sum() - known
    assert case == "needy" or read > 15 * SEEDS


def test_what_is_taught_does_not_change_what_comes_out():
    """A decoder that has seen other topics answers as a new one does."""
    spec = JsonSpec((Field("v", "int64"), Field("s", "string"), Field("t", "timestamp[iso]")))
    dice = random.Random(7)
    old = spec.build()
    for _ in range(40):
        members = dice.sample(
            ['"v":1', '"s":"x"', '"t":"2026-11-25T10:00:00Z"', '"w":[1,2]', '"u":{"v":2}', '"z":null'], 4
        )
        records = [("{" + ",".join(members[: dice.randint(1, 4)]) + "}").encode() for _ in range(20)]
        assert decoded(spec, records, old) == decoded(spec, records, spec.build()) == truth(spec, records)
    assert len(old._strategy._patterns) == 16
