"""The objects of one bucket and the conditions of the JSON API, taken at their word; knows nothing of HTTP.

Every operation is one step: whoever calls holds a lock. Generations come from a counter, so the same calls give the
same generations.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from arrowflow.checksums import crc32c

_TIME = "2026-01-01T00:00:00.000Z"
_MOST_COMPONENTS = 32
_LONGEST_NAME = 1024
CONDITIONS = frozenset(
    {"ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch"}
)
SOURCE_CONDITIONS = frozenset(name.replace("if", "ifSource", 1) for name in CONDITIONS)


class Refused(Exception):
    """The service says no: a status, its machine-readable reason and a sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


@dataclass(frozen=True, slots=True)
class Stored:
    """One generation of one object; never changes."""

    name: str
    data: bytes
    generation: int
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    components: int | None = None

    @property
    def crc32c(self) -> str:
        """Checksum as the service writes it: base64 of four big-endian bytes."""
        return base64.b64encode(bytes.fromhex(crc32c(self.data))).decode()

    @property
    def md5(self) -> str | None:
        """MD5 as the service writes it; a composed object has none."""
        if self.components is not None:
            return None
        return base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()

    def resource(self, bucket: str) -> dict[str, object]:
        """The object as JSON answers describe it."""
        told: dict[str, object] = {
            "kind": "storage#object",
            "id": f"{bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(len(self.data)),
            "crc32c": self.crc32c,
            "etag": base64.b64encode(str(self.generation).encode()).decode(),
            "timeCreated": _TIME,
            "updated": _TIME,
        }
        optional = {"md5Hash": self.md5, "metadata": dict(self.metadata) or None, "componentCount": self.components}
        return told | {name: value for name, value in optional.items() if value is not None}


def check(found: Stored | None, query: Mapping[str, str], *, source: bool = False, reading: bool = False) -> None:
    """Hold an object against the conditions of a request.

    Raises
    ------
    Refused
        412 where a condition does not hold, 304 for a read whose "not match" does not, 400 for a condition that is
        no number.
    """
    generation, metageneration = (0, 0) if found is None else (found.generation, 1)
    for kind, value in (("Generation", generation), ("Metageneration", metageneration)):
        stem = f"ifSource{kind}" if source else f"if{kind}"
        wanted, unwanted = _number(query, stem + "Match"), _number(query, stem + "NotMatch")
        if wanted is not None and wanted != value:
            raise _not_met(412)
        if unwanted is not None and unwanted == value:
            raise _not_met(304 if reading else 412)


def _number(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return int(query[name])
    except ValueError:
        raise Refused(400, "invalid", f"{name}={query[name]!r} is no number") from None


def _not_met(status: int) -> Refused:
    return Refused(status, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")


@dataclass(slots=True)
class Bucket:
    """A flat bucket: names to objects, one live generation each.

    Parameters
    ----------
    name : str
        Of the bucket.
    facts : mapping
        What its metadata says beside its name: ``locationType``, ``lifecycle``, ``retentionPolicy`` and the like.
    conditions_first : bool
        Whether a copy or move looks at the target's conditions before it misses the source. The documentation does not say
        which of 412 and 404 wins, so whoever uses the service has to live with both.
    strict : bool
        False for one that passes over every condition, as some emulators do: what is tested on it must fail.
    """

    name: str
    facts: Mapping[str, object] = field(default_factory=dict)
    conditions_first: bool = False
    strict: bool = True
    objects: dict[str, Stored] = field(default_factory=dict)
    _generation: int = 1_000_000

    def resource(self) -> dict[str, object]:
        """The bucket as JSON answers describe it."""
        usual = {
            "kind": "storage#bucket",
            "id": self.name,
            "name": self.name,
            "projectNumber": "1",
            "metageneration": "1",
            "location": "US-CENTRAL1",
            "locationType": "region",
            "storageClass": "STANDARD",
            "timeCreated": _TIME,
            "updated": _TIME,
        }
        return usual | dict(self.facts)

    def find(self, name: str, query: Mapping[str, str]) -> Stored:
        """Return the live object for a read. Raises 404, 412 or 304."""
        found = self._live(name, query.get("generation"))
        self._check(found, query, reading=True)
        return found

    def insert(
        self, name: str, data: bytes, content_type: str, described: Mapping[str, object], query: Mapping[str, str]
    ) -> Stored:
        """Make an object, or a new generation of one, of bytes that arrived whole."""
        _check_name(name)
        self._check(self.objects.get(name), query)
        metadata = described.get("metadata") or {}
        made = Stored(name, data, 0, content_type, dict(metadata) if isinstance(metadata, Mapping) else {})
        for key, value in (("crc32c", made.crc32c), ("md5Hash", made.md5)):
            if described.get(key) not in (None, value):
                raise Refused(400, "invalid", f"Provided {key} {described[key]!r} does not match the data's {value!r}.")
        return self._keep(made)

    def delete(self, name: str, query: Mapping[str, str]) -> None:
        """Remove the live object. Raises 404 or 412."""
        self._check(self._live(name, query.get("generation")), query)
        del self.objects[name]

    def copy(self, source: str, target: Bucket, name: str, query: Mapping[str, str]) -> Stored:
        """Make `name` in `target` a copy of `source`, its metadata included."""
        _check_name(name)
        if self.conditions_first:
            self._check(target.objects.get(name), query)
        found = self._live(source, query.get("sourceGeneration"))
        self._check(found, query, source=True)
        self._check(target.objects.get(name), query)
        return target._keep(replace(found, name=name))

    def move(self, source: str, name: str, query: Mapping[str, str]) -> Stored:
        """Rename in one step; what `name` was is replaced unless a condition forbids it."""
        if source == name:
            raise Refused(400, "invalid", "The source and destination of a move must differ.")
        moved = self.copy(source, self, name, query)
        del self.objects[source]
        return moved

    def compose(
        self, name: str, parts: Iterable[Mapping[str, object]], content_type: str, query: Mapping[str, str]
    ) -> Stored:
        """Make one object of up to 32, in their order; the parts stay."""
        _check_name(name)
        found = [self._part(part) for part in parts]
        if not 1 <= len(found) <= _MOST_COMPONENTS:
            raise Refused(400, "invalid", f"{len(found)} components; 1 to {_MOST_COMPONENTS} can be composed.")
        self._check(self.objects.get(name), query)
        count = sum(part.components or 1 for part in found)
        return self._keep(Stored(name, b"".join(part.data for part in found), 0, content_type, {}, count))

    def list(self, query: Mapping[str, str]) -> dict[str, object]:
        """One page of names, ascending by their UTF-8 bytes; always what is there now."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        low, high = query.get("startOffset", ""), query.get("endOffset", "")
        token = query.get("pageToken", "")
        most = min(_number(query, "maxResults") or 1000, 1000)
        items: list[dict[str, object]] = []
        prefixes: list[str] = []
        last = ""
        for name in sorted(self.objects):
            below = _below(name, prefix, delimiter)
            shown = below or name
            if not name.startswith(prefix) or name < low or (high and name >= high) or (token and shown <= token):
                continue
            if below is not None and prefixes[-1:] == [below]:
                continue
            if len(items) + len(prefixes) == most:
                return _page(items, prefixes, last)
            if below is None:
                items.append(self.objects[name].resource(self.name))
            else:
                prefixes.append(below)
            last = shown
        return _page(items, prefixes, "")

    def _live(self, name: str, generation: str | None) -> Stored:
        found = self.objects.get(name)
        if found is None or (generation is not None and str(found.generation) != generation):
            raise Refused(404, "notFound", f"No such object: {self.name}/{name}")
        return found

    def _check(
        self, found: Stored | None, query: Mapping[str, str], *, source: bool = False, reading: bool = False
    ) -> None:
        if self.strict:
            check(found, query, source=source, reading=reading)

    def _part(self, part: Mapping[str, object]) -> Stored:
        generation = part.get("generation")
        found = self._live(str(part.get("name")), None if generation is None else str(generation))
        wanted = part.get("objectPreconditions")
        if isinstance(wanted, Mapping):
            self._check(found, {name: str(value) for name, value in wanted.items()})
        return found

    def _keep(self, made: Stored) -> Stored:
        self._generation += 1
        kept = replace(made, generation=self._generation)
        self.objects[made.name] = kept
        return kept


def _below(name: str, prefix: str, delimiter: str) -> str | None:
    """The "folder" a name is in below `prefix`, if there is a delimiter in the rest."""
    if not delimiter or not name.startswith(prefix) or delimiter not in name[len(prefix) :]:
        return None
    return prefix + name[len(prefix) :].split(delimiter)[0] + delimiter


def _page(items: list[dict[str, object]], prefixes: list[str], last: str) -> dict[str, object]:
    parts: Iterator[tuple[str, object]] = iter((("items", items), ("prefixes", prefixes), ("nextPageToken", last)))
    return {"kind": "storage#objects"} | {name: value for name, value in parts if value}


def _check_name(name: str) -> None:
    if not name or len(name.encode()) > _LONGEST_NAME or "\r" in name or "\n" in name or name in (".", ".."):
        raise Refused(400, "invalid", f"Invalid object name {name!r}.")
