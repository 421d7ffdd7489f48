"""What a small job left behind, as bytes in memory: for tests that damage it in every way and ask the auditor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.small import pipeline, results, rows

from arrowflow.engine import start
from arrowflow.pipeline import Pipeline, RunOptions

STREAM = rows(*((key, second, second / 8) for second in range(0, 120, 4) for key in "ab"))
LATE = rows(("a", 1, 5.0))
DEAD = [rows(("a", 2, 1.0))[0]._replace(value=b"no json")]
TO_THE_END = RunOptions(until_caught_up=True, close_open_windows=True, take_over=True)


@dataclass
class MemoryFiles:
    """The `Files` protocol over a dictionary."""

    content: dict[str, bytes]

    def list(self, folder: str) -> dict[str, int]:
        return {path: len(data) for path, data in self.content.items() if path.startswith(folder + "/")}

    def read(self, path: str) -> bytes:
        try:
            return self.content[path]
        except KeyError:
            raise FileNotFoundError(path) from None


def run_small_job(folder: Path, cuts: tuple[int, ...] = (20, 40)) -> None:
    """Several runs over one stream, with late rows and dead letters, in a folder that then holds it all."""
    stream = [*STREAM, *LATE, *DEAD]
    for upto in (*cuts, len(stream)):
        last = upto == len(stream)
        job = pipeline(folder, stream[:upto], max_epoch_rows=8, max_slice_rows=5, full_every=2)
        job = replace(job, source=replace(job.source, max_error_rate=1.0))
        start(job, TO_THE_END if last else replace(TO_THE_END, close_open_windows=False)).result()


def run_small_job_but_its_end(folder: Path) -> None:
    """Two runs that leave windows open and no record of an end: as small a job as has everything."""
    for upto in (16, 32):
        start(_small(folder, upto), replace(TO_THE_END, close_open_windows=False)).result()


def finish_small_job(folder: Path) -> None:
    """The last run; it leaves windows open, so that there is state to compare."""
    start(_small(folder, len(STREAM)), replace(TO_THE_END, close_open_windows=False)).result()


def small_results(folder: Path) -> tuple[list[tuple], str]:
    """The rows, and the digest of the state in the newest record."""
    kept = Kept.of(folder)
    newest = json.loads(kept.files.content[max(kept.paths("/manifests/"))])
    return results(folder), newest["state"]["window"]["digest"]


def _small(folder: Path, upto: int) -> Pipeline:
    return pipeline(folder, STREAM[:upto], max_epoch_rows=8, max_slice_rows=8, full_every=2)


def files_of(folder: Path) -> MemoryFiles:
    """Everything under `folder`."""
    return MemoryFiles({str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()})


class Kept:
    """The job's files, and ways to change them that keep digests right."""

    def __init__(self, folder: Path, files: MemoryFiles) -> None:
        self.prefix = str(folder / "small" / "_log")
        self.out = str(folder / "small" / "out")
        self.files = files

    @classmethod
    def of(cls, folder: Path) -> Kept:
        """What lies in `folder` now."""
        return cls(folder, files_of(folder))

    def copy(self) -> Kept:
        twin = object.__new__(Kept)
        twin.prefix, twin.out, twin.files = self.prefix, self.out, MemoryFiles(dict(self.files.content))
        return twin

    def paths(self, part: str) -> list[str]:
        return [path for path in self.files.content if part in path]

    def records(self) -> dict[int, dict]:
        return {int(path[-25:-5]): json.loads(self.files.content[path]) for path in self.paths("/manifests/")}

    def place(self, epoch: int) -> str:
        return f"manifests/{f'{epoch:020d}'[:17]}/{epoch:020d}.json"

    def change(self, epoch: int, edit: Callable[[dict], None]) -> None:
        """Edit one record and seal it anew, and all after it, as if it had been written so."""
        self.change_all(lambda record: edit(record) if record["epoch"] == epoch else None)

    def change_all(self, edit: Callable[[dict], None]) -> None:
        digest = None
        for epoch, record in sorted(self.records().items()):
            edit(record)
            if digest is not None and record["prev"] != "left alone":
                record["prev"] = digest
            digest = self.write(epoch, record)

    def write(self, epoch: int, record: dict) -> str:
        without_digest = {name: value for name, value in record.items() if name != "sha256"}
        body = (
            json.dumps({**without_digest, "sha256": ""}, separators=(",", ":")).encode().removesuffix(b',"sha256":""}')
        )
        digest = hashlib.sha256(body).hexdigest()
        self.files.content[f"{self.prefix}/{self.place(epoch)}"] = body + b',"sha256":"' + digest.encode() + b'"}'
        return digest
