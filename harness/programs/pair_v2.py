"""The judge of MT-bench in its own words (Zheng et al., https://arxiv.org/abs/2306.05685, prompt `pair-v2`).

One call: the judge compares two responses, explains, and prints a verdict. arXiv 2407.06023 uses it as the
chain-of-thought judge. Its system turn is part of the user turn here, since some templates drop a system
turn. The item's fields hold `user_question`, `response_a` and `response_b`.
"""

from __future__ import annotations

from harness.programs.base import Program, fill, method
from harness.programs.bsm import judged_parts
from harness.types import Ask, Completion, Item, user

PAIR_V2 = (
    "Please act as an impartial judge and evaluate the quality of the responses provided by two AI "
    "assistants to the user question displayed below. You should choose the assistant that follows "
    "the user's instructions and answers the user's question better. Your evaluation should consider "
    "factors such as the helpfulness, relevance, accuracy, depth, creativity, and level of detail of "
    "their responses. Begin your evaluation by comparing the two responses and provide a short "
    "explanation. Avoid any position biases and ensure that the order in which the responses were "
    "presented does not influence your decision. Do not allow the length of the responses to "
    "influence your evaluation. Do not favor certain names of the assistants. Be as objective as "
    "possible. After providing your explanation, output your final verdict by strictly following this "
    'format: "[[A]]" if assistant A is better, "[[B]]" if assistant B is better, and "[[C]]" for a '
    "tie.\n\n"
    "[User Question]\n{user_question}\n\n"
    "[The Start of Assistant A's Answer]\n{response_a}\n[The End of Assistant A's Answer]\n\n"
    "[The Start of Assistant B's Answer]\n{response_b}\n[The End of Assistant B's Answer]"
)


@method(
    "pair_v2",
    "the judge of MT-bench: compare two responses, explain, then the verdict",
    steps=("reason",),
    without_turns=("reason",),
    paper="https://arxiv.org/abs/2306.05685",
)
def pair_v2(item: Item) -> Program:
    """One call. UserError if the item does not have two responses."""
    question, responses = judged_parts(item, "pair_v2")
    prompt = fill(PAIR_V2, item, user_question=question, **responses)
    reply: Completion = yield Ask("reason", [user(prompt)])
    return reply.text
