"""Last-letter concatenation: join the last letters of the quoted words (Wei et al. 2022, arXiv 2201.11903).

Sources: `embedded` (generate.py), `hub` (ChilleD/LastLetterConcat), or a folder with
`last_letter/test.jsonl`, of which 60 % by content hash are training inputs and 40 % the test (300 and 200 of
500 rows). Task arguments: `difficulty` words per item (embedded); `extra=rar_2words_gpt4` and the like makes
`last_letter/rar_2words_gpt4.jsonl` the test (folder); `validation=N` holds N training rows out (hub, folder).

In some rows of the public data a name is two words ("Jose Antonio") and the gold takes one letter for the
whole name, which is not what the question asks. They are kept, since published scores count them; the column
`two_word_name` marks them and the split's description says how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.last_letter import generate
from tasks.last_letter.answer import MARKERS, answer
from tasks.last_letter.examples import EXAMPLES
from tasks.sources import (
    Row,
    by_content,
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

HUB = "ChilleD/LastLetterConcat"
ANSWER_FORM = '"Answer: " and the joined letters'
PROMPT = "{question}\nReply only with {answer_form}."
# The paper's variant of call 1 asks to separate the words; call 2 then sees only the rephrased question.
REPHRASE = (
    "{question}\n"
    "Rephrase this question so that its words stand apart, in a numbered list. "
    "Keep all that is asked and do not answer it."
)
TRAIN_SHARE = 0.6

QUOTED_WORDS = re.compile(r'"([^"]+)"')

SPEC = TaskSpec(
    name="last_letter",
    s2_method="cot_fewshot",
    metrics=(Metric("exact_match", "binary", "the joined letters are right, letter case ignored"),),
    answer=answer,
    target=lambda letters: f"Answer: {letters}",
    max_tokens={"direct": 256},
    answer_mark=MARKERS,
    method_options={
        "cot_fewshot": {"examples": EXAMPLES},
        "rar_2step_paper": {"rephrase": REPHRASE, "show_original": False},
    },
    inputs_embedded=250,
    paper=PaperSetup("rar_2step_paper", inputs=200, steps=3, tokens_per_step=66_000),
)


def load(
    data: str = "embedded",
    seed: int | str = 0,
    difficulty: int | str | None = None,
    extra: str | None = None,
    validation: int | str | None = None,
    **_: Any,
) -> dict[str, Dataset]:
    """Splits `train`, `validation`, `test`; see the top of this file. TaskError for bad data or arguments."""
    source = data_source(data)
    if extra is not None and not isinstance(source, Path):
        raise TaskError(f"last_letter: extra={extra!r} is a file of a data folder: use --data DIR with it")
    if source == "embedded":
        words = whole_number(difficulty, "difficulty", default=2, low=2, high=8)
        seed = whole_number(seed, "seed", default=0, low=0, high=2**31 - 1)
        train, checks, test = (
            [as_item(row) for row in generate.items(split, seed, words)]
            for split in ("train", "validation", "test")
        )
        return to_splits("last_letter", train=train, validation=checks, test=test)
    train, test = _hub() if source == "hub" else _folder(source, extra)
    held = whole_number(validation, "validation", default=0, low=0, high=len(train) - 1)
    train, checks = hold_out(train, held)
    notes = {"train": _two_word_note(train), "test": _two_word_note(test)}
    return to_splits("last_letter", train=train, validation=checks, test=test, notes=notes)


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Scores of one response: 1 or 0."""
    return {"exact_match": float(SPEC.answer(results[0]) == doc["target"])}


def _hub() -> tuple[list[TaskRow], list[TaskRow]]:
    train, test = hub_rows(HUB, split="train"), hub_rows(HUB, split="test")
    return [_read(row) for row in train], [_read(row) for row in test]


def _folder(folder: Path, extra: str | None) -> tuple[list[TaskRow], list[TaskRow]]:
    rows = [_read(row) for row in read_rows(local_file(folder, "last_letter/test.jsonl"))]
    rows = by_content(rows, key=[row["question"] for row in rows])
    cut = round(TRAIN_SHARE * len(rows))
    if extra is None:
        return rows[:cut], rows[cut:]
    if not re.fullmatch(r"rar_\w+", extra):
        raise TaskError(f"last_letter: extra={extra!r}: give the name of a rar_ file without its ending")
    return rows[:cut], [_read(row) for row in read_rows(local_file(folder, f"last_letter/{extra}.jsonl"))]


def _read(row: Row) -> TaskRow:
    """A row of the public data (`question`, `answer`) as an item."""
    question, gold = require(row, "question", str).strip(), require(row, "answer", str).strip().lower()
    quoted = QUOTED_WORDS.search(question)
    if quoted is None:
        raise TaskError(f"{row.where}: the question has no words in double quotes: fix or remove the row")
    words = quoted[1].split()
    item = {
        "question": question,
        "target": gold,
        "symbols": [w.lower() for w in words],
        "text": " ".join(words),
    }
    return as_item({**item, "two_word_name": len(words) > len(gold)})


def as_item(row: TaskRow) -> TaskRow:
    """The row with its prompt."""
    prompt = PROMPT.format(question=row["question"], answer_form=ANSWER_FORM)
    return {"two_word_name": False, **row, "prompt": prompt, "answer_form": ANSWER_FORM}


def _two_word_note(rows: Sequence[Mapping[str, Any]]) -> str:
    count = sum(row["two_word_name"] for row in rows)
    return (
        f"In {count} of {len(rows)} rows the gold takes one letter for a name of two words." if count else ""
    )
