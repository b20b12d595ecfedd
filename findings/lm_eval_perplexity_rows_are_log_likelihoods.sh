#!/usr/bin/env bash
# lm-eval's rows of `perplexity` are log-likelihoods: higher is better, although the metric says lower is.
#
# A task with `metric: perplexity` reports exp(-mean log-likelihood), and its results file says, rightly, that
# lower is better. The rows that --log_samples writes under the same name are the log-likelihoods themselves, so
# in them higher is better. Whoever compares two models row by row and takes the direction from the results file
# gets the verdict the wrong way round.
#
# What is run: lm-eval's own `dummy` model, which answers at random, on four sentences of this script.
# Ends with 0 if lm-eval still behaves like this, with 1 if not.
set -euo pipefail
version=0.4.13
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "lm-eval==$version" "datasets>=4,<6"
mkdir "$folder/task"
cat > "$folder/task/rows.jsonl" <<'ROWS'
{"before": "The kettle is", "after": "hot"}
{"before": "The bridge is", "after": "long"}
{"before": "The lake is", "after": "deep"}
{"before": "The loaf is", "after": "fresh"}
ROWS
cat > "$folder/task/endings.yaml" <<YAML
task: endings
dataset_path: json
dataset_kwargs: {data_files: {test: $folder/task/rows.jsonl}}
output_type: loglikelihood
test_split: test
doc_to_text: "{{before}}"
doc_to_target: " {{after}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
YAML
export HF_HOME="$folder/hub" HF_HUB_OFFLINE=1
"$folder/venv/bin/python" - "$folder" <<'PY'
import glob, json, math, sys
import lm_eval
from lm_eval.tasks import TaskManager

folder = sys.argv[1]
results = lm_eval.simple_evaluate(
    model="dummy", tasks=["endings"], log_samples=True, bootstrap_iters=0,
    task_manager=TaskManager(include_path=f"{folder}/task", include_defaults=False),
)
rows = [sample["perplexity"] for sample in results["samples"]["endings"]]
total = results["results"]["endings"]["perplexity,none"]
direction = results["higher_is_better"]["endings"]["perplexity"]
print(f"lm-eval {lm_eval.__version__}")
print(f"results file: perplexity {total:.3f}, higher_is_better {direction}")
print(f"rows under the same name: {[round(row, 3) for row in rows]}")
print(f"exp(-mean of the rows): {math.exp(-sum(rows) / len(rows)):.3f}")
holds = (
    direction is False
    and all(row < 0 for row in rows)
    and math.isclose(math.exp(-sum(rows) / len(rows)), total)
)
print("so the best row is the largest, and the metric's direction is not that of its rows" if holds else "changed")
sys.exit(0 if holds else 1)
PY
