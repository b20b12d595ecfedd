#!/usr/bin/env bash
# evalsig reads an lm-eval log with two filters and keeps only the last of them, without a word.
#
# lm-eval scores a document once per filter (gsm8k: strict-match and flexible-extract) and writes a row for each,
# with one `doc_id` and the filter's name. evalsig's reader takes all rows, and its comparison keeps one row per
# `doc_id`: the last. Which filter that is depends on the order in the log; neither the reader, the result's notes
# nor its number of pairs tell it. Whoever compares two models gets the figures of one filter, taken for the task's.
#
# What is run: lm-eval's own `dummy` model, which always answers "lol", on four sentences of this script. One
# filter takes the answer as it is (right), the other wants a number (wrong). Two logs are compared: one as
# lm-eval wrote it, one with the rows of the other filter last.
# Ends with 0 if evalsig still behaves like this, with 1 if not.
set -euo pipefail
evalsig=0.1.2
lm_eval=0.4.13
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "evalsig==$evalsig" "lm-eval==$lm_eval" "datasets>=4,<6"
mkdir "$folder/task"
cat > "$folder/task/rows.jsonl" <<'ROWS'
{"before": "What do you say to the kettle?"}
{"before": "What do you say to the bridge?"}
{"before": "What do you say to the lake?"}
{"before": "What do you say to the loaf?"}
ROWS
cat > "$folder/task/greetings.yaml" <<YAML
task: greetings
dataset_path: json
dataset_kwargs: {data_files: {test: $folder/task/rows.jsonl}}
output_type: generate_until
test_split: test
doc_to_text: "{{before}}"
doc_to_target: "lol"
filter_list:
  - {name: as-it-is, filter: [{function: take_first}]}
  - {name: number, filter: [{function: regex, regex_pattern: "([0-9]+)"}, {function: take_first}]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
YAML
export HF_HOME="$folder/hub" HF_HUB_OFFLINE=1
"$folder/venv/bin/lm_eval" run --model dummy --tasks greetings --include_path "$folder/task" --log_samples \
  --output_path "$folder/out" > "$folder/said" 2>&1 || { tail -5 "$folder/said"; exit 1; }
"$folder/venv/bin/python" - "$folder" <<'PY'
import json, sys
from importlib.metadata import version
from pathlib import Path

from evalsig import compare
from evalsig.io.lm_eval import read_lm_eval_json

print("evalsig", version("evalsig"), "and lm-eval", version("lm-eval"))
(log,) = Path(sys.argv[1], "out").rglob("samples_*.jsonl")
rows = [json.loads(line) for line in log.read_text().splitlines()]
scores = {}
for row in rows:
    scores.setdefault(row["filter"], []).append(row["exact_match"])
print(f"the log has {len(rows)} rows of {len({row['doc_id'] for row in rows})} documents: {scores}")
turned = log.with_name("turned.jsonl")
turned.write_text("".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: row["filter"] != "number")))

frames = [read_lm_eval_json(path, model_id="m", task_id="greetings", metric_name="exact_match") for path in (log, turned)]
found = compare(*frames)
print(f"evalsig reads {[len(frame.items) for frame in frames]} items")
print(f"the same scores, rows of the other filter last: delta {found.delta:+.1f}, n {found.n_pairs}, notes {found.notes}")
holds = (
    scores == {"as-it-is": [1.0] * 4, "number": [0.0] * 4}
    and [len(frame.items) for frame in frames] == [8, 8]
    and abs(found.delta) == 1.0
    and found.n_pairs == 4
    and not found.notes
)
print("so one filter is compared, the one whose rows are last, and nothing says so" if holds else "changed")
sys.exit(0 if holds else 1)
PY
