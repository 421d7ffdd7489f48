"""One input of the fuzzer as JSON records: the compiled reader and the msgspec reader must say the same of all of them.

The first byte picks the schema; records are parted by 0x1E. A record is there twice, so that a pattern is learnt from the
first and met by the second and by its neighbours.
"""

from __future__ import annotations

import random
from functools import cache

from tests.property.test_json_decoder_equals_oracle import CASES, NASTY, arrow_values, raw_batch
from tests.property.test_patterns_equal_oracle import skeleton

from arrowflow.decoders.compiled import Patterns
from arrowflow.decoders.json import Field, JsonDecoder, JsonSpec
from arrowflow.decoders.strategy import MsgspecStrategy

PARTED = b"\x1e"
LARGEST = 1_500
FEW = JsonSpec(
    (
        Field("s", "string"),
        Field("n", "int64"),
        Field("f", "float64"),
        Field("t", "timestamp[iso]"),
        Field("m", "decimal(9, 2)", path="a.m"),
    )
)
_SPECS = (*CASES.values(), FEW)


@cache
def _decoders(number: int) -> tuple[JsonDecoder, JsonDecoder]:
    spec = _SPECS[number]
    return spec.build(), JsonDecoder(spec, MsgspecStrategy(spec.fields, spec.limits, coerce=spec.coerce))


def check(data: bytes) -> None:
    """Decode the records of an input in both ways; raises `AssertionError` where they differ."""
    if not data or len(data) > LARGEST:
        return
    fast, slow = _decoders(data[0] % len(_SPECS))
    fast._strategy._patterns = Patterns()  # an input must not hang on those before it
    batch = raw_batch([record for record in data[1:].split(PARTED) for _ in range(2)])
    compiled, read = fast.decode(batch), slow.decode(batch)
    assert compiled.rejects == read.rejects
    assert compiled.ok.tolist() == read.ok.tolist()
    for fast, right in zip(compiled.table.columns, read.table.columns, strict=True):
        assert arrow_values(fast) == arrow_values(right)


def seeds() -> list[bytes]:
    """Inputs to begin with: records of usual shapes, with a nasty value in some place."""
    found = []
    for number in range(60):
        dice = random.Random(number)
        write, pools = skeleton(dice, _SPECS[number % len(_SPECS)].fields)
        records = [[dice.choice(pool) for pool in pools] for _ in range(2)]
        records[1][dice.randrange(len(pools))] = dice.choice(NASTY)
        found.append(bytes([number % len(_SPECS)]) + PARTED.join(map(write, records)))
    return found
