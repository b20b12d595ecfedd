"""A budget of reasoning: `cot/64` is `cot` with at most 64 tokens before it must answer.

The reply of a one-call method is cut at N tokens. If the model is not done by then, its thought is closed and
the beginning of the answer is added, as ids: prompt, generated ids, the closing mark of a thought, the
opening of the answer form. The model continues from there, so a budget gives an answer and not a cut text
(budget forcing, Muennighoff et al., https://arxiv.org/abs/2501.19393, only the part that ends a thought).
Both calls count, and ids that both share count once.
"""

from __future__ import annotations

import re
from dataclasses import replace
from os.path import commonprefix
from typing import Any

from harness.errors import UserError
from harness.programs.base import Method, Program, Running, family, get_method
from harness.types import Ask, Completion, Item
from results.schema import SPENT

NAME = re.compile(r"(?P<inner>[^()*/]+)/(?P<tokens>[0-9]{1,7})")
QUOTED = re.compile(r'["“]([^"“”]+)["”]')
"""What an answer form quotes: the text before the answer (`"Answer: " and the number`), a form with X in the
answer's place, or all possible answers (`"Answer: yes" or "Answer: no"`)."""
PLACE = re.compile(r"\bX\b")
ANY_FORM = "The answer is"
"""Used if the answer form quotes nothing."""


def answer_opening(item: Item) -> str:
    """Returns how every answer begins, without the space after it: the model's next token has that space."""
    quoted = QUOTED.findall(item.answer_form)
    opening = commonprefix([PLACE.split(text)[0] for text in quoted])  # noqa: RUF071 (by characters)
    if len(quoted) > 1:
        opening = re.sub(r"\w+\Z", "", opening)  # answers that begin alike
    return opening.rstrip() or ANY_FORM


def within(item: Item, method: str, budget: int, **options: Any) -> Program:
    """Makes the one call of `method`, and a second one if its budget was used up."""
    inner = Running(get_method(method).start(item, options), method)
    [ask] = inner.asks
    thought: Completion = yield replace(ask, max_tokens=budget, spends=True)
    reply = thought
    if thought.finish_reason == SPENT:
        # If the thought is closed already, the text is the start of the answer and continues as it is.
        answering = get_method(method).thinking and thought.text
        closing = "" if answering else f"\n{answer_opening(item)}"
        going_on = Ask("answer", ask.messages, stop=ask.stop, after=ask.step, closing=closing)
        rest: Completion = yield going_on
        reply = replace(rest, text=f"{thought.text}{closing}{rest.text}")
    inner.send([reply])
    if inner.text is None:
        raise UserError(
            f"Method {method}/{budget}: a budget is for methods of one call, and {method} makes several."
        )
    return inner.text


@family
def by_name(name: str) -> Method | None:
    """Returns `METHOD/N` as a method; None for other names. UserError if it makes several calls or N = 0."""
    parsed = NAME.fullmatch(name.strip())
    if parsed is None:
        return None
    inner, budget = get_method(parsed["inner"]), int(parsed["tokens"])
    if len(inner.steps) != 1 or inner.votes or inner.steps == ("direct",):
        raise UserError(
            f"Method {name!r}: a budget is for methods that reason in one call, such as cot/{budget or 64} "
            f"or think/{budget or 64}."
        )
    if budget < 1:
        raise UserError(f"Method {name!r} leaves no token to reason: write {inner.name}/64.")
    return Method(
        name=f"{inner.name}/{budget}",
        description=f"{inner.name} with at most {budget} tokens of reasoning, then the answer",
        steps=(*inner.steps, "answer"),
        function=within,
        paper="https://arxiv.org/abs/2501.19393",
        thinking=inner.thinking,
        shows_examples=inner.shows_examples,
        inner=inner.name,
        without_turns=inner.without_turns,
        fixed={"method": inner.name, "budget": budget},
    )


def budget_of(method: Method) -> int | None:
    """Returns the tokens of reasoning that a method or its samples may spend; None without a budget."""
    if "budget" in method.fixed:
        return int(method.fixed["budget"])
    return budget_of(get_method(method.inner)) if method.inner else None
