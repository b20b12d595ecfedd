"""When an answer is right: it is one of the accepted aliases, or says one of them and nothing else.

The paper does not describe its grading, so the rule is written down here and kept strict:

1. The answer as a whole, or behind introductory words ("It is"), equals an alias: case, accents, articles,
   punctuation and dots aside. Several answers are right only if each of them is.
2. An answer of at most MOST_WORDS words may contain an alias ("The capital of France is Paris") if it denies
   nothing and the alias is not part of another name ("Paris Hilton", "University of Paris") or list. A common
   word ("It") must be the whole answer.
3. Numbers are compared as numbers: an answer with a number is right if that is its only one and equal ("6",
   not "6,000", "6.5", "-6", "6 million", "before 6"); dates may include their day.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from tasks.numbers import NUMBER, WORDS, from_words, plain, spell
from tasks.trivia_bias.answer import affirmed_part, parse, without_lead
from tasks.trivia_bias.spelling import compared, forms, joined_initials, normalise, without_accents
from tasks.trivia_bias.words import ABBREVIATED, FUNCTION, JOINING, TITLES

__all__ = ["holds", "is_right", "normalise", "parse"]

MOST_WORDS = 10
"""An answer longer than this is an explanation: an alias in it proves nothing."""

UNSURE = re.compile(
    r"\b(?:not|never|neither|nor|or|cannot|n t|no longer|either|but|except|instead|rather|than|unlike|wrong"
    r"|incorrect|false)\b"
)
"""In normalised text: words that deny or offer a choice. `n t` remains of "isn't"."""
SEVERAL = re.compile(r",? or |[ ]?[/,][ ]?", re.IGNORECASE)
BRACKETED = re.compile(r"[(\[][^()\[\]]*[)\]]")
LEAD_IN = re.compile(r"^(?:(?:it|this|that|he|she|answer|answers|they) (?:s|is|was|are|were) )+")
SHORT = 3
"""Most words of another answer in a list, unless the right one is longer."""

TWO_NAMES = re.compile(r"[A-Z][^\s,]* and [A-Z][^\s,]*")
WORD = re.compile(r"[^\W_]+")
GLUE = re.compile(r"[-–/&+@'’.]+")
"""Characters that join two words to one name if no space is beside them."""
NUMERAL = re.compile(r"[IVX]+")
DOES = re.compile(
    r"(?:\w+ed|wrote|won|sang|made|built|led|sold|shot|flew|began|became|gave|took|stood|ran|lies|lived"
    r"|plays?)\Z"
)

RANGE = re.compile(
    r"\b(?:before|after|until|till|since|by|between|from|to|more|less|fewer|over|under|above|below|least"
    r"|most|nearly|almost"
    r"|not|or|minus|negative|bc|bce)\b|\d\s*(?:[-–—/:×]|to)\s*\d|\d\s*(?:s|st|nd|rd|th)\b|\d[\s,.]*(?:bc"
    r"|bce|hundred|thousand"
    r"|million|billion|trillion|dozen)\b|\d\.\d+\.|\d\s*[½¼¾⅓⅔]|\band a half\b",
    re.IGNORECASE,
)
"""Text that turns a number into another one, or into several."""
MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\b", re.IGNORECASE)
DAY = re.compile(rf"(?:{MONTH.pattern}\W+\d{{1,2}}|\d{{1,2}}\W+{MONTH.pattern})\W*", re.IGNORECASE)
GROUPED = re.compile(r"\d{1,3}(?: \d{3})+|\d+")


def is_right(answer: str | None, aliases: Collection[str]) -> bool:
    """Whether `answer` is one of `aliases` (normalised already) by the rules above."""
    # The text behind it is about the answer: "Lyon; Paris is a common mistake".
    whole = " ".join((answer or "").split())
    text = whole.split(";")[0] or whole
    if not normalise(text):
        return False
    accepted = {compared(alias) for alias in aliases}
    amounts = {amount for alias in accepted if (amount := _amount(alias)) is not None}
    if _equals(whole, accepted, amounts) or _equals(text, accepted, amounts):
        return True
    text = affirmed_part(text)
    text = " ".join(BRACKETED.sub(" ", text).split()) or text
    if _equals(text, accepted, amounts) or _each_equals(text, accepted, amounts):
        return True
    if _each_equals(text.split(",")[0], accepted, amounts):
        return True
    if len(normalise(text).split()) > MOST_WORDS:
        return False
    if amounts and _says_amount(text, amounts):
        return True
    words = list(_words(text))
    return any(_says(text, words, alias) for alias in accepted if _amount(alias) is None)


def holds(text: str, words: str) -> bool:
    """Whether normalised `text` contains normalised `words` as whole words."""
    return bool(words) and f" {words} " in f" {text} "


def _equals(text: str, accepted: Collection[str], amounts: Collection[str]) -> bool:
    """Rule 1 for one answer."""
    found = set()
    for part in (text, without_lead(text), BRACKETED.sub("", text)):
        for form in forms(part):
            found |= {form, LEAD_IN.sub("", form)}
    hits = {form for form in found if form in accepted}
    if any(_amount(form) is None for form in hits):
        return True
    # The sign of a number was removed with the punctuation.
    return bool(hits) and _says_amount(text, amounts)


def _each_equals(text: str, accepted: Collection[str], amounts: Collection[str]) -> bool:
    parts = [part for part in SEVERAL.split(without_lead(text)) if normalise(part)]
    return len(parts) > 1 and all(_equals(part, accepted, amounts) for part in parts)


@lru_cache(maxsize=100_000)
def _amount(form: str) -> str | None:
    """The number in a normalised text that is nothing else, in standard spelling: `1 000`, `six`; else
    None."""
    if GROUPED.fullmatch(form):
        return form.replace(" ", "").lstrip("0") or "0"
    if not form[:1].isalpha() or not WORDS.fullmatch(form):
        return None
    value = from_words(form)
    return None if value is None else str(value)


def _says_amount(text: str, amounts: Collection[str]) -> bool:
    """Rule 3."""
    text = plain(text)
    if RANGE.search(text):
        return False
    if DAY.fullmatch(text):
        return False
    found = [(match, spell(match)) for match in NUMBER.finditer(text)]
    if not found:
        words = ((match, from_words(match[0])) for match in WORDS.finditer(text))
        found = [(match, str(value)) for match, value in words if value is not None]
    if len(found) > 1 and MONTH.search(text):
        found = [(match, value) for match, value in found if not (value.isdigit() and int(value[:4]) <= 31)]
    if len({value for _, value in found}) != 1:
        return False
    match, value = found[0]
    return value in amounts and not _in_a_name(text, match)


def _in_a_name(text: str, number: re.Match[str]) -> bool:
    """Whether a number is part of a name (`Apollo 11`, `One Direction`) or a word (`CO2`)."""
    start, end = number.span()
    if re.match(r"-[A-Za-z]", text[end : end + 2]) or re.search(
        r"[A-Za-z][.]?\Z", text[max(0, start - 2) : start]
    ):
        return True
    before = re.search(r"([^\W_]+)\W*\Z", text[max(0, start - 30) : start])
    after = re.match(r" ([^\W_]+)", text[end : end + 30])
    if any(_is_a_name(found[1]) for found in (before, after) if found):
        return True
    # "Crash of 1929": a name that ends in a number. "It fell in 1929" says a number.
    return before is not None and before[1].lower() == "of" and any(map(_is_a_name, text[:start].split()[:1]))


def _is_a_name(word: str) -> bool:
    plain_words = FUNCTION | {"ad", "ce", "number", "year"}
    return word[:1].isupper() and word.lower() not in plain_words and not MONTH.match(word)


class _Word(NamedTuple):
    text: str
    form: str
    """The form for comparison."""
    glued: bool
    """Whether it is joined to the word before."""
    apart: bool
    """Whether a punctuation mark separates it from the word before."""

    @property
    def is_name(self) -> bool:
        return self.text[:1].isupper() or self.text[:1].isdigit()


def _words(text: str) -> Iterator[_Word]:
    text = without_accents(joined_initials(text))
    end, before, apart = 0, "", False
    for match in WORD.finditer(text):
        gap = text[end : match.start()]
        glued = end > 0 and bool(GLUE.fullmatch(gap))
        stop_of_a_title = gap == ". " and (len(before) == 1 or before.lower() in ABBREVIATED)
        apart |= end > 0 and not glued and bool(gap.strip()) and not stop_of_a_title
        end, before = match.end(), match[0]
        form = normalise(match[0])
        if form:  # an article does not count as a word here, and a mark before it counts for the next word
            yield _Word(match[0], form, glued, apart)
            apart = False


def _says(text: str, words: list[_Word], alias: str) -> bool:
    """Rule 2 for one alias."""
    wanted = alias.split()
    if len(alias) < 2 or (len(wanted) == 1 and alias in FUNCTION):
        return False
    for start in range(len(words) - len(wanted) + 1):
        found = words[start : start + len(wanted)]
        if [word.form for word in found] == wanted and _stands_alone(words, start, start + len(wanted)):
            rest = " ".join(word.form for word in [*words[:start], *words[start + len(wanted) :]])
            return not UNSURE.search(re.sub(r"n t\b", " n t", rest)) and not _is_of_many(text, alias)
    return False


def _stands_alone(words: list[_Word], start: int, end: int) -> bool:
    """Whether the words from `start` to `end` are a whole name, not part of one."""
    first = words[start]
    before = words[start - 1] if start and not first.apart else None
    after = words[end] if end < len(words) and not words[end].apart else None
    if (before and first.glued) or (after and after.glued):
        return False
    if before and before.is_name and before.form not in TITLES and before.form not in FUNCTION:
        return False
    if after and after.is_name and (after.form not in FUNCTION or NUMERAL.fullmatch(after.text)):
        return False
    if "and" in ((before and before.form), (after and after.form)):
        return False
    # "Rex Harrison - My Fair Lady": another name, and what it is known for.
    if start and first.apart and all(word.is_name for word in words[:start]):
        return False
    # University of Paris, Lord of the Rings.
    if before and before.form in JOINING and start > 1 and _in_name(words, start - 2):
        return False
    if (
        after
        and after.form in JOINING
        and end + 1 < len(words)
        and not words[end + 1].apart
        and words[end + 1].is_name
    ):
        return (
            before is not None and before.form in FUNCTION and after.form in ("in", "at", "on", "for", "to")
        )
    if end - start > 1:
        return True
    # A noun behind a name makes it part of something else: the Chicago fire.
    if first.is_name and start:
        return after is None or after.form in FUNCTION or bool(DOES.match(after.form))
    # A single word in lower case, or one that opens the answer, may be any word.
    free_before = before is None or before.form in FUNCTION
    free_after = after is None or (first.is_name and (after.form in FUNCTION or bool(DOES.match(after.form))))
    return free_before and free_after


def _in_name(words: list[_Word], place: int) -> bool:
    return words[place].is_name and words[place].form not in FUNCTION and not words[place + 1].apart


def _is_of_many(text: str, alias: str) -> bool:
    """Whether the alias is one entry of a list of answers: alone in its part, beside others as short."""
    parts = [compared(part) for part in map(normalise, text.split(",")) if part]
    others = [part for part in parts if LEAD_IN.sub("", part) != alias]
    most = max(SHORT, len(alias.split()))
    if len(others) == len(parts) or not any(len(part.split()) <= most for part in others):
        return False
    if len(parts) > 2 or TWO_NAMES.fullmatch(text.split(",")[-1].strip()):
        return True
    # Behind a single comma is a place or a title: "Paris, France".
    return LEAD_IN.sub("", parts[0]) != alias and text.split(",")[0].split()[-1][:1].isupper()
