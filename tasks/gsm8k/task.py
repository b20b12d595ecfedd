"""Grade-school math word problems (GSM8K, Cobbe et al. 2021, arXiv 2110.14168).

Sources: `embedded` (generate.py), `hub` (openai/gsm8k, configuration main), or a folder with
`gsm8k/train.jsonl` and `gsm8k/test.jsonl`. Task arguments: `difficulty` steps per story (embedded; else 3 to
5); `validation=N` holds N training rows out (hub, folder).

answer.py reads the answer in a response. `strict_match` requires the marker, `flexible_match` takes the last
number anywhere: lm-eval's two figures, whose difference shows how much of a score is the extraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.gsm8k import generate
from tasks.gsm8k.answer import GOLD, MARKERS, answer, last_number, marked_number, normalise
from tasks.gsm8k.examples import EXAMPLES
from tasks.sources import (
    Row,
    data_source,
    hold_out,
    hub_rows,
    local_file,
    read_rows,
    require,
    to_splits,
    whole_number,
)
from tasks.spec import Metric, PaperSetup, TaskRow, TaskSpec

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "openai/gsm8k"
ANSWER_FORM = '"Answer: " and the number'
PROMPT = "{question}\nReply only with {answer_form}."

SPEC = TaskSpec(
    name="gsm8k",
    s2_method="cot",
    metrics=(
        Metric("strict_match", "binary", "the number at the last answer marker is right"),
        Metric("flexible_match", "binary", "the last number of the response is right"),
    ),
    answer=answer,
    target=lambda number: f"Answer: {number}",
    max_tokens={"direct": 256},
    answer_mark=MARKERS,
    method_options={"cot_fewshot": {"examples": EXAMPLES}},
    samples=10,
    paper=PaperSetup("cot_paper", inputs=7_461, steps=5_000, tokens_per_step=33_000),
)


def load(
    data: str = "embedded",
    seed: int | str = 0,
    difficulty: int | str | None = None,
    validation: int | str | None = None,
    **_: Any,
) -> dict[str, Dataset]:
    """Splits `train`, `validation`, `test`; see the top of this file. TaskError for bad data or arguments."""
    source = data_source(data)
    if source == "embedded":
        steps = None if difficulty is None else whole_number(difficulty, "difficulty", 3, low=1, high=8)
        seed = whole_number(seed, "seed", default=0, low=0, high=2**31 - 1)
        train, checks, test = (
            [as_item(row) for row in generate.items(split, seed, steps)]
            for split in ("train", "validation", "test")
        )
    else:
        train, test = ([_read(row) for row in _rows(source, split)] for split in ("train", "test"))
        held = whole_number(validation, "validation", default=0, low=0, high=len(train) - 1)
        train, checks = hold_out(train, held)
    return to_splits("gsm8k", train=train, validation=checks, test=test)


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Scores of one response: 1 or 0 each."""
    return {
        "strict_match": float(marked_number(results[0]) == doc["target"]),
        "flexible_match": float(last_number(results[0]) == doc["target"]),
    }


def _rows(source: Path | str, split: str) -> list[Row]:
    if isinstance(source, Path):
        return read_rows(local_file(source, f"gsm8k/{split}.jsonl"))
    return hub_rows(HUB, name="main", split=split)


def _read(row: Row) -> TaskRow:
    """A row of the public data: `question`, and `answer` that ends in the gold number."""
    question = require(row, "question", str).strip()
    _, marker, tail = require(row, "answer", str).rpartition(GOLD)
    gold = normalise(tail) if marker else None
    if gold is None:
        raise TaskError(f"{row.where}: 'answer' has no number after {GOLD!r}: fix or remove the row")
    return as_item({"question": question, "target": gold})


def as_item(row: TaskRow) -> TaskRow:
    """The row with its prompt."""
    prompt = PROMPT.format(question=row["question"], answer_form=ANSWER_FORM)
    return {**row, "prompt": prompt, "answer_form": ANSWER_FORM}
