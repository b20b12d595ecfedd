#!/usr/bin/env bash
# A frozen bfloat16 output layer costs torch a copy of its weights for every row of the batch; a trainable one does not.
#
# transformers' `logits_to_keep=1` hands the last position of each row to the output layer: a slice that is not
# contiguous. `torch.nn.functional.linear` then chooses by the weight's `requires_grad`, even in inference mode: with
# True it makes one matrix product, with False a batched one, for which oneDNN copies the weight for each row.
# Loading a model leaves requires_grad=True; PEFT freezes the weights. So the same model answers the same prompts at
# a fraction of the speed as soon as an adapter is beside it (60 rows of a model with 151,936 tokens ask for 28 GB).
#
# What is run: one layer of 512 x 20,000 (20 MB) on 32 rows, once trainable and once frozen, each in its own process,
# which prints the growth of its peak memory.
# Ends with 0 if torch still behaves like this, with 1 if not.
set -euo pipefail
torch=2.13.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==$torch" "numpy<3"
cat > "$folder/rows.py" <<'PY'
import resource
import sys

import torch

layer = torch.nn.Linear(512, 20_000, bias=False, dtype=torch.bfloat16).requires_grad_(sys.argv[1] == "trainable")
hidden = torch.ones(32, 8, 512, dtype=torch.bfloat16)
with torch.inference_mode():
    layer(hidden[:1, -1:].contiguous())  # what is allocated once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer(hidden[:, -1:])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(round(grown / 1024))
PY
trainable=$("$folder/venv/bin/python" "$folder/rows.py" trainable)
frozen=$("$folder/venv/bin/python" "$folder/rows.py" frozen)
echo "torch $torch, 32 rows, weights of 20 MB: peak memory grows by $trainable MB if trainable, by $frozen MB if frozen"
[ "$frozen" -gt 300 ] && [ "$trainable" -lt 100 ]
