"""docs/fault-report.md from the raw results: what was tried, what was found, what was never tested."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.campaigns.results import ROOT

PAGE = ROOT / "docs" / "fault-report.md"
HEAD = """# Fault report

What was done to break the commit protocol, what broke, and what was never tried. This page is written by
`python -m tests.campaigns` from `tests/campaigns/results.jsonl`, one line for each block of histories, cell or run, with
seeds and commits; the commands below append to that file. How the attacks work is in [testing.md](testing.md).
"""
FOUND = """## What was found

Bugs of this engine that these attacks found; each was mended, and has a test that fails without the mending.

| found by | what happened | what happens now |
|---|---|---|
| simulator, seeds 0, 14, 24 | a writer that slept while another took over, read on and let retention pass ended with "data loss" (exit code 6) | it looks for a newer record first, and ends as fenced (7) |
| simulator, seeds 89, 110 | a starter that listed no records took the tables of a job begun a moment before it for orphans (6) | it looks again, and takes over or waits |
| simulator, seed 97 | an upload to the staging folder that the network sent twice ended the run as a bug (1) | the object is read back; its own bytes are success |
| simulator, seed 135 | a store that did not answer while damaged state was rebuilt was told as "no whole snapshot is left" (8) | it is tried again later (3) |
| simulator, seed 436 | a record taken by another and collected before it could be read back was "unknown" (3) | fenced: records go only far below the head |
| simulator, seed 3305 | a starter that slept while it read what to publish again met collected records: `ObjectMissing` (6) | fenced (7) |
| simulator, requests that arrive late | a record sent three times without an answer arrived just before the next attempt's: the run was fenced by itself (7) | it goes on from that record |
| simulator with topics, seed 36 | an outbox that the network sent twice ended the run with "data loss" (6) | the object is read back; its own bytes are success |
| simulator with topics, seeds 78, 167, 284 | **rows lost in a topic**: a cluster stopped after it answered a commit, the writer lived on, and its next transaction to a partition was aborted: what had no end there was aborted with it | before each transaction and each epoch a run looks whether the last one has its end everywhere; if not it begins anew and sends what readers lack |
| simulator with topics, seeds 86, 482 | outboxes of a writer that slept until their records were collected stayed for ever | they are looked for like state |
| simulator with topics, seed 456 | a topic that lost its first transaction with its marker was taken for one made anew, if an old record had been collected (6) | the record of the newest epoch says itself how far the topic was before it |
| simulator with topics, seed 825 | a marker was held against a record that a sleeper had made again below the horizon: "two copies of the log" (6) | records below the horizon are not read |
| simulator with topics, seed 23796 of 28,499 | **rows lost in a topic**: rows that the cluster had lost were being sent again when a request failed; the next try took them for sent | a try that fails in there lets go of the producer, and the next looks again |
| simulator, seed 27369 of 28,499 | under `late = "correct"`, a correction after a quiet while looked for newer revisions from where the last look had ended: at records that were collected since (6) | it looks from the record that gave the window out |
| proxy, half-open connection | the client's answer without an offset (-1001) was taken for the end of the log: "data loss" (6) | no answer: asked again |

Two of these lost rows, in topics whose cluster had broken its own word; none doubled or changed any. The others left files behind, or ended a run with
the wrong exit code, which for 1, 6 and 8 means that nobody restarts it. Seeds name histories as they were drawn when the bug was found; later changes to what is drawn gave them other content.
The first four and those with topics are planted again, as mutants, in `tests/simulation/weaker.py` and beside it.
"""
NEVER = """## What was never tested

- **Google Cloud Storage itself**: the simulated store promises what its documentation promises. Nothing here ran against the service.
- **Loss of power**: processes were killed, machines never. Whether a disk keeps what it said it flushed was not tried.
- **A cluster of brokers** losing its controller or its leaders under these campaigns; the simulator elects leaders that hold the whole log.
- **A cluster that loses more than the newest transaction it answered for**, or that loses it later than at its restart.
- **Load jobs of BigQuery**: arrowflow has none yet.
- **Stores that break their promise**: two winners for one name, listings that miss old names. The protocol is then unsafe.
- In the simulator: idle partitions, added partitions, rosters, forced closings in the middle, the state limit, and changes of the query between
  runs, sealing, resets, several brokers behind a topic. Its store is the one in memory; a bucket is attacked request by request in `tests/chaos`. Its histories are small: some twenty records, up to four writers before the last one.
- Packet loss: the proxy speaks TCP, and what TCP repairs it cannot break.
"""


def page(lines: Sequence[dict]) -> str:
    """The whole page."""
    by_kind: dict[str, list[dict]] = defaultdict(list)
    for line in lines:
        by_kind[line["kind"]].append(line)
    sections = [
        HEAD,
        simulation(by_kind["simulation"]),
        weaker(by_kind["weaker"]),
        nth(by_kind["nth"]),
        matrix(by_kind["matrix"]),
        kills(by_kind["kills"], by_kind["chaos"]),
        toxics(by_kind["toxic"]),
        FOUND,
        NEVER,
    ]
    return "\n".join(section for section in sections if section)


def simulation(lines: list[dict]) -> str:
    """Histories by seed: how many, what happened in them, what was wrong; apart those of the simulator without topics."""
    newer = [line for line in lines if "topic_rows" in line]
    older = [line for line in lines if "topic_rows" not in line]
    return f"""## Simulated histories

`python -m tests.simulation --histories 50000 --results tests/campaigns/results.jsonl` (a goal; it goes on where the results end)

With topics in half of them and collection in most: {histories(newer)}

Before, without topics and with a helper that collects: {histories(older)}
"""


def histories(lines: list[dict]) -> str:
    """How many, with their sums."""
    total = Counter()
    names = ("writers", "crashes", "freezes", "faults", "fenced", "calls", "topic_rows", "restarts", "removed")
    for line in lines:
        total.update({name: line[name] for name in names if name in line})
    seeds = spans((line["seeds"][0], line["seeds"][1]) for line in lines)
    wrong = [f"seed {seed}: {'; '.join(what)}" for line in lines for seed, what in line["wrong"]]
    told = ", ".join(f"{n:,} {TOLD.get(name, name)}" for name, n in total.items())
    played = sum(stop - start for start, stop in seeds)
    return f"{played:,} histories ({written(seeds)}): {told}. {verdict(wrong)}" if lines else "none yet."


TOLD = {
    "topic_rows": "rows in topics",
    "restarts": "restarts of a cluster that forgot what it had answered",
    "removed": "objects collected",
}


def weaker(lines: list[dict]) -> str:
    """Wrong protocols, and the seed that refuted each."""
    newest = {line["what"]: line for line in lines}
    rows = [f"| {line['what']} | {line['seed']} | {line['wrong'].replace('|', '/')} |" for line in newest.values()]
    return "\n".join(
        [
            "## Wrong protocols that the simulator refutes\n",
            "`python -m tests.simulation --weaker --results tests/campaigns/results.jsonl`\n",
            "| rule left out | first seed | what it said |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def nth(lines: list[dict]) -> str:
    """Every call of some jobs gone wrong in turn; of each case the newest line counts."""
    lines = list({(line["job"], line["fate"], line["lasting"]): line for line in lines}.values())
    cases = sum(line["calls"] for line in lines)
    wrong = [what for line in lines for what in line["wrong"]]
    jobs = sorted({line["job"] for line in lines})
    ways = Counter(f"{line['fate']}{', lasting' if line['lasting'] else ''}" for line in lines)
    return f"""## The n-th call, for every n

`python -m tests.simulation --nth 247 78 --results tests/campaigns/results.jsonl`

{cases:,} runs of job{"s" if len(jobs) != 1 else ""} {", ".join(map(str, jobs))}, each with one call to store, source or topic that goes wrong, or that one and all after it; ways:
{", ".join(ways)}. {verdict(wrong)}
"""


def matrix(lines: list[dict]) -> str:
    """The matrix of failpoints and actions."""
    actions = list(dict.fromkeys(line["action"] for line in lines))
    points: dict[str, dict[str, str]] = defaultdict(dict)
    for line in lines:
        points[line["point"]][line["action"]] = line["outcome"]
    rows = [f"| `{point}` | " + " | ".join(cells.get(a, "") for a in actions) + " |" for point, cells in points.items()]
    return "\n".join(
        [
            "## Failpoints and actions\n",
            "`python -m tests.chaos.matrix --results tests/campaigns/results.jsonl`\n",
            "Each run begins where another died, does the action at the point, and is followed by one to which nothing happens. A dash",
            "is a cell that cannot be: *lost* and *duplicate* need a call that is answered, *torn* needs bytes that are written.\n",
            "| point | " + " | ".join(actions) + " |",
            "|---|" + "---|" * len(actions),
            *rows,
            "",
        ]
    )


def kills(real: list[dict], chaos: list[dict]) -> str:
    """Real processes killed and frozen: on a real Kafka, and by the verb."""
    rows = [
        f"| main job on Kafka, seed {line['seed']} | {line['kills']} ({line['in_flight']} in flight) | {line['zombies']} "
        f"({line['fenced']} fenced) | {line['epochs']} epochs, {line['looks']} looks of readers | {verdict(line['wrong'])} |"
        for line in real
    ]
    rows += [
        f"| `arrowflow chaos {line['config']}`, seed {line['seed']} | {line.get('killed', 0)} | "
        f"{line.get('frozen_and_fenced', 0)} | {line['records']:,} records, {line.get('histories', 0)} histories with "
        f"{line.get('crashes', 0)} crashes, {line.get('freezes', 0)} freezes, {line.get('faults', 0)} faults | "
        f"{verdict(line['wrong'])} |"
        for line in chaos
    ]
    return "\n".join(
        [
            "## Real processes\n",
            "`python -m tests.chaos.kafka_campaign --kills 30 --zombies 8 --seed 1 --results tests/campaigns/results.jsonl`,",
            "`arrowflow chaos configs/gold.toml --json >> tests/campaigns/results.jsonl`\n",
            "| job | killed (SIGKILL) | frozen, then fenced | beside | found |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def toxics(lines: list[dict]) -> str:
    """A network that misbehaves between the engine and a broker."""
    rows = [f"| {line['name']} | {line['connections']} | {verdict(line['wrong'])} |" for line in lines]
    return "\n".join(
        [
            "## A bad network between engine and broker\n",
            "`python -m tests.chaos.toxics --results tests/campaigns/results.jsonl`; the embedded broker, 400 records\n",
            "| toxic | connections | found |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def verdict(wrong: Sequence[str]) -> str:
    """Nothing wrong, or what."""
    return "**WRONG**: " + "; ".join(wrong) if wrong else "Nothing wrong."


def spans(edges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges joined where they touch or overlap."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(edges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def written(seeds: list[tuple[int, int]]) -> str:
    """Ranges of seeds in words."""
    return "seeds " + ", ".join(f"{start:,} to {stop - 1:,}" for start, stop in seeds) if seeds else "none"
