"""Worked verdicts for few-shot chain of thought: (question with both responses, reply), our own.

There is one or more for each verdict. The replies compare both responses before they name the better one.
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
        "The user asks what to do about yellow leaves. Response A says nothing about them. Response B names "
        "a likely cause and three things to do. Response B is more helpful.\n[[B]]",
    ),
    (
        _shown(
            "How many sides does a hexagon have?",
            "A hexagon has six sides.",
            "It has 6 sides.",
        ),
        "The user asks for one number. Response A says six, which is right. Response B says 6, which is the "
        "same number in as few words. Neither is better.\n[[C]]",
    ),
    (
        _shown(
            "Write one sentence that invites my neighbours to a soup evening on Sunday.",
            "Dear neighbours, come to our kitchen on Sunday at six for a warm bowl of soup and good company!",
            "Soup is a dish of many countries. It can be hot or cold. You could invite people to eat it.",
        ),
        "The user asks for one sentence that invites. Response A is one sentence and names place, day and "
        "time. Response B writes about soup in three sentences and invites nobody. Response A does what was "
        "asked.\n[[A]]",
    ),
    (
        _shown(
            "How do I get ink out of a shirt?",
            "Dab the stain with alcohol, put a cloth under it, and wash the shirt cold.",
            "That was clumsy of you. Wash it.",
        ),
        "The user asks how to remove ink. Response A gives three steps in a useful order. Response B is rude "
        "and gives one step that hardly helps. Response A is better.\n[[A]]",
    ),
    (
        _shown(
            "How long do I boil an egg?",
            "Boiling an egg is easy, as everybody knows.",
            "Six minutes give a soft egg, ten a hard one. Cool it in cold water after that.",
        ),
        "The user asks for a time. Response A gives none. Response B gives the times for a soft and a hard "
        "egg and says what to do then. Response B is better.\n[[B]]",
    ),
)
