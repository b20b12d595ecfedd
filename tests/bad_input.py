"""Wrong input, row by row: a command line, the files that it meets, and what its one line must say.

Each row names the input at fault and the next step, as a person reads them. `test_bad_input.py` runs the rows
through the command's own entry; files are written into an empty folder first, in which the command runs. Rows
about finished runs stand in bad_results.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from run_fixtures import DATA, FILTERS, TASK

SCRIPT = Path(__file__).parent / "scripts" / "paper_like.py"
RUN = f"--engine scripted --engine-args script={SCRIPT} --models base --limit 4 --output run"
"""A run of no time; a row adds what is wrong, and argparse lets the last of an option win."""
COIN = f"{RUN} --tasks coin_flip"
HF = "--models base --tasks coin_flip --data embedded --limit 4 --output run"
SERVER = "--engine openai --models base --tasks coin_flip --data embedded --output run"


Edit = Callable[[str], str]


@dataclass(frozen=True)
class Bad:
    """One wrong input."""

    command: str
    """Arguments, split as a shell would."""
    says: tuple[str, ...]
    """What the message must hold: the input at fault, then the next step."""
    files: Mapping[str, str | bytes | Edit] = field(default_factory=dict)
    """Path -> content, or what becomes of the content that is there; below the folder of the command."""


def config(text: str | bytes, *says: str) -> Bad:
    return Bad(f"{COIN} --config bad.yaml", says, {"bad.yaml": text})


def own_task(*says: str, task: str = "", data: str = DATA, tasks: str = "sums") -> Bad:
    """A task folder of a user's own, wrong in its YAML or its Python."""
    yaml = task or TASK.format(name="sums", train="train", output_type="generate_until") + FILTERS
    return Bad(
        f"{RUN} --include-path mine --tasks '{tasks}'", says, {"mine/sums.yaml": yaml, "mine/data.py": data}
    )


def rows(task: str, file: str, line: Mapping[str, Any] | str | bytes, *says: str) -> Bad:
    """A row of a data folder, after one that is right."""
    content = json.dumps(line).encode() if isinstance(line, Mapping) else line
    raw = content.encode() if isinstance(content, str) else content
    good = json.dumps(GOOD[task]).encode()
    files: dict[str, str | bytes | Edit] = dict.fromkeys(FILES[task], good)
    files[file] = good + b"\n" + raw
    return Bad(f"{RUN} --tasks {task} --data data", says, files)


FLIP = {"inputs": "A coin is heads up. Ann flips the coin. Is it still heads up?", "targets": "no"}
GOOD: dict[str, dict[str, Any]] = {
    "gsm8k": {"question": "How many are 2 and 3?", "answer": "2 + 3 = 5\n#### 5"},
    "coin_flip": FLIP,
    "judge_mtbench": {"question_id": 1},
}
FILES = {
    "gsm8k": ("data/gsm8k/train.jsonl", "data/gsm8k/test.jsonl"),
    "coin_flip": ("data/coin_flip/test.jsonl", "data/coin_flip/validation_skrishna.jsonl"),
}
GSM8K, COINS = FILES["gsm8k"][1], FILES["coin_flip"][1]
YAML = TASK.format(name="sums", train="train", output_type="generate_until") + FILTERS

OPTIONS: dict[str, Bad] = {
    "an option that is none": Bad(f"{COIN} --modles base", ("--modles", "see s2d-bench --help")),
    "an option without its value": Bad(f"{COIN} --limit", ("--limit", "see s2d-bench --help")),
    "a command that is none": Bad("reprot run", ("reprot", "see s2d-bench --help")),
    "limit 0": Bad(f"{COIN} --limit 0", ("--limit 0", "at least 1")),
    "limit below 0": Bad(f"{COIN} --limit -5", ("--limit -5", "at least 1")),
    "limit in words": Bad(f"{COIN} --limit many", ("many", "--help")),
    "seeds 0": Bad(f"{COIN} --seeds 0", ("--seeds 0", "at least 1")),
    "a seed below 0": Bad(f"{COIN} --seed -1", ("--seed -1", "from 0 to")),
    "a seed that no generator takes": Bad(f"{COIN} --seed 99999999999", ("--seed 99999999999", "from 0 to")),
    "samples 0": Bad(f"{COIN} --samples 0", ("--samples 0", "at least 1")),
    "distill-inputs 0": Bad(f"{COIN} --distill-inputs 0", ("--distill-inputs 0", "at least 1")),
    "one mark of thoughts": Bad(f"{COIN} --thought-marks <a>", ("--thought-marks <a>", "another")),
    "a margin of nothing": Bad(f"{COIN} --margin 0", ("--margin 0", "above 0")),
    "a margin that is no number": Bad(f"{COIN} --margin nan", ("--margin nan", "in points")),
    "an engine that is none": Bad(f"{COIN} --engine warp", ("--engine warp", "choose one of")),
    "a dtype that is none": Bad(f"{COIN} --dtype float8", ("--dtype float8", "choose one of")),
    "a preset that is none": Bad(f"{COIN} --preset article", ("--preset article", "choose paper")),
    "an address without its engine": Bad(
        f"{COIN} --base-url http://x/v1", ("--base-url http://x/v1", "add it")
    ),
    "an address that is none": Bad(f"{SERVER} --base-url x", ("--base-url x", "give the part before")),
    "no address": Bad(SERVER, ("--engine openai", "for example --base-url")),
    "training on a server": Bad(
        "--engine openai --base-url http://localhost:1/v1 --models distilled --data embedded",
        ("--models distilled", "distil locally"),
    ),
    "a folder of data that is not there": Bad(f"{COIN} --data nowhere", ("--data nowhere", "give embedded")),
    "a sampling key that is none": Bad(f"{COIN} --sampling heat=1", ("--sampling heat", "there are")),
    "a sampling key without value": Bad(f"{COIN} --sampling top_p", ("--sampling top_p", "name=value")),
    "a temperature in words": Bad(f"{COIN} --sampling temperature=hot", ("temperature=hot", "give a number")),
    "a temperature without end": Bad(f"{COIN} --sampling temperature=inf", ("temperature=inf", "give")),
    "top_p above 1": Bad(f"{COIN} --sampling top_p=2", ("top_p=2", "at most 1")),
    "half a token": Bad(f"{COIN} --sampling max_tokens=1.5", ("max_tokens=1.5", "give a whole number")),
    "a training setting that is none": Bad(f"{COIN} --train-args speed=9", ("speed", "there are")),
    "a learning rate of 0": Bad(f"{COIN} --train-args learning_rate=0", ("learning_rate=0", "above 0")),
    "a launch file that is not there": Bad(f"{COIN} --train-args launch=x.yaml", ("launch=x.yaml", "give")),
    "a launch file that is none": Bad(
        f"{COIN} --train-args launch=x.yaml", ("launch=x.yaml", "not YAML"), {"x.yaml": "a: ["}
    ),
    "a filter that is none": Bad(f"{COIN} --filter best", ("--filter best", "choose majority")),
    "a filter's share above 1": Bad(f"{COIN} --filter majority:2", ("majority:2", "from 0 to below 1")),
    "a filter that the task lacks": Bad(
        f"{COIN} --models distilled --tasks last_letter --filter perturbation",
        ("last_letter", "choose majority or usc"),
    ),
    "a task argument that is none": Bad(f"{COIN} --task-args dificulty=3", ("dificulty", "did you mean")),
    "a difficulty out of range": Bad(f"{COIN} --task-args difficulty=99", ("difficulty=99", "from 2 to 8")),
    "a wording that is none": Bad(f"{COIN} --task-args wording=odd", ("wording='odd'", "choose one of")),
    "an engine argument that is none": Bad(
        f"{COIN} --engine-args scrip=x", ("scrip", "did you mean script? there are")
    ),
    "no rows in a batch": Bad(
        f"{COIN} --engine-args script={SCRIPT},batch_rows=0", ("batch_rows=0", "at least 1")
    ),
    "less than no rows": Bad(f"{HF} --engine-args batch_rows=-3", ("batch_rows=-3", "at least 1")),
    "half a row": Bad(f"{HF} --engine-args batch_rows=2.5", ("batch_rows=2.5", "give a whole number")),
    "a device that is none": Bad(f"{HF} --engine-args device=gpu", ("device=gpu", "give cpu, cuda")),
    "a device that is not here": Bad(
        f"{HF} --engine-args device=cuda:77", ("device=cuda:77", "give cpu, cuda")
    ),
    "an attention that is none": Bad(
        f"{HF} --engine-args attention=much", ("attention=much", "it has eager")
    ),
    "a script that is not there": Bad(
        f"{COIN} --engine-args script=no.py", ("script=no.py", "name a Python file")
    ),
    "a script without its function": Bad(
        f"{COIN} --engine-args script=x.py", ("script=x.py", "respond(request, adapter)"), {"x.py": "a = 1"}
    ),
    "a script that raises": Bad(
        f"{COIN} --engine-args script=x.py", ("script=x.py", "mend"), {"x.py": "1 / 0"}
    ),
    "a key typed in": Bad(f"{COIN} --engine-args api_key=sk-12345678", ("api_key", "environment")),
    "a name on the hub with spaces": Bad(
        f"{COIN} --push-to-hub 'a b/c'", ("--push-to-hub a b/c", "OWNER/NAME")
    ),
    "an output that is a file": Bad(f"{COIN} --output x", ("x", "name another --output"), {"x": ""}),
    "an output in a file": Bad(f"{COIN} --output x/y", ("x/y", "name another --output"), {"x": ""}),
    "an output that holds other things": Bad(
        f"{COIN} --output full", ("full", "name another --output"), {"full/thesis.txt": "words"}
    ),
    "an output with a name too long": Bad(f"{COIN} --output {'n' * 300}", ("--output nnn", "shorten it")),
    "an output that is no UTF-8": Bad(f"{COIN} --output \udcff", ("--output", "UTF-8")),
    "a folder of data with a name too long": Bad(f"{COIN} --data {'n' * 300}", ("--data nnn", "shorten it")),
    "a shortened option": Bad(f"{COIN} --fres", ("--fres", "see s2d-bench --help")),
    "a sampling key twice": Bad(
        f"{COIN} --sampling temperature=1,temperature=2", ("temperature stands twice", "take one")
    ),
    "an upload of nothing": Bad(f"{COIN} --push-to-hub me/x", ("--push-to-hub me/x", "add distilled")),
    "a revision of what is not on the hub": Bad(
        f"{COIN} --revision main", ("--revision main: tiny", "leave it out")
    ),
    "a key in an address": Bad(
        f"{COIN} --models 'mine=https://hub/x?token=abcdefgh'", ("token", "from the environment")
    ),
    "a key in JSON": Bad(
        f'{COIN} --engine-args \'{{"api_key": "abcdefgh"}}\'', ("api_key", "from the environment")
    ),
    "a key of the hub": Bad(f"{COIN} --pretrained hf_{'a1' * 17}", ("looks like a key", "environment")),
    "an output of thousands of folders": Bad(
        f"{COIN} --output {'a/' * 2000}", ("nested too deep", "make it flatter")
    ),
    "a home of nobody": Bad(f"{COIN} --models mine=~nosuchuser/x", ("~nosuchuser/x", "in full")),
    **{
        f"an empty {option}": Bad(f"{COIN} {option}=", (option, "is empty", "leave it out"))
        for option in ("--pretrained", "--filter", "--output", "--data", "--revision", "--include-path")
    },
}

VARIANTS: dict[str, Bad] = {
    "no variant": Bad(f"{COIN} --models ,", ("--models", "try --models base,s2,distilled")),
    "a variant that is none": Bad(f"{COIN} --models basis", ("basis", "choose base")),
    "a variant twice": Bad(f"{COIN} --models base,base", ("base twice", "another name")),
    "a variant with a space": Bad(f"{COIN} --models 'my model=./x'", ("'my model'", "a name is letters")),
    "a variant with a slash": Bad(f"{COIN} --models a/b=./x", ("'a/b'", "a name is letters")),
    "a variant that climbs": Bad(f"{COIN} --models ../up=./x", ("'../up'", "a name is letters")),
    "a variant in another script": Bad(f"{COIN} --models größe=./x", ("größe", "a name is letters")),
    "a variant with an escape": Bad(f"{COIN} --models '\x1b[31mx=./x'", ("[31mx", "a name is letters")),
    "a variant named as ours": Bad(f"{COIN} --models s2=./x", ("s2", "choose another name")),
    "a variant without place": Bad(f"{COIN} --models mine=", ("mine=", "give a folder or a hub id")),
    "a checkpoint that is not there": Bad(f"{COIN} --models mine=./none", ("mine=./none", "check the path")),
    "a folder that is no checkpoint": Bad(
        f"{HF} --models base,mine=./x", ("--models mine=./x", "no config.json"), {"x/readme.txt": "words"}
    ),
    "a checkpoint that is no adapter of the engine": Bad(
        f"{COIN} --models mine=./x", ("x", "scripted_adapter.json"), {"x/adapter_config.json": "{}"}
    ),
    "a method that is none": Bad(f"{COIN} --models s2:magic", ("magic", "known are")),
    "a method mistyped": Bad(f"{COIN} --models s2:rar2step", ("rar2step", "did you mean 'rar_2step'")),
    "a vote of none": Bad(f"{COIN} --models 's2:cot*0'", ("cot*0", "write cot*5")),
    "a vote without end": Bad(f"{COIN} --models 's2:cot*99999'", ("cot*99999", "known are")),
    "a method on base": Bad(f"{COIN} --models base:cot", ("base:cot", "write s2:cot")),
    "a judge's method on another task": Bad(f"{COIN} --models s2:bsm", ("bsm", "use a judge task")),
    "a noise floor of nothing": Bad(f"{COIN} --models s2 --noise-floor", ("--noise-floor", "put base into")),
}

CONFIGS: dict[str, Bad] = {
    "a config that is not there": Bad(f"{COIN} --config none.yaml", ("none.yaml", "name a YAML file")),
    "a config that is a folder": Bad(f"{COIN} --config d", ("--config d", "name a YAML file"), {"d/x": ""}),
    "a config that is no YAML": config("a: [", "bad.yaml", "mend the file"),
    "a config that is no text": config(b"\xff\xfe\x00", "bad.yaml", "mend the file"),
    "a config that is a list": config("- a", "bad.yaml", "write one `option: value` a line"),
    "a config that contradicts its tags": config("limit: !!int x", "bad.yaml", "mend the file"),
    "a config that runs code": config("limit: !!python/object/apply:os.getpid []", "bad.yaml", "mend"),
    "a config as deep as a well": config("[" * 1500, "bad.yaml", "mend the file"),
    "a config with an option twice": config("limit: 3\nseed: 1\nlimit: 4", "'limit'", "take one of them out"),
    "a config with a pair twice": config("sampling: {top_p: 1, top_p: 0.5}", "'top_p'", "take one of them"),
    "a config that holds itself": config("task_args: &a {x: *a}", "bad.yaml", "write the value out"),
    "a config with a key": config("engine_args: {\n  api_key: abcdefgh [}", "api_key", "environment"),
    "a config with an unknown option": config("limits: 3", "'limits'", "there are allow_overlap"),
    "a config with a number in words": config("seeds: two", "--seeds 'two'", "give a whole number"),
    "a config with a switch in words": config("fresh: maybe", "--fresh 'maybe'", "give true or false"),
    "a config with a NUL": config('data: "a\\0b"', "--data", "NUL"),
}

MONEY_AND_RULES: dict[str, Bad] = {
    "prices that are not there": Bad(f"{COIN} --prices p.yaml", ("p.yaml", "name a YAML file")),
    "prices without a date": Bad(
        f"{COIN} --prices p.yaml", ("p.yaml", "add for example date"), {"p.yaml": "prompt: 1\ngenerated: 2"}
    ),
    "prices in words": Bad(
        f"{COIN} --prices p.yaml",
        ("p.yaml", "prompt is 'cheap'", "give dollars"),
        {"p.yaml": "date: 2026-01-01\nprompt: cheap\ngenerated: 2"},
    ),
    "prices without end": Bad(
        f"{COIN} --prices p.yaml",
        ("p.yaml", "generated", "give dollars"),
        {"p.yaml": f"date: 2026-01-01\nprompt: 1\ngenerated: 1{'0' * 400}"},
    ),
    "a price that is none": Bad(
        f"{COIN} --prices p.yaml",
        ("p.yaml", "'cache' is no price", "there are cached"),
        {"p.yaml": "date: 2026-01-01\nper_million_tokens: {prompt: 1, generated: 2, cache: 0.1}"},
    ),
    "prices in two ways": Bad(
        f"{COIN} --prices p.yaml",
        ("gpu_hour and per_million_tokens", "keep the one"),
        {"p.yaml": "date: 2026-01-01\nper_million_tokens: {}\ngpu_hour: {}"},
    ),
    "prices of a day that is none": Bad(
        f"{COIN} --prices p.yaml", ("'soon'", "add for example"), {"p.yaml": "date: soon\nprompt: 1"}
    ),
    "prices that are no YAML": Bad(
        f"{COIN} --prices p.yaml", ("p.yaml", "mend it"), {"p.yaml": "date: 2026-99-99"}
    ),
}

TASKS: dict[str, Bad] = {
    "a task that is none": Bad(f"{RUN} --tasks coin_flop", ("coin_flop", "did you mean coin_flip")),
    "no task": Bad(f"{RUN} --tasks ,", ("no task was named", "give some of")),
    "a task with a slash": Bad(f"{RUN} --tasks ../coin_flip", ("../coin_flip", "known are")),
    "a task of another source": Bad(f"{RUN} --tasks judge_mtbench", ("judge_mtbench", "--data hub")),
    "a file of methods that is not there": Bad(
        f"{COIN} --method-path no.py", ("--method-path no.py", "name a")
    ),
    "a file of methods without one": Bad(
        f"{COIN} --method-path m.py", ("m.py", "registers no method"), {"m.py": "x = 1\n"}
    ),
    "a folder of tasks that is not there": Bad(f"{COIN} --include-path no", ("no is no folder", "takes a")),
    "a folder without tasks": Bad(
        f"{COIN} --include-path mine", ("mine", "end in .yaml"), {"mine/readme.txt": "words"}
    ),
    "a task that is no YAML": own_task("sums.yaml", "mend the file", task="task: [\n"),
    "a task that is a list": own_task("sums.yaml", "`key: value` lines", task="- a\n"),
    "a task that contradicts its tags": own_task("sums.yaml", "mend", task="task: !!timestamp x\n"),
    "a task of our name": own_task(
        "gsm8k", "rename yours", task=YAML.replace("sums", "gsm8k"), tasks="gsm8k"
    ),
    "a task that includes nothing": own_task(
        "no.yaml", "correct the path", task="task: sums\ninclude: no.yaml\n"
    ),
    "a task of multiple choice": own_task(
        "sums", "generate_until", task=YAML.replace("generate_until", "multiple_choice")
    ),
    "a task whose filters all vote": own_task(
        "repeats", "take both out", task=YAML.replace("take_first", "majority_vote") + "repeats: 3\n"
    ),
    "a task whose Python raises": own_task("sums", "ZeroDivisionError", "check", data="1 / 0\n"),
    "a task whose Python is none": own_task("sums", "SyntaxError", "check", data="def load(:\n"),
    "a task without its function": own_task("sums", "load", "check", data="a = 1\n"),
    "a task that asks for a column that is none": own_task(
        "sums", "'questoin' is undefined", "check", task=YAML.replace("{{question}}", "{{questoin.x}}")
    ),
    "a task without test items": own_task(
        "sums", "no test items", "check", data=DATA.replace("rows(0, 12)", "rows(0, 0)")
    ),
    "a task without a test split": own_task("sums", "check", task=YAML.replace("test_split: test", "")),
    "a task that climbs": own_task(
        "'../../up'", "rename it", task=YAML.replace("task: sums", "task: ../../up"), tasks="../../up"
    ),
    "a task with a name too long": own_task(
        "nnn", "rename it", task=YAML.replace("task: sums", f"task: {'n' * 250}"), tasks="n" * 250
    ),
    "a task whose score raises": own_task(
        "sums",
        "ZeroDivisionError",
        "mend",
        task=YAML + "process_results: !function data.judge\n",
        data=DATA + "\n\ndef judge(doc, results):\n    return {'exact_match': 1 / 0}\n",
    ),
}

ROWS: dict[str, Bad] = {
    "data without its file": Bad(
        f"{RUN} --tasks gsm8k --data data", ("gsm8k/train.jsonl", "put the file"), {"data/x": ""}
    ),
    "data without a row": Bad(
        f"{RUN} --tasks gsm8k --data data",
        ("train.jsonl", "one JSON object a line"),
        {**dict.fromkeys(FILES["gsm8k"], "")},
    ),
    "a row that is torn": rows("gsm8k", GSM8K, '{"question": "a', f"{GSM8K}:2", "mend or remove"),
    "a row that is no object": rows("gsm8k", GSM8K, "[1]", f"{GSM8K}:2", "curly brackets"),
    "a row that is no text": rows("gsm8k", GSM8K, b'{"question": "\xff"}', f"{GSM8K}:2", "UTF-8"),
    "a row of half a character": rows("gsm8k", GSM8K, '{"question": "\\ud800"}', f"{GSM8K}:2", "UTF-8"),
    "a row as deep as a well": rows("gsm8k", GSM8K, "[" * 9000, f"{GSM8K}:2", "mend or remove"),
    "a row with a number without end": rows(
        "gsm8k", GSM8K, '{"a": 1' + "0" * 5000 + "}", f"{GSM8K}:2", "mend"
    ),
    "a row without a key": rows("gsm8k", GSM8K, {"answer": "#### 5"}, f"{GSM8K}:2", "'question'", "mend"),
    "a row with another type": rows(
        "gsm8k", GSM8K, {"question": 5, "answer": "#### 5"}, "'question'", "mend"
    ),
    "a row without its number": rows("gsm8k", GSM8K, {"question": "q", "answer": "5"}, f"{GSM8K}:2", "mend"),
    "a flip that is neither": rows("coin_flip", COINS, {**FLIP, "targets": "maybe"}, "'maybe'", "mend"),
    "a flip of nobody": rows("coin_flip", COINS, {**FLIP, "inputs": "A coin."}, f"{COINS}:2", "mend"),
    "a packed file that is none": Bad(
        f"{RUN} --tasks gsm8k --data data",
        ("train.jsonl.gz", "check the file"),
        {"data/gsm8k/train.jsonl.gz": b"\x1f\x8bno", "data/gsm8k/test.jsonl": ""},
    ),
}
