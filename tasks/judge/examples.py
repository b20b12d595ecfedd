"""Worked verdicts that few-shot chain of thought shows: (question with both responses, reply), our own.

One for each verdict. The replies weigh what both responses say before they name the better one.
"""

from __future__ import annotations

from tasks.judge.pairs import SHOWN


def _shown(question: str, response_a: str, response_b: str) -> str:
    return SHOWN.format(question=question, response_a=response_a, response_b=response_b)


EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        _shown(
            "My basil plant has yellow leaves. What should I do?",
            "Plants are fun! Basil goes well with tomatoes.",
            "Yellow leaves often mean too much water. Let the soil dry, empty the saucer, and move the pot "
            "to a brighter place.",
        ),
        "Response A is friendly but says nothing about the leaves. Response B names a likely cause and three "
        "things to do about it. Response B is more helpful.\n[[B]]",
    ),
    (
        _shown(
            "How many sides does a hexagon have?",
            "A hexagon has six sides.",
            "It has 6 sides.",
        ),
        "Both responses give the right number, six. Both are short and clear, and neither adds anything. "
        "They are equally good.\n[[C]]",
    ),
    (
        _shown(
            "Write one sentence that invites my neighbours to a soup evening on Sunday.",
            "Dear neighbours, come to our kitchen on Sunday at six for a warm bowl of soup and good company!",
            "Soup is a dish of many countries. It can be hot or cold. You could invite people to eat it. "
            "Many neighbours like soup, and evenings are a good time.",
        ),
        "Response A is one sentence, invites the neighbours and names day and time. Response B is longer, "
        "but it writes about soup and invites nobody. Response A does what was asked.\n[[A]]",
    ),
)
