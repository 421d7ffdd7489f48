"""docs/benchmarks.md and its pictures from the raw results in bench/results: ``python -m bench.page``. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from arrowflow.bench.chart import grouped
from arrowflow.bench.plot import Curves, about, bars_svg, curves_svg
from arrowflow.bench.results import Line, Result, read

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "benchmarks"
ORDER = ("parts", "nexmark", "keys", "skew", "disorder", "size", "codec", "spike")
BUSY = 0.5
"""A machine whose load was higher when a command began had other work to do."""

HEAD = """# Benchmarks

What arrowflow does in a second, on which machine, and how to measure it on yours. This page is written by `python -m bench.page` from the raw results
in `bench/results`; `make benchmarks` measures all of it again and writes it anew (needs Java 17 and Maven for Apache Kafka). Every
figure stands for a run whose answer was compared with one computed by other means; a run with a wrong answer ends without a figure.

Read times with care: between two runs on a shared machine a fifth more or less is usual. Figures of one table come from one command in which whatever is
compared took turns; ratios inside a table travel better than the figures. "CPU ns" is processor time of the whole process, all threads, by the
record; "load" is that of the machine when the command began, and a load above 0.5 means that somebody else was at work.

The same jobs on other engines are in [benchmarks-peers.md](benchmarks-peers.md); fetching beside a C program on librdkafka is `python -m bench.fetch`, and
windows beside DuckDB `python -m bench.beside`. [evidence.md](evidence.md) has what was found there.

## Measure it yourself

```console
$ arrowflow bench --out mine.json --plot mine.svg
$ arrowflow bench --only windows --only decode --rows 1000000
$ arrowflow bench --compare mine.json --fail-below 0.9
```

`arrowflow bench [CONFIG]` times decoding, windows of five kinds, commits, and the whole job of a configuration beside a loop that only consumes the
same topic. It prints machine, versions and a table; `--out` keeps all of it as JSON, with the time of every run; `--plot` draws it as SVG; `--json`
prints what `--out` would keep.

| benchmark | what is timed | what its answer is held against |
|---|---|---|
| `decode` | the JSON decoder on the messages of the production sample (names with accents, members that are missing, broken messages) and on messages of one form, beside a typed msgspec loop that keeps nothing | what the standard library reads in each message |
| `windows` | fold, close and give out, a count and one exact float sum by key: tumbling (beside polars, which is told all rows at once), hopping 30 m/5 m, session, calendar shifts, sliding | polars' answer from all rows: keys, starts and counts equal, sums to nine digits |
| `commit` | a file of 64 KiB staged, a record created, the file moved, on this machine's disk | every record and file read back |
| `job` | the whole job of CONFIG (`configs/gold.toml`; any configuration with a known answer) on the embedded broker, or with `--brokers` on yours | rows, late rows and dead letters of the sample's answer |

`--compare FILE` prints, line by line, the rate over that of a result kept earlier, and the processor time of that one over today's: above 1 is better.
It says what differs between the two machines and their versions, and which lines only one of them has. The exit code is 1 only with
`--fail-below 0.9`, when a rate fell below that share; 2 for a file that is no result of this version.

From a checkout, with `PYTHONPATH=src:.`, every command with `--quick` for small sizes and `--out FILE` for the raw result:

| command | |
|---|---|
| `python -m bench.on_kafka` | `arrowflow bench` on an Apache Kafka started for it |
| `python -m bench.sweeps keys` (`size`, `codec`, `skew`, `spike`, `disorder`, `all`) | one setting swept while all others stand still |
| `python -m bench.nexmark` | Nexmark q5, q7, q8, q11 and q12; with `--kafka` also as whole jobs |
| `python -m bench.campaign` | all of these, then this page (`make benchmarks`) |
| `pytest bench --benchmark-enable` | kernels, decoders, commits on both stores, Nexmark under pytest-benchmark |
"""

TITLES = {
    "parts": "The parts and the whole job",
    "nexmark": "Nexmark",
    "keys": "Ten to ten million keys",
    "skew": "Frequent keys",
    "disorder": "Rows out of order",
    "size": "Size of messages",
    "codec": "Codecs, in the clear and under TLS",
    "spike": "Ten times the load",
}
TEXTS = {
    "parts": """`arrowflow bench` on Apache Kafka 4.3.1 beside it on the same machine. The loop that only consumes is confluent-kafka's
`consume(10_000)` without looking at a record; the job reads the same topic with columnar fetch, decodes, filters, folds into shifts, and commits
Parquet.""",
    "nexmark": """Five of Nexmark's queries, those with windows, on arrowflow's. The events are made from a seed by the proportions, ids, prices and skew of
the public description (one person, three auctions and forty-six bids of fifty; 10,000 a second of event time), so the answers are functions of the
seed. Time runs from slices of typed columns to the last row of the answer, over *all* events, those that a query does not read included; no
broker and no decoding are in it. DuckDB answers the same question in SQL from all events at once and its answer must be equal, row for row; its time is
printed beside ours because it was measured, not as a race: it is told once, we are told in slices and give out windows as they close.

| query | here |
|---|---|
| q5 hot items | hopping windows of 10 s every 2 s, bids by auction; the most of each window is picked from windows as they close |
| q7 highest bid | tumbling 10 s, `max(price)`; the bids that made it are looked up among those of the window when it has closed. Windows are half-open; Flink's SQL for this query also takes a bid exactly at their end |
| q8 new users | tumbling 10 s by user over people and auctions in one stream, `count(person)` and `count(seller)`, both above 0 |
| q11 user sessions | sessions 10 s apart by bidder; bids exactly 10 s apart are one session |
| q12 processing time | tumbling 10 s by bidder over the time at which a broker appended the bid. arrowflow has no windows over its own clock: they would give other rows at each replay. The append time is in the log and stays. In a program it is the `timestamp` that `af.read_kafka` gives; a pipeline's `[event_time]` takes a column of the message only, so there this query cannot be asked yet |

"On Kafka" are whole jobs: JSON events of 82 bytes on average in a topic of four partitions, the engine with a filter, the window and Parquet as in any
configuration, the start of the job included. What looks at windows a second time (the most of each, both counts above 0) is then asked of the
committed table, outside of the time; of q7 only the prices are compared. q12 is a program there: `af.read_kafka` on a topic with log-append time, polars to
decode, and a window over `timestamp`; DuckDB gets the records as the ordinary client reads them.""",
    "keys": """Tumbling windows of half an hour over eight hours, a tenth of the rows up to a minute late, a count and one float sum by key; polars groups all
rows at once. With more keys than rows in a window nearly every row opens a group of its own, and most of the time is spent giving groups out.""",
    "skew": """10,000 keys whose frequency falls with their rank to the power of the exponent: 0 is all alike, at 1 the first key has a tenth of the rows, at 2
more than half.""",
    "disorder": """A share of the rows comes up to a minute later than newer ones, and the tolerance is a minute: none is late, all are folded. 5,000 keys; sessions of
rows ten seconds apart.""",
    "size": """Telegrams of three fields that are read and one that is not, padded to 50 B to 100 kB, from a topic of four partitions to committed Parquet:
the whole job, its start included. lz4; the padding is one letter, so what crosses the socket is small.""",
    "codec": """Columnar fetch alone, telegrams of 200 bytes, four partitions. The broker sends batches as the producer wrote them; under TLS it encrypts them, on the same machine,
and the reader decrypts them.""",
    "spike": """A producer in a process of its own sends at a steady rate, ten times as fast for some seconds, and steadily again; the job follows with a
cadence of one second. Lag is what was produced less what was committed. `caught_up_after_s` counts from the end of the spike until no more than
two seconds' worth at the steady rate is uncommitted.""",
}


def pages(results: Mapping[str, Result]) -> tuple[str, dict[str, str]]:
    """The page, and its pictures by file name."""
    parts, pictures = [HEAD], {}
    for name in (name for name in ORDER if name in results):
        result = results[name]
        picture = f"{name}.svg"
        pictures[picture] = drawn(name, result)
        parts.append(
            "\n\n".join(
                [
                    f"## {TITLES[name]}",
                    TEXTS[name],
                    f"![{TITLES[name]}](benchmarks/{picture})",
                    "\n".join(table(result)),
                    "\n".join(where(name, result)),
                ]
            )
            + "\n"
        )
    return "\n".join(parts), pictures


def drawn(name: str, result: Result) -> str:
    """The picture of a result: curves for a sweep, bars otherwise."""
    lines, note = result.lines, about(result)
    match name:
        case "keys":
            return curves_svg(Curves(TITLES[name], note, "keys", "ns of CPU by the record", _series(lines), log_x=True))
        case "skew":
            return curves_svg(Curves(TITLES[name], note, "exponent", "ns of CPU by the record", _series(lines)))
        case "disorder":
            return curves_svg(
                Curves(
                    TITLES[name], note, "% of rows late by up to a minute", "ns of CPU by the record", _series(lines)
                )
            )
        case "size":
            rates = {"whole job": [(line.x or 0.0, line.figures["mb_per_s"]) for line in lines]}
            return curves_svg(
                Curves(TITLES[name], note, "bytes of a message", "MB of messages a second", rates, log_x=True)
            )
        case "spike":
            courses = {f"run {number}": list(line.points) for number, line in enumerate(lines, 1)}
            return curves_svg(Curves(TITLES[name], note, "seconds", "records produced and not committed", courses))
        case _:
            return bars_svg(result)


def _series(lines: tuple[Line, ...]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        found.setdefault(line.name.replace("polars group_by, all rows at once", "polars"), []).append(
            (line.x or 0.0, line.cpu_ns)
        )
    return found


def table(result: Result) -> Iterator[str]:
    """Every line of a result; groups after each other."""
    extra = list(dict.fromkeys(name for line in result.lines for name in line.figures))
    heads = ["", "a second", "ns each", "CPU ns each", "records", "runs", *(name.replace("_", " ") for name in extra)]
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "---:|" * (len(heads) - 1)
    groups = grouped(result.lines)
    for group, lines in groups.items():
        for line in lines:
            name = line.name if line.x is None else f"{line.name}, {line.x:,.12g}"
            cells = [
                f"{group}: {name}" if len(groups) > 1 else name,
                f"{line.records_per_s:,.0f}",
                f"{line.wall_ns:,.1f}",
                f"{line.cpu_ns:,.1f}",
                f"{line.records:,}",
                str(len(line.wall_s)),
                *(f"{line.figures[each]:,.12g}" if each in line.figures else "" for each in extra),
            ]
            yield "| " + " | ".join(cells) + " |"


def where(name: str, result: Result) -> Iterator[str]:
    """Command, answers, machine and versions of a result."""
    machine = result.machine
    told = list(dict.fromkeys(line.checked for line in result.lines))
    answers = told[0] if len(told) == 1 else f"{told[0]}; and so on, in the raw result"
    small = " Small sizes: this shows that it works, not how fast it is." if "--quick" in result.command else ""
    busy = " **Measured while the machine had other work to do.**" if machine.busy > BUSY else ""
    yield f"`{result.command}`, {result.date[:10]}; raw: `bench/results/{name}.json`. Answers: {answers}.{small}{busy}"
    versions = ", ".join(f"{each} {version}" for each, version in result.versions.items())
    yield f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb:,} MB, {machine.kernel}, load {machine.busy:.2f}; {versions}."


def kept(folder: Path = RESULTS) -> dict[str, Result]:
    """The raw results that are there, by name."""
    return {name: read(folder / f"{name}.json") for name in ORDER if (folder / f"{name}.json").exists()}


def write(results: Mapping[str, Result], page: Path = PAGE, images: Path = IMAGES) -> None:
    """Write page and pictures."""
    text, pictures = pages(results)
    page.write_text(text, encoding="utf-8")
    for name, picture in pictures.items():
        (images / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    write(kept())
