"""One answer in its many spellings: case, articles, punctuation, accents, initials.

`normalise` is the published form in data files; `compared` goes further, for comparing two answers.
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

ARTICLE = re.compile(r"\b(?:a|an|the)\b")
PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`_", " "))
"""TriviaQA replaces each of these characters by a space."""
LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
)
"""Letters that Unicode decomposition does not turn into plain ones."""
INITIALS = re.compile(r"(?<![\w.])((?:[^\W\d_]\.[ ]?){2,}(?:[^\W\d_](?!\w))?|[^\W\d_](?:\.[^\W\d_])+\b)")
"""`J. K.`, `U.S.A.`, `F.B.I`"""
LONE_LETTERS = re.compile(r"(?<!\S)[^\W\d_](?: [^\W\d_])+(?!\S)")


def normalise(text: str) -> str:
    """`text` as TriviaQA compares answers: lower case, no punctuation, no articles, single spaces.

    Joshi et al. 2017 (arXiv 1705.03551), as their published evaluation script does it.
    """
    return " ".join(ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split())


@lru_cache(maxsize=100_000)
def compared(form: str) -> str:
    """A normalised text without accents, with runs of single letters joined: `j f k` -> `jfk`."""
    if not form.isascii():
        form = without_accents(form)
    return LONE_LETTERS.sub(lambda run: run[0].replace(" ", ""), form)


def forms(text: str) -> set[str]:
    """The forms of `text` to compare. One has its initials joined first, since `A.I.` begins with an
    article."""
    texts = {text, joined_initials(text), text.replace("&", " and ")}
    return {compared(normalise(text)) for text in texts} - {""}


def joined_initials(text: str) -> str:
    """`text` with runs of dotted letters as one word: `J. K. Rowling` -> `JK Rowling`."""
    return INITIALS.sub(lambda run: re.sub(r"[. ]", "", run[0]) + " " * run[0].endswith(" "), text)


def without_accents(text: str) -> str:
    """`text` in plain letters: `Dvořák`, composed or not, becomes `Dvorak`."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(LETTERS)
