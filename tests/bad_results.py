"""Wrong input of the commands that read runs, row by row: folders of runs, logs, policies.

A run with the variants base, s2 and distilled on one task lies in `run`, and the same in `other`, before the
files of a row are written. What a row is stands in bad_input.py.
"""

from __future__ import annotations

import json
from typing import Any

from bad_input import COIN, RUN, Bad, Edit

MANIFEST, SAMPLES = "run/manifest.json", "run/samples/base/coin_flip.jsonl"
EVERY_SAMPLE = [f"samples/{variant}/coin_flip.jsonl" for variant in ("base", "s2", "distilled")]
BARE = json.dumps({"tasks": {"t": {"primary": "m", "metrics": {"m": {}}}}, "variants": {"base": {}}})


def edited(**changes: Any) -> Edit:
    """A manifest with other values under some keys."""
    return lambda text: json.dumps({**json.loads(text), **changes})


def first_row(**changes: Any) -> Edit:
    """A samples file with other values in its first row."""

    def edit(text: str) -> str:
        first, *others = text.splitlines()
        return "\n".join([json.dumps({**json.loads(first), **changes}), *others])

    return edit


def without_first(text: str) -> str:
    return text.split("\n", 1)[1]


def report(*says: str, file: str = MANIFEST, **changes: Any) -> Bad:
    edit = first_row(**changes) if file == SAMPLES else edited(**changes)
    return Bad("report run", (file, *says), {file or MANIFEST: edit})


def policy(text: str | bytes, *says: str) -> Bad:
    return Bad("gate run --policy rules.txt", ("rules.txt", *says), {"rules.txt": text})


RESULTS: dict[str, Bad] = {
    "a report of nothing": Bad("report", ("run", "see s2d-bench report --help")),
    "a report of no folder": Bad("report none", ("none", "name the folder a run wrote")),
    "a report of a foreign folder": Bad("report x", ("x", "name the folder"), {"x/readme.md": "words"}),
    "a report of a name too long": Bad(f"report {'n' * 300}", ("nnn", "shorten it")),
    "a manifest that is torn": Bad(
        "report run", (MANIFEST, "restore the file"), {MANIFEST: lambda t: t[:99]}
    ),
    "a manifest that is a list": Bad("report run", (MANIFEST, "restore the file"), {MANIFEST: "[1]"}),
    "a manifest as deep as a well": Bad("report run", (MANIFEST, "restore"), {MANIFEST: "[" * 9000}),
    "a manifest with a well in it": report("nested", "restore", versions=json.loads("[" * 90 + "]" * 90)),
    "a manifest without tasks": report("names no tasks", "restore the file", tasks={}),
    "a manifest whose task is a word": report(
        "tasks.coin_flip", "restore the file", tasks={"coin_flip": "x"}
    ),
    "a manifest whose variant is a list": report("variants.base", "restore", variants={"base": []}),
    "a manifest with a margin in words": report("options.margin", "restore", options={"margin": "wide"}),
    "a manifest with a margin of nothing": report("margin 0", "--margin 5", file="", options={"margin": 0}),
    "a manifest with a direction that is none": report(
        "direction must be higher, lower or none",
        "restore",
        tasks={"coin_flip": {"primary": "m", "metrics": {"m": {"direction": "sideways"}}}},
    ),
    "a manifest with a size in words": report("model.parameters", "restore", model={"parameters": "7B"}),
    "a manifest with half a pair": report("comparisons[0]", "two names", "restore", comparisons=[["base"]]),
    "a manifest with a distillation of words": report("distillation[0]", "restore", distillation=["x"]),
    "a run without samples": Bad(
        "report bare", ("bare/samples", "let the run finish"), {"bare/manifest.json": BARE}
    ),
    "a row that is torn": Bad("report run", (f"{SAMPLES}:1", "resume the run"), {SAMPLES: lambda t: t[9:]}),
    "a row without its id": report(f"{SAMPLES}:1", "resume the run", file=SAMPLES, item_id=None),
    "a row with a score in words": report(
        f"{SAMPLES}:1", "resume", file=SAMPLES, scores={"accuracy": "high"}
    ),
    "a row with a score without end": report("resume", file=SAMPLES, scores={"accuracy": float("inf")}),
    "a row with tokens below 0": report("calls", "resume", file=SAMPLES, usage={"calls": -1}),
    "a row with steps in words": report("'steps'", "resume the run", file=SAMPLES, steps="one"),
    "a row that stands twice": Bad("report run", ("twice", "resume the run"), {SAMPLES: lambda t: t + t}),
    "item sets that differ": Bad(
        "report run", ("'base' and 's2'", "resume the run"), {SAMPLES: without_first}
    ),
    "a report with a margin of nothing": Bad("report run --margin 0", ("margin 0", "--margin 5")),
    "a report with a margin in words": Bad("report run --margin wide", ("wide", "--help")),
    "a report with prices that are not there": Bad(
        "report run --prices p.yaml", ("p.yaml", "name a YAML file")
    ),
    "a comparison with nothing": Bad("compare run", ("run_b", "see s2d-bench compare --help")),
    "a comparison with no folder": Bad("compare run none", ("none", "name a run or lm-eval's logs")),
    "a comparison with a foreign folder": Bad("compare run x", ("x", "name a run"), {"x/readme.md": "words"}),
    "a comparison without an item in common": Bad(
        "compare run other",
        ("no item in common", "same data"),
        {f"other/{file}": lambda text: text.replace("coin_flip-0", "coin_flip-9") for file in EVERY_SAMPLE},
    ),
    "a comparison without a task in common": Bad(
        "compare run logs",
        ("share no task", "compare runs of the same tasks"),
        {"logs/samples_math_2026-01-01T00.jsonl": '{"doc_hash": "a", "metrics": ["m"], "m": 1}'},
    ),
    "logs of another tool": Bad(
        "compare logs run",
        ("samples_math.jsonl:1", "name such a log"),
        {"logs/samples_math.jsonl": '{"question": "q"}'},
    ),
    "logs without a figure": Bad(
        "compare logs run",
        ("samples_math.jsonl", "nothing to compare"),
        {"logs/samples_math.jsonl": '{"doc_hash": "a", "metrics": ["m"], "m": NaN}'},
    ),
    "a gate without a policy": Bad("gate run", ("--policy", "see s2d-bench gate --help")),
    "a gate with a policy that is not there": Bad("gate run --policy no.txt", ("no.txt", "name a file")),
    "a gate of no run": Bad(
        "gate none --policy rules.txt", ("none", "name the folder"), {"rules.txt": "overlap == 0"}
    ),
    "a policy without a rule": policy("# nothing\n", "write one a line"),
    "a policy of wishes": policy("distilled should be better\n", "should be better", "write for example"),
    "a policy with an unknown variant": policy("mine superior to base\n", "'mine'", "change it"),
    "a policy with an unknown task": policy("s2 superior to base on chess\n", "'chess'", "change it"),
    "a policy with a margin of 200": policy("s2 non-inferior to base by 200\n", "by 200", "change it"),
    "a policy of one with itself": policy("base superior to base\n", "with itself", "name two variants"),
    "a policy that is no text": policy(b"\xff\xfe", "UTF-8", "save it as such"),
    "a policy that is YAML and none": policy("rules:\n- [\n", "not valid YAML", "mend it"),
    "a policy of numbers": policy("- 1\n- 2\n", "rule as text", "such as"),
    "a listing of nothing": Bad("ls", ("what", "see s2d-bench ls --help")),
    "a listing of models": Bad("ls models", ("models", "tasks", "see s2d-bench ls --help")),
    "a doctor with an option": Bad("doctor --cure", ("--cure", "see s2d-bench doctor --help")),
    "a distillation of nothing": Bad(f"distill {RUN} --tasks chess", ("chess", "known are")),
    "a distillation on a server": Bad(
        "distill --engine openai --base-url http://localhost:1/v1 --tasks coin_flip --data embedded",
        ("distilled", "distil locally"),
    ),
    "a run that is torn": Bad(f"{COIN} --output torn", ("torn", "restore it"), {"torn/manifest.json": "{"}),
    "a run of another version": Bad(
        f"{COIN} --output old", ("old", "another --output"), {"old/manifest.json": '{"schema": 99}'}
    ),
    "a run of another kind": Bad(
        f"{COIN} --output made",
        ("`distill`", "name another --output"),
        {"made/manifest.json": '{"schema": 1, "kind": "distill"}'},
    ),
    "a run of other options": Bad(
        f"{COIN} --output else",
        ("--seed 7", "repeat the options"),
        {"else/manifest.json": '{"schema": 1, "options": {"seed": 7}}'},
    ),
    "a store that is none": Bad(
        f"{COIN} --output begun",
        ("calls.sqlite", "move it away"),
        {"begun/manifest.json": '{"schema": 1}', "begun/calls.sqlite": "no database " * 99},
    ),
}
