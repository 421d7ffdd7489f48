"""One setting swept while all others stand still; every point has a checked answer.

    python -m bench.sweeps keys|size|codec|skew|spike|disorder|all [--quick] [--records N] [--runs N] [--out FILE or FOLDER] [--compare FILE]

keys      tumbling windows over 10 to 10 M keys, beside polars
skew      keys frequent by a power of their rank
disorder  0 to 50 % of the rows up to a minute late
size      messages of 50 B to 100 kB from a real Kafka to committed Parquet
codec     columnar fetch of none, gzip, snappy, lz4 and zstd, in the clear and under TLS
spike     ten times the load for some seconds: lag, and when it is gone

The last three start Apache Kafka (Java 17 and Maven). `all` keeps a file for each in the folder that --out names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench.sweeps import rows, spike, topics
from bench.telling import command_of, options, tell

from arrowflow.bench.machine import this_machine
from arrowflow.bench.results import Line

SWEEPS: dict[str, tuple[Callable[..., Iterator[Line]], int, int]] = {
    "keys": (rows.keys, 2_000_000, 100_000),
    "skew": (rows.skew, 1_000_000, 100_000),
    "disorder": (rows.disorder, 1_000_000, 100_000),
    "size": (topics.size, 1_000_000, 20_000),
    "codec": (topics.codec, 1_000_000, 20_000),
    "spike": (spike.spike, 15_000, 2_000),
}
"""Name to what it does, and how many records it takes, in full and quick; for a spike, how many a second."""


def main() -> None:
    """Sweep, check, tell."""
    wanted = options(__doc__)
    wanted.add_argument("sweep", choices=[*SWEEPS, "all"])
    wanted.add_argument("--records", type=int)
    given = wanted.parse_args()
    out: Path | None = given.out
    if given.sweep == "all" and out is not None and not out.is_dir():
        raise SystemExit(f"--out {out}: no folder; `all` keeps a file for each sweep in it")
    for name in SWEEPS if given.sweep == "all" else [given.sweep]:
        work, full, small = SWEEPS[name]
        machine = this_machine()
        runs = given.runs or (1 if given.quick else 3)
        lines = list(work(given.records or (small if given.quick else full), runs, quick=given.quick))
        file = out / f"{name}.json" if out is not None and given.sweep == "all" else out
        command = command_of("bench.sweeps").replace(" all", f" {name}")
        tell(f"Sweep: {name}", lines, machine, command, file, given.compare)


if __name__ == "__main__":
    main()
