"""Chain of thought: reason in the reply, then answer in the form that the task asks for.

Zero-shot (Kojima et al., https://arxiv.org/abs/2205.11916) asks for steps; few-shot (Wei et al.,
https://arxiv.org/abs/2201.11903) shows worked examples first, as turns of a chat: a user asks, the assistant
reasons and answers, and the item's question comes last, in the same form as the examples. A task brings its
examples as the option `examples`; turns that lm-eval puts before a prompt are examples too.

An instruct model follows the answer form so closely that, if a prompt ends with that form, it replies with
the answer alone. So the default wording demands the reasoning and says what comes first.
"""

from __future__ import annotations

import re

from harness.errors import UserError
from harness.programs.base import Program, fill, method
from harness.programs.wording import DEFAULT, REASON_FIRST, Examples, after_examples, chosen
from harness.types import Ask, Completion, Item, user

WELL_KNOWN = "{question}\n\nLet's think step by step. {finish}"

WORDINGS = {
    "default": f"{{question}}\n\n{REASON_FIRST}",
    "paper": WELL_KNOWN,
    "tiny": WELL_KNOWN,
}
"""Prompts of `cot`."""

ALREADY_ASKED = re.compile(r"\bstep[- ]by[- ]step\b", re.IGNORECASE)
"""Finds questions that ask for steps themselves, as prompts of lm-eval's chain-of-thought tasks do."""
AS_IT_IS = "{question}\n\n{finish}"

TURN = "{question}\n\n{finish}"
"""A user's turn of `cot_fewshot`, the last one and those of the examples."""

IN_ONE_TURN = "tiny"
"""The wording of `cot_fewshot` that shows EXAMPLES, which suit any task, as text in one turn."""
ONE_TURN = "{examples}\n\nQuestion: {question}\n{finish}\nReasoning:"
EXAMPLE = "Question: {question}\nReasoning: {worked}"
NEXT_QUESTION = "\n\nQuestion:"
"""A model that continues writes a next example; the reply ends before it."""

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
def cot(item: Item, wording: str = DEFAULT, reason: str | None = None) -> Program:
    """One call. `reason` is a template with {question}, {answer_form} and {finish} that replaces the
    wording's."""
    template = reason or chosen(WORDINGS, wording, "cot")
    if reason is None and wording == DEFAULT and ALREADY_ASKED.search(item.question):
        template = AS_IT_IS
    reply: Completion = yield Ask("reason", [user(fill(template, item))])
    return reply.text


@method(
    "cot_paper",
    "cot in the well-known sentence of its paper",
    steps=("reason",),
    paper="https://arxiv.org/abs/2205.11916",
)
def cot_paper(item: Item) -> Program:
    """Like `cot`, but no option of a task changes the wording."""
    return (yield from cot(item, "paper"))


@method(
    "cot_fewshot",
    "few-shot chain of thought: worked examples first",
    steps=("reason",),
    paper="https://arxiv.org/abs/2201.11903",
    shows_examples=True,
)
def cot_fewshot(
    item: Item,
    examples: Examples = (),
    wording: str = DEFAULT,
    reason: str = TURN,
    turns: bool = False,
) -> Program:
    """One call. `examples` are (question, worked reply) pairs; `reason` is the template of every user turn.

    With `turns` the task shows its own examples before the prompt, and only these are used: the prompt is
    sent unchanged, because it has their form. UserError if there is no example at all.
    """
    if wording == IN_ONE_TURN:
        ask = Ask("reason", [user(fill(ONE_TURN, item, examples=_listed(EXAMPLES)))], stop=(NEXT_QUESTION,))
    elif turns:
        ask = Ask("reason", [user(item.prompt)])
    else:
        chosen({DEFAULT: TURN}, wording, "cot_fewshot")
        ask = Ask("reason", after_examples(reason, item, _checked(examples)))
    reply: Completion = yield ask
    return reply.text


def _checked(examples: Examples) -> Examples:
    """UserError if there are no examples, or if they are not pairs of texts."""
    if not examples:
        raise UserError(
            "Method cot_fewshot shows worked examples, and this task brings none: give it some "
            "(num_fewshot in its YAML), or use cot."
        )
    if any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in examples):
        raise UserError("Method cot_fewshot: examples must be (question, worked reply) pairs of texts.")
    return examples


def _listed(examples: Examples) -> str:
    return "\n\n".join(EXAMPLE.format(question=question, worked=worked) for question, worked in examples)
