"""What a teacher left, without a teacher: prompts with votes, and the record and facts that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.papers.cards import describe_task
from distill.teacher.select import Drawn
from harness.types import Completion, Item, Response, Sampling, Step, user

MODEL = {
    "name": "smollm2",
    "fingerprint": "0123456789abcdef",
    "template_hash": "fedcba9876543210",
    "dtype": "float32",
    "parameters": 134_515_008,
}
HOSTILE = (
    "---\nlicense: mit\n---\n# Owned\n```\n<script>alert(1)</script>\n````\n| a | b |\n"
    "[x](javascript:alert(1)) ![y](z) {{ 7 * 7 }} {% for %} \x1b[31m \u202e \ud800 $$x$$"
)


def entry(
    number: int,
    answers: Sequence[str | None],
    *,
    kept: str | None = None,
    reason: str | None = None,
    margin: float = 1.0,
    text: str = "Answer: ",
    question: str = "",
    **fields: Any,
) -> Drawn:
    """A prompt with one sample per answer. `kept` is its target's answer, else `reason` says why not."""
    question = question or f"A coin is heads up. Number {number} flips it. Is it still heads up?"
    item = Item(f"item-{number}", f"cluster-{number}", f"{question}\nReply.", question, "yes or no", fields)
    texts = tuple(text + (answer or "hm") for answer in answers)
    return Drawn(item, texts, tuple(answers), kept, margin, None if kept else reason or "no_majority")


def some_drawn() -> list[Drawn]:
    """Six kept (three yes, three no), three without a majority, one that failed."""
    kept = [entry(n, ["yes", "yes", "no"], kept="yes", margin=1 / 3) for n in range(3)]
    kept += [entry(n, ["no", "no", "no"], kept="no") for n in range(3, 6)]
    dropped = [entry(n, ["yes", "no", None], margin=0.0) for n in range(6, 9)]
    return [*kept, *dropped, entry(9, [None] * 3, reason="all_failed", margin=0.0)]


def record_of(drawn: Sequence[Drawn], **changes: Any) -> dict[str, Any]:
    """The manifest's entry for `drawn`."""
    dropped: dict[str, int] = {}
    for each in drawn:
        if each.reason:
            dropped[each.reason] = dropped.get(each.reason, 0) + 1
    kept = sum(each.answer is not None for each in drawn)
    return {
        "task": "coin_flip",
        "variant": "distilled",
        "seed": 0,
        "status": "trained",
        "teacher_method": "rar_2step",
        "teacher_tokens": 11_931,
        "teacher_prompt_tokens": 24_467,
        "teacher_flops": 9.79e12,
        "samples_per_input": 3,
        "filter": "majority",
        "majority_share": 0.5,
        "inputs": len(drawn),
        "kept": kept,
        "dropped": dropped,
        "overlap": {"exact": 3, "normalised": 0, "ngram": 0, "symbols": 1},
        "overlap_unchecked": [],
        "allow_overlap": False,
        "examples": kept,
        "train_tokens": 5_724,
        "train_flops": 3.08e12,
        "pseudo_label_accuracy": 0.75,
        "already_given": 0.25,
        "settings": {"epochs": 4, "rank": 16, "learning_rate": 4e-4},
        "warnings": [],
        **changes,
    }


def two_steps(question: str, reply: str = "Reply") -> Response:
    """A finished sample of `rar_2step`."""
    steps = [
        Step(name, [user(f"{name}: {question}")], Completion(f"{reply} to {name}", "stop", 9, 5))
        for name in ("rephrase", "respond")
    ]
    return Response(f"{reply} to respond", steps)


def facts_of(
    drawn: Sequence[Drawn],
    record: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] = MODEL,
    options: Mapping[str, Any] | None = None,
    reply: str = "Reply",
) -> dict[str, Any]:
    """What `write_papers` takes."""
    sampling = Sampling(0.7, 0.95, max_tokens=128)
    part = describe_task(
        record or record_of(drawn),
        drawn,
        sampling={"rephrase": sampling, "respond": sampling},
        options=options or {},
        target=lambda answer: f"Answer: {answer}",
        sample=two_steps(drawn[0].item.question, reply),
    )
    return {
        "model": dict(model),
        "tasks": [part],
        "training": {"steps": 12, "loss": 0.62909, "seconds": 153.7, "tokens_per_second": 33.2468},
        "versions": {"torch": "2.13.0", "peft": "0.21.2"},
    }
