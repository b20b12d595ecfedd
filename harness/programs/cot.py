"""Chain of thought: reason in the reply, then answer in the form that the task asks for.

Zero-shot (Kojima et al., https://arxiv.org/abs/2205.11916) adds the well-known sentence; few-shot
(Wei et al., https://arxiv.org/abs/2201.11903) shows worked examples first. The examples here are our own
and general; a task that wants others passes `examples`. Everything stands in one user turn, since some
templates drop a system turn and a turn of the assistant would be another prompt format.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UserError
from harness.programs.base import Program, fill, method
from harness.types import Ask, Completion, Item, user

ZERO_SHOT = "{question}\n\nLet's think step by step. {finish}"
FEW_SHOT = "{examples}\n\nQuestion: {question}\n{finish}\nReasoning:"
EXAMPLE = "Question: {question}\nReasoning: {worked}"
NEXT_QUESTION = "\n\nQuestion:"
"""A model that goes on writes a next example; the reply ends before it."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A shelf holds 14 jars. Nora puts 9 more on it and then takes 6 away. How many jars are there?",
        "At first there are 14 jars. With 9 more there are 14 + 9 = 23. After 6 are taken away, "
        "23 - 6 = 17 are left. Answer: 17",
    ),
    (
        "A ticket for the ferry costs 4 dollars. How much do 7 friends pay together?",
        "Each of the 7 friends pays 4 dollars. Together that is 7 * 4 = 28 dollars. Answer: 28",
    ),
    (
        "Omar has 60 beads and shares them equally among 5 bracelets. He then adds 2 beads to each bracelet. "
        "How many beads has one bracelet?",
        "Sharing gives 60 / 5 = 12 beads for each bracelet. With 2 more there are 12 + 2 = 14. Answer: 14",
    ),
    (
        "A gardener plants 6 rows with 8 tulips each. Rabbits eat a quarter of them. How many are left?",
        "There are 6 * 8 = 48 tulips. A quarter of 48 is 48 / 4 = 12. So 48 - 12 = 36 are left. Answer: 36",
    ),
    (
        "Lena is 5 years older than Timo. In 3 years Timo will be 16. How old is Lena now?",
        "Timo is 16 - 3 = 13 now. Lena is 5 years older, so she is 13 + 5 = 18. Answer: 18",
    ),
    (
        "A baker sells 35 rolls in the morning and twice as many in the afternoon. He baked 120 rolls. "
        "How many does he have left?",
        "In the afternoon he sells 2 * 35 = 70 rolls. On the whole day he sells 35 + 70 = 105. "
        "So 120 - 105 = 15 are left. Answer: 15",
    ),
    (
        "A train rides 90 kilometres in one hour. How far does it ride in 2 hours and 30 minutes?",
        "In 2 hours it rides 2 * 90 = 180 kilometres. In 30 minutes, half an hour, it rides 90 / 2 = 45. "
        "Together that is 180 + 45 = 225 kilometres. Answer: 225",
    ),
    (
        "Pia saves 12 dollars a week for 6 weeks. She buys a lamp for 45 dollars. How much has she left?",
        "In 6 weeks she saves 6 * 12 = 72 dollars. After the lamp she has 72 - 45 = 27 dollars. Answer: 27",
    ),
)


@method(
    "cot",
    "zero-shot chain of thought: think step by step, then answer",
    steps=("reason",),
    paper="https://arxiv.org/abs/2205.11916",
)
def cot(item: Item, wording: str = ZERO_SHOT) -> Program:
    """One call. `wording` may use {question}, {answer_form} and {finish}."""
    reply: Completion = yield Ask("reason", [user(fill(wording, item))])
    return reply.text


@method(
    "cot_fewshot",
    "few-shot chain of thought: worked examples first",
    steps=("reason",),
    paper="https://arxiv.org/abs/2201.11903",
)
def cot_fewshot(
    item: Item, examples: Sequence[tuple[str, str]] = EXAMPLES, wording: str = FEW_SHOT
) -> Program:
    """One call. `examples` are (question, worked answer) pairs, at least one."""
    if not examples or any(len(pair) != 2 for pair in examples):
        raise UserError("Method cot_fewshot: examples must be (question, worked answer) pairs, at least one.")
    shown = "\n\n".join(EXAMPLE.format(question=question, worked=worked) for question, worked in examples)
    prompt = fill(wording, item, examples=shown)
    reply: Completion = yield Ask("reason", [user(prompt)], stop=(NEXT_QUESTION,))
    return reply.text
