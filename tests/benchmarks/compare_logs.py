"""Two lm-eval logs of many rows, compared: processor seconds and memory, beside evalsig and evalstats.

    python tests/benchmarks/compare_logs.py                                  # 100,000 rows a side
    python tests/benchmarks/compare_logs.py --others PYTHON --filters 2      # a Python with both packages

Every arm is a process of its own with one thread, from its first import to the printed result; processor
seconds are hardly changed by what else the machine does. evalsig 0.1.2 reads the logs with its own reader.
evalstats 0.3.3 reads tables only, so its arm makes one of the logs with pandas, by document and filter, which
is the shortest way to it. A second filter doubles the rows: evalsig keeps the last row of a document,
whatever its filter. The limits that the project sets itself, 10 s and 1 GB at 100,000 rows a side, stand
beside. Prints a card and, last, one line of JSON; exit 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import FIXTURES, ROOT, Figures

sys.path[:0] = [str(FIXTURES), str(ROOT)]

LIMIT_SECONDS, LIMIT_GB = 10.0, 1.0
FILTERS = ("strict-match", "flexible-extract")
TIMED = """
import resource, sys
def work():
{body}
work()
used = resource.getrusage(resource.RUSAGE_SELF)
print("TIMED", used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
"""
OURS = """
    from pathlib import Path
    from results.compare import compare, render
    found = compare(Path(A).parent, Path(B).parent)
    render(found)
    for row in found["comparisons"]:
        if row["claim"] == "superior":
            ends = f"[{row['ci_low']:+.5f}, {row['ci_high']:+.5f}]"
            print(f"SAID {row['metric']}: {row['difference']:+.5f} {ends}, p {row['p']:.3g}, n {row['n']}")
"""
EVALSIG = """
    from evalsig.compare.compare import compare
    from evalsig.io.lm_eval import read_lm_eval_json
    a = read_lm_eval_json(A, model_id="a", task_id="gsm8k", metric_name="exact_match")
    b = read_lm_eval_json(B, model_id="b", task_id="gsm8k", metric_name="exact_match")
    r = compare(a, b)
    print(f"SAID exact_match: {r.delta:+.5f} [{r.ci[0]:+.5f}, {r.ci[1]:+.5f}], p {r.p_value:.3g}, "
          f"n {r.n_pairs} ({r.method})")
"""
EVALSTATS = """
    import json
    import pandas
    import evalstats
    rows = []
    for model, path in (("a", A), ("b", B)):
        for line in open(path):
            row = json.loads(line)
            rows.append((model, row["doc_hash"], row["filter"], row["exact_match"]))
    table = pandas.DataFrame(rows, columns=["model", "input", "filter", "exact_match"])
    for name, part in table.groupby("filter", sort=False):
        data = evalstats.load_from(part.drop(columns="filter"))
        pair = list(evalstats.compare_models(data, metric="exact_match").pairwise.results.values())[0]
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
    """Processor seconds, peak memory in GB, and what was said, of a process of its own with one thread."""
    code = TIMED.format(body=f"    A, B = {str(paths[0])!r}, {str(paths[1])!r}\n{body}")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", **threads},
    )  # fmt: skip
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    lines = done.stdout.splitlines()
    seconds, memory = next(line for line in lines if line.startswith("TIMED ")).split()[1:]
    said = [line.removeprefix("SAID ") for line in lines if line.startswith("SAID ")]
    return {"seconds": float(seconds), "gb": float(memory), "said": said}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="documents a side")
    parser.add_argument("--filters", type=int, choices=(1, 2), default=1)
    parser.add_argument("--others", metavar="PYTHON", help="a Python with evalsig and evalstats")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        paths = write_logs(Path(place), given.rows, given.filters)
        size = sum(path.stat().st_size for path in paths) / 1e6
        arms = {"s2d-bench": (sys.executable, OURS)}
        if given.others:
            arms |= {"evalsig": (given.others, EVALSIG), "evalstats": (given.others, EVALSTATS)}
        found = {name: measure(python, body, paths) for name, (python, body) in arms.items()}
    print(f"{given.rows:,} documents a side, {given.filters} filters, {size:.0f} MB")
    for name, figures in found.items():
        shown = figures.get("failed") or f"{figures['seconds']:.2f} s, {figures['gb']:.2f} GB"
        print(f"{name:<10} {shown}")
        for line in figures.get("said") or ():
            print(f"           {line}")
    ours = found["s2d-bench"]
    fits = "failed" not in ours and ours["seconds"] <= LIMIT_SECONDS and ours["gb"] <= LIMIT_GB
    print(json.dumps({"status": "ok" if fits else "fails", "rows": given.rows, "arms": found}))
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
