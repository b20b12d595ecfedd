"""Two lm-eval logs of many rows, compared: processor seconds and memory, beside evalsig and evalstats.

    python tests/benchmarks/compare_logs.py                                  # 100,000 rows a side
    python tests/benchmarks/compare_logs.py --others PYTHON --filters 2      # a Python with both packages

Every arm is a process of its own with one thread, from its start to the printed result. Arms take turns
(`--rounds`), and a ratio is of one round. Seconds are the processor's in user mode, which other work on the
machine changes least; those of the system (reading files, memory) stand beside. Each arm says what it spent
on imports (with the interpreter's start), on reading, and on the comparison of what is then in memory.

evalsig 0.1.2 reads the logs with its own reader. evalstats 0.3.3 reads tables only, so its arm makes one of
the logs with json and pandas, by document and filter, which is the shortest way to it. A second filter
doubles the rows: evalsig keeps the last row of a document, whatever its filter. The limits that the project
sets itself, 10 s and 1 GB at 100,000 rows a side, stand beside. Prints a card and, last, one line of JSON;
exit 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from measuring import FIXTURES, ROOT, Figures, finish, median_seconds, ratios, take_turns

sys.path[:0] = [str(FIXTURES), str(ROOT)]

OWN = "s2d-bench"
LIMIT_SECONDS, LIMIT_GB = 10.0, 1.0
FILTERS = ("strict-match", "flexible-extract")
PHASES = ("imports", "reading", "comparison")
TIMED = """
import resource, sys
seen = [0.0]
def mark(phase):
    seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    print("PHASE", phase, seen[-1] - seen[-2])
def work():
{body}
work()
used = resource.getrusage(resource.RUSAGE_SELF)
try:
    # Linux: ru_maxrss is at least what the process had that started this one.
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
except OSError:
    peak = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print("TIMED", used.ru_utime, used.ru_stime, peak / 1e6)
"""
OURS = """
    from pathlib import Path
    import scipy.special
    from results.compare.metrics import Asked
    from results.compare.run import outcome
    from results.compare.sides import load_side
    from results.compare.text import render
    mark("imports")
    sides = [load_side(Path(path).parent) for path in (A, B)]
    mark("reading")
    found = outcome(*sides, Asked()).compared
    render(found)
    mark("comparison")
    for row in found["comparisons"]:
        if row["claim"] == "superior":
            ends = f"[{row['ci_low']:+.5f}, {row['ci_high']:+.5f}]"
            print(f"SAID {row['metric']}: {row['difference']:+.5f} {ends}, p {row['p']:.3g}, n {row['n']}")
"""
EVALSIG = """
    from evalsig.compare.compare import compare
    from evalsig.io.lm_eval import read_lm_eval_json
    mark("imports")
    a = read_lm_eval_json(A, model_id="a", task_id="gsm8k", metric_name="exact_match")
    b = read_lm_eval_json(B, model_id="b", task_id="gsm8k", metric_name="exact_match")
    mark("reading")
    r = compare(a, b)
    mark("comparison")
    print(f"SAID exact_match: {r.delta:+.5f} [{r.ci[0]:+.5f}, {r.ci[1]:+.5f}], p {r.p_value:.3g}, "
          f"n {r.n_pairs} ({r.method})")
"""
EVALSTATS = """
    import json
    import pandas
    import evalstats
    mark("imports")
    rows = []
    for model, path in (("a", A), ("b", B)):
        for line in open(path):
            row = json.loads(line)
            rows.append((model, row["doc_hash"], row["filter"], row["exact_match"]))
    table = pandas.DataFrame(rows, columns=["model", "input", "filter", "exact_match"])
    mark("reading")
    found = {}
    for name, part in table.groupby("filter", sort=False):
        data = evalstats.load_from(part.drop(columns="filter"))
        found[name] = list(evalstats.compare_models(data, metric="exact_match").pairwise.results.values())[0]
    mark("comparison")
    for name, pair in found.items():
        print(f"SAID exact_match,{name}: {pair.point_diff:+.5f} [{pair.ci_low:+.5f}, {pair.ci_high:+.5f}], "
              f"p {pair.p_value:.3g} (a - b)")
"""


def write_logs(folder: Path, rows: int, filters: int) -> list[Path]:
    """Logs of two models in lm-eval's form, of questions of some 60 words."""
    from lm_eval_rows import WORDS
    from log_files import lm_eval_log

    paths = []
    for side, share in (("a", 0.50), ("b", 0.51)):
        draw = random.Random(side)
        texts = random.Random(0)
        scores = [{"exact_match": float(draw.random() < share)} for _ in range(rows)]

        def long(row: dict[str, object], texts: random.Random = texts, side: str = side) -> dict[str, object]:
            asked = " ".join(texts.choices(WORDS, k=60))
            # The second filter reads some answers of the first model that the first filter does not.
            found = row["filter"] == FILTERS[1] and side == "a" and asked.startswith("a")
            score = {"exact_match": 1.0} if found else {}
            return row | {"doc": {"question": asked, "answer": asked[:200]}, "resps": [[asked]], **score}

        paths.append(
            lm_eval_log(
                folder / side, "gsm8k", scores, {"exact_match": True}, filters=FILTERS[:filters], change=long
            )
        )
    return paths


def measure(python: str, body: str, paths: Sequence[Path]) -> Figures:
    """Processor seconds (user; system; user by phase), peak memory in GB, and what was said, of a process of
    its own with one thread."""
    code = TIMED.format(body=f"    A, B = {str(paths[0])!r}, {str(paths[1])!r}\n{body}")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", **threads},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{python} failed: {done.stderr.strip().splitlines()[-1][:300]}")
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    user, system, memory = next(rest for first, rest in lines if first == "TIMED").split()
    return {
        "seconds": float(user), "system": float(system), "gb": float(memory),
        "phases": {rest.split()[0]: float(rest.split()[1]) for first, rest in lines if first == "PHASE"},
        "said": [rest for first, rest in lines if first == "SAID"],
    }  # fmt: skip


def card(rounds: Sequence[Mapping[str, Figures]]) -> list[str]:
    """What is printed for people: seconds by phase, memory and ratios, medians over the rounds."""
    lines = [
        f"{'user seconds':<12} {'all':>7} {'+ system':>9} " + " ".join(f"{p:>11}" for p in PHASES) + "     GB"
    ]
    for name in rounds[0]:
        system = statistics.median(each[name]["system"] for each in rounds)
        phases = (statistics.median(each[name]["phases"][phase] for each in rounds) for phase in PHASES)
        gb = max(each[name]["gb"] for each in rounds)
        lines.append(
            f"{name:<12} {median_seconds(rounds, name):>7.2f} {system:>9.2f} "
            f"{' '.join(f'{seconds:>11.2f}' for seconds in phases)}  {gb:>5.2f}"
        )
        lines += [f"             {line}" for line in rounds[0][name]["said"]]
    return lines


def ratios_to(rounds: Sequence[Mapping[str, Figures]], other: str) -> Figures:
    """Our seconds for each second of another arm: median, least and most of the rounds, and the median for
    the comparison alone."""
    whole = ratios(rounds, OWN, other)
    alone = [each[OWN]["phases"]["comparison"] / each[other]["phases"]["comparison"] for each in rounds]
    return {
        "ratio": round(statistics.median(whole), 3), "least": round(min(whole), 3),
        "most": round(max(whole), 3), "comparison": round(statistics.median(alone), 3),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="documents a side")
    parser.add_argument("--filters", type=int, choices=(1, 2), default=1)
    parser.add_argument("--others", metavar="PYTHON", help="a Python with evalsig and evalstats")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        paths = write_logs(Path(place), given.rows, given.filters)
        size = sum(path.stat().st_size for path in paths) / 1e6
        programs = {OWN: (sys.executable, OURS)}
        if given.others:
            programs |= {"evalsig": (given.others, EVALSIG), "evalstats": (given.others, EVALSTATS)}
        arms = {name: partial(measure, python, body, paths) for name, (python, body) in programs.items()}
        rounds = take_turns(arms, given.rounds)
    lines = [f"{given.rows:,} documents a side, {given.filters} filters, {size:.0f} MB", *card(rounds)]
    beside = {name: ratios_to(rounds, name) for name in list(programs)[1:]}
    for name, found in beside.items():
        lines.append(
            f"{OWN} / {name}: {found['ratio']:.2f} ({found['least']:.2f} to {found['most']:.2f}), "
            f"the comparison alone {found['comparison']:.2f}"
        )
    fits = all(
        each[OWN]["seconds"] + each[OWN]["system"] <= LIMIT_SECONDS and each[OWN]["gb"] <= LIMIT_GB
        for each in rounds
    )
    return finish(
        lines,
        {"status": "ok" if fits else "missed", "rows": given.rows, "beside": beside, "rounds": rounds},
    )


if __name__ == "__main__":
    sys.exit(main())
