"""From the raw results to a table, a plot and a page. Measures nothing, and says nothing that the results do not hold."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import confluent_kafka
from bench.peers import plot
from bench.peers.compare import READ, Bench
from bench.peers.ways import HERE

ROOT = HERE.parents[1]
OURS = "arrowflow"
# What issue 6 asks for beside other engines: (who, job, by how much at least).
GOALS = (
    ("spark", "tumbling", 16.0), ("flink", "tumbling", 10.0), ("spark", "session", 13.0), ("flink", "session", 13.0),
    ("spark", "raw", 8.0), ("flink", "raw", 6.0),
)  # fmt: skip
Results = Mapping[str, Any]


def results(bench: Bench, command: str) -> dict[str, Any]:
    """Everything that was measured and on what, as it is written to the file."""
    plan = bench.plan
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "machine": machine(),
        "versions": versions(bench),
        "plan": {
            "records": plan.records, "part": plan.part, "long": plan.long, "bit": plan.bit, "rounds": plan.rounds,
            "cold_rounds": plan.cold_rounds, "jobs": list(plan.jobs),
        },
        "topics": {
            each.name: {"records": each.records, "value_bytes": each.value_bytes} for each in bench.topics.values()
        },
        "rows": {f"{job} {topic}": answer.num_rows for (job, topic), answer in bench.answers.items()},
        "ways": [
            {"name": way.name, "title": way.title, "sizes": list(way.sizes), "settings": way.settings, "does": way.does, "lacks": way.lacks, "told": way.told}
            for way in bench.ways
        ],
        "left_out": bench.left_out,
        "wrong": bench.wrong,
        "runs": bench.runs,
    }  # fmt: skip


def machine() -> dict[str, object]:
    """What it ran on, as far as the operating system says."""
    model = ""
    if (told := Path("/proc/cpuinfo")).exists():
        model = next(
            (line.partition(":")[2].strip() for line in told.read_text().splitlines() if "model name" in line), ""
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = [round(each, 1) for each in os.getloadavg()]
    return {
        "cpu": model or platform.machine(), "cores": os.cpu_count(), "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}", "load_at_the_end": load,
    }  # fmt: skip


def versions(bench: Bench) -> dict[str, str]:
    """Of ours, and of each peer as it is pinned."""
    found = {"Python": platform.python_version(), "librdkafka": confluent_kafka.libversion()[0]}
    for name in ("arrowflow", "confluent-kafka", "duckdb", "numba", "numpy", "polars", "pyarrow"):
        found[name] = metadata.version(name)
    found["Apache Kafka (broker)"] = _pinned(
        ROOT / "tests/realparts/pom.xml", r"kafka_2.13</artifactId>\s*<version>([^<]+)"
    )
    for way in bench.ways:
        folder = HERE / (way.kit or "")
        if way.kit and (folder / "requirements.txt").exists():
            pins = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (folder / "requirements.txt").read_text()))
            name = {"spark": "pyspark", "flink": "apache-flink", "quix": "quixstreams"}.get(way.kit, way.kit)
            found[name] = pins[name]
        if way.kit and (folder / "pom.xml").exists():
            text = (folder / "pom.xml").read_text()
            found |= dict(
                re.findall(r"<artifactId>([^<]+)</artifactId>\s*<version>([^<]+)</version>\s*</dependency>", text)
            )
    try:
        told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
        found["Java"] = told.splitlines()[0]
    except OSError:
        found["Java"] = "none"
    return found


def _pinned(file: Path, pattern: str) -> str:
    match = re.search(pattern, file.read_text())
    return match[1] if match else "unknown"


def walls(found: Results, way: str, job: str, size: str, figure: str = "wall_s", *, cold: bool = False) -> list[float]:
    """The figures of the runs that are named, wrong ones left out."""
    return [
        float(run[figure])
        for run in found["runs"]
        if (run["way"], run["job"], run["size"]) == (way, job, size)
        and (run["mode"] == "cold") is cold
        and run["answer"] == "equal"
        and figure in run
    ]


def steady(found: Results, way: str, job: str, sizes: tuple[str, str] = ("whole", "part")) -> dict[str, float] | None:
    """Records per second and CPU nanoseconds per record between two sizes of a topic, from medians; None where there is none.

    The time that both sizes take alike (start, planning, the last commit) is in neither figure.
    """
    big, small = (walls(found, way, job, size) for size in sizes)
    count = {"whole": found["plan"]["records"], **found["plan"]}
    more = count[sizes[0]] - count[sizes[1]]
    if not big or not small or (taken := statistics.median(big) - statistics.median(small)) <= 0:
        return None
    cpu = [statistics.median(walls(found, way, job, size, "cpu_s")) for size in sizes]
    return {"rate": more / taken, "cpu_ns": (cpu[0] - cpu[1]) * 1e9 / more, "runs": len(big)}


def lines(found: Results, job: str) -> Iterator[dict[str, Any]]:
    """A line of the table for each way that did the job, with what it is beside arrowflow."""
    ours = steady(found, OURS, job)
    for way in found["ways"]:
        here, most = steady(found, way["name"], job, way["sizes"]), way["sizes"][0]
        warm, cold = walls(found, way["name"], job, most), walls(found, way["name"], job, most, cold=True)
        peak = walls(found, way["name"], job, most, "peak_mb", cold=True)
        notes = [found["wrong"].get(f"{way['name']} {job}"), found["left_out"].get(way["name"]), way["told"].get(job)]
        if most != "whole" and here:
            notes.append(f"{found['plan'][most]:,} records, {here['runs']} rounds")
        yield {
            "way": way["name"],
            "title": way["title"],
            "rate": here and here["rate"],
            "cpu_ns": here and here["cpu_ns"],
            "times": here and ours and ours["rate"] / here["rate"],
            "warm_s": warm and (min(warm), statistics.median(warm), max(warm)),
            "cold_s": statistics.median(cold) if cold else None,
            "peak_mb": max(peak) if peak else None,
            "note": "; ".join(filter(None, notes)),
        }


def ratios(found: Results) -> list[tuple[str, float | None, str]]:
    """What issue 6 asks for, as (what, measured, goal)."""
    rows: list[tuple[str, float | None, str]] = []
    read, ours = beside_c(found)
    if read:
        rate = ours and ours["rate"] / read["rate"]
        rows.append(
            ("tumbling: records/s over those of the C program that only reads", rate, "at least 1.4 (floor 0.8)")
        )
        cpu = ours and ours["cpu_ns"] / read["cpu_ns"]
        rows.append(("tumbling: CPU per record over that of the C program", cpu, "at most 0.8 (floor 1.3)"))
    titles = {way["name"]: way["title"] for way in found["ways"]}
    for who, job, goal in GOALS:
        if who in titles and job in found["plan"]["jobs"]:
            theirs, mine = steady(found, who, job), steady(found, OURS, job)
            over = theirs and mine and mine["rate"] / theirs["rate"]
            rows.append((f"{job}: records/s over those of {titles[who]}", over or None, f"at least {goal:g}"))
    hopping, tumbling = steady(found, OURS, "hopping"), steady(found, OURS, "tumbling")
    if hopping and tumbling:
        rows.append(
            ("hopping: records/s over arrowflow's own tumbling", hopping["rate"] / tumbling["rate"], "at least 0.9")
        )
    return rows


def text(found: Results) -> str:
    """The tables as they are printed."""
    parts = []
    for job in found["plan"]["jobs"]:
        parts += [f"### {job}", "", *table(found, job), ""]
    return "\n".join([*parts, "### beside the goals of issue 6", "", *goals(found), "", *reading(found)])


def reading(found: Results) -> list[str]:
    """What the C program took, as a sentence."""
    read, _ = beside_c(found)
    if read is None:
        return ["The C program has no figure."]
    rate, cpu = f"{read['rate']:,.0f}", f"{read['cpu_ns']:,.0f}"
    return [f"The C program read {rate} records a second at {cpu} ns of CPU each."]


def beside_c(found: Results) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """The C program and arrowflow's tumbling job on the longest topic that both read."""
    sizes = ("long", "whole") if found["plan"]["long"] else ("whole", "part")
    return steady(found, "C", READ, sizes), steady(found, OURS, "tumbling", sizes)


def table(found: Results, job: str) -> list[str]:
    """One job as a table of Markdown."""
    head = "| | records/s, steady | CPU ns/record, steady | arrowflow is | seconds for all, warm: least, median, most | from process start, s | peak memory, MB | |"
    rows = [head, "|---|---:|---:|---:|---:|---:|---:|---|"]
    for line in lines(found, job):
        warm = " / ".join(f"{each:.2f}" for each in line["warm_s"]) if line["warm_s"] else "–"
        cells = [
            _cell(line["rate"], ",.0f"), _cell(line["cpu_ns"], ",.0f"), _cell(line["times"], ".1f", "×"), warm,
            _cell(line["cold_s"], ".1f"), _cell(line["peak_mb"], ",.0f"), line["note"],
        ]  # fmt: skip
        rows.append(f"| {line['title']} | " + " | ".join(cells) + " |")
    return rows


def goals(found: Results) -> list[str]:
    """The ratios of issue 6 as a table of Markdown."""
    rows = ["| | measured | goal |", "|---|---:|---|"]
    return rows + [f"| {what} | {_cell(measured, '.2f')} | {goal} |" for what, measured, goal in ratios(found)]


def _cell(value: float | None, form: str, unit: str = "") -> str:
    return "–" if not value else f"{value:{form}}{unit}"


def read(file: Path) -> dict[str, Any]:
    """Results that were written before."""
    return dict(json.loads(file.read_text()))


def write(found: Results, file: Path, page: Path) -> None:
    """Write the raw results, the plot and the page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    drawn = page.with_suffix(".svg")
    drawn.write_text(picture(found))
    page.write_text(markdown(found, drawn.relative_to(page.parent).as_posix()))


def picture(found: Results) -> str:
    """The steady rates as an SVG file."""
    rates = {job: [(line["title"], line["rate"]) for line in lines(found, job)] for job in found["plan"]["jobs"]}
    return plot.bars(rates, "records per second, start-up taken off")


def markdown(found: Results, drawn: str) -> str:
    """The page, from the template beside this file."""
    plan, told = found["plan"], found["machine"]
    topic = next(iter(found["topics"].values()))
    engines = [f"**{way['title']}**: {way['settings']}." for way in found["ways"]]
    for number, way in enumerate(found["ways"]):
        engines[number] += f" *It alone, not arrowflow,* {way['does']}." if way["does"] else ""
        engines[number] += f" *arrowflow alone, not it,* {way['lacks']}." if way["lacks"] else ""
    rows = ", ".join(f"{name.split()[0]} {rows:,}" for name, rows in found["rows"].items() if name.endswith("-whole"))
    out = [f"* {who}: {why}" for who, why in found["left_out"].items()]
    filled = {
        "date": found["date"],
        "command": found["command"],
        "machine": f"{told['cpu']}, {told['cores']} cores, {told['memory_gib']} GiB, {told['system']}; load average at the end {told['load_at_the_end']}",
        "versions": ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        "records": f"{plan['records']:,}",
        "part": f"{plan['part']:,}",
        "long": " and ".join(
            f"{each:,}"
            for each in ((plan["records"], plan["long"]) if plan["long"] else (plan["part"], plan["records"]))
        ),
        "rounds": str(len({run["round"] for run in found["runs"] if run["mode"] == "warm"})),
        "cold_rounds": str(plan["cold_rounds"]),
        "bytes": f"{topic['value_bytes'] / topic['records']:.0f}",
        "rows": rows,
        "tables": text(found),
        "engines": "\n".join(f"* {each}" for each in engines),
        "left_out": "\n".join(["Left out:", *out]) if out else "Nobody was left out.",
        "picture": drawn,
    }
    page = (HERE / "page.md").read_text()
    for name, value in filled.items():
        page = page.replace("{{" + name + "}}", value)
    return page
