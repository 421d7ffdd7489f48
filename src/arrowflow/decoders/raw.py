"""Records of any bytes as they are: one binary column, nothing judged, nothing refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from arrowflow.types import Decoded, RawBatch

_SCHEMA: Final = pa.schema([pa.field("value", pa.binary())])


@dataclass(frozen=True, slots=True)
class RawSpec:
    """The record's value as the column ``value: binary``; a tombstone is null and not ok."""

    def build(self) -> RawDecoder:
        return RawDecoder()

    def fingerprint(self) -> Mapping[str, object]:
        return {"format": "raw"}


class RawDecoder:
    """Passes values on without a copy."""

    @property
    def schema(self) -> pa.Schema:
        return _SCHEMA

    def decode(self, batch: RawBatch) -> Decoded:
        value = batch.value if batch.value.type == pa.binary() else batch.value.cast(pa.binary())
        ok = value.is_valid().to_numpy(zero_copy_only=False)
        return Decoded(pa.Table.from_arrays([value], schema=_SCHEMA), ok, ())
