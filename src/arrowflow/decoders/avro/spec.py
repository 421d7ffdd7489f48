"""Avro as a pipeline holds it: the columns, the writers' schemas, and what becomes of a record of none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from arrowflow.decoders.avro.dialect import BARE, Writer
from arrowflow.decoders.avro.paths import column_fault, root_fault
from arrowflow.decoders.avro.tree import digest
from arrowflow.decoders.avro.walk import Bounds
from arrowflow.decoders.json import check_names, check_paths
from arrowflow.decoders.schema import Field
from arrowflow.errors import ConfigError

if TYPE_CHECKING:
    from arrowflow.decoders.avro.decoder import AvroDecoder

__all__ = ["AvroSpec", "Field"]

RULES: Final = 1
"""Raised when the same bytes would decode to something else."""

_DEFAULT: Final = Bounds()
_MAX_DEPTH: Final = 512
_MAX_ID: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class AvroSpec:
    """One Avro record per value.

    Parameters
    ----------
    fields : tuple of Field
        The columns, in order. Fields of a record that no column reads are walked over.
    schemas : str or mapping of int to str
        The JSON text of the schema that all records were written by, which then have no framing; or, by schema id, of the
        schemas of records framed as a schema registry does: a zero byte, the id in four bytes, the record.
    unknown : {"stop", "dead_letter"}
        What becomes of a record whose id is none of `schemas`: the run ends before anything of its epoch is committed, or
        the record is refused.
    max_bytes, max_depth : int
        Bounds of one record, see `Bounds`; a record beyond one is a dead letter.

    Raises
    ------
    ConfigError
        For no columns or equal names, a schema that is none, a column that no schema has or whose type does not take what
        one has, or a bound out of range.
    """

    fields: tuple[Field, ...]
    schemas: str | Mapping[int, str]
    unknown: Literal["stop", "dead_letter"] = "stop"
    max_bytes: int = _DEFAULT.max_bytes
    max_depth: int = _DEFAULT.max_depth

    def __post_init__(self) -> None:
        if not self.fields:
            raise ConfigError("the schema has no columns; name at least one, or read the topic with format 'raw'")
        check_names(self.fields)
        check_paths(self.fields)
        if self.unknown not in ("stop", "dead_letter"):
            raise ConfigError(f"unknown = {self.unknown!r}: write 'stop' or 'dead_letter'")
        for name, value, top in (("max_bytes", self.max_bytes, 2**31 - 1), ("max_depth", self.max_depth, _MAX_DEPTH)):
            if not 1 <= value <= top:
                raise ConfigError(f"{name} = {value}: allowed are 1 to {top}")
        _check_ids(self._texts())
        for _, sentence in faults(self.fields, self._writers()):
            raise ConfigError(sentence)

    def build(self) -> AvroDecoder:
        from arrowflow.decoders.avro.decoder import AvroDecoder  # loads numba, which describing a job does not need

        return AvroDecoder(
            self.fields, self._writers(), Bounds(self.max_bytes, self.max_depth), stops=self.unknown == "stop"
        )

    def fingerprint(self) -> Mapping[str, object]:
        """What results depend on. `unknown` is not in it: no result that exists hangs on a record that was in nobody's schema."""
        framed = not isinstance(self.schemas, str)
        return {
            "format": "avro",
            "rules": RULES,
            "framing": "registry" if framed else "none",
            "schemas": {_key(number): digest(text) for number, text in sorted(self._texts().items())},
            "fields": [field.describe() for field in self.fields],
            "max_bytes": self.max_bytes,
            "max_depth": self.max_depth,
        }

    def _texts(self) -> dict[int, str]:
        return texts_by_id(self.schemas)

    def _writers(self) -> dict[int, Writer]:
        return read_writers(self._texts())


def _check_ids(texts: Mapping[int, str]) -> None:
    if not texts:
        raise ConfigError("there are no schemas; give the text of at least one by its id")
    for number in texts:
        if number != BARE and not 0 <= number <= _MAX_ID:
            raise ConfigError(f"schema id {number}: allowed are 0 to {_MAX_ID}")


def texts_by_id(schemas: str | Mapping[int, str]) -> dict[int, str]:
    """Return the texts of schemas by id; that of records without framing stands under `BARE`."""
    return {BARE: schemas} if isinstance(schemas, str) else dict(schemas)


def read_writers(texts: Mapping[int, str]) -> dict[int, Writer]:
    """Return the schemas by id, ready to read; raises `ConfigError` that names the one at fault."""
    writers = {}
    for number, text in texts.items():
        try:
            writers[number] = Writer(text)
        except ConfigError as error:
            raise ConfigError(f"{named(number)}: {error}") from None
    return writers


def faults(fields: tuple[Field, ...], writers: Mapping[int, Writer]) -> Iterator[tuple[Field | None, str]]:
    """Yield what keeps columns from being read by schemas, with the column that it is about."""
    roots = {named(number): writer.root for number, writer in writers.items()}
    for name, root in roots.items():
        if (fault := root_fault(name, root)) is not None:
            yield None, fault
            return
    for field in fields:
        if (fault := column_fault(field, roots)) is not None:
            yield field, fault


def named(number: int) -> str:
    """How messages name a schema."""
    return "the schema" if number == BARE else f"schema {number}"


def _key(number: int) -> str:
    return "bare" if number == BARE else str(number)
