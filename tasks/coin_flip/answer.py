"""Whether a reply says yes or no: is the coin still heads up?

1. Behind the last `Answer:` or `\\boxed{` (else "the answer is"): the yes or no at its beginning, else the
   first one that is set off, else the side that it names: heads up is yes, tails up or no longer heads up is
   no.
2. Without a mark: the yes or no at the beginning of the reply; else its last line that says one, or that
   concludes with a side. Entries of a list (`Bo: no`), the model's own questions and intermediate steps do
   not count.
3. A choice (`yes or no`, `heads or tails`) says nothing, nor does "no" before a noun (`no one`, `no change`).
   An answer that is taken back (`No, wait: yes`) does not count.
"""

from __future__ import annotations

import re

from tasks.answers import MARKER, after_marker, after_saying, own_reply, revised

MARKERS = re.compile(rf"{MARKER.pattern}|\\boxed\s*\{{", re.IGNORECASE | re.MULTILINE)

# "no" is also a plain word ("there is no change", "No one flips").
OF_NOTHING = (
    r"(?!\s+(?:one|body|person|people|change|changes|flip|flips|flipped|flipping|coin|coins|other|others|more"
    r"|further|longer|matter|doubt|need|way|information|reversal|reversals|turn|turns|effect|idea|friend\w*"
    r"|single|participant\w*)\b)"
)
DECORATION = r"[^\w]*(?:\\(?:text|textbf|mathbf|mathrm)\s*\{\W*)?"
OPENING = re.compile(rf"{DECORATION}(yes|no{OF_NOTHING})\b", re.IGNORECASE)
SET_OFF = re.compile(rf"\b(yes|no{OF_NOTHING})\b(?=\W*(?:$|\n)|[*_\"'”’)}}]*[.,;:!])", re.IGNORECASE)
YES_OR_NO = re.compile(rf"\b(yes|no{OF_NOTHING})\b", re.IGNORECASE)
CHOICE = re.compile(
    r"[(\[]?[\"'“*]{0,3}\byes\b[\"'”*]{0,3}\s*(?:/|\|"
    r"|,?\s*\bor\b)\s*(?:Answer:\s*)?[\"'“*]*no\b[\"'”*]*[)\]]?"
    r"(?:\s+(?:question|answer)\b)?"
    r"|\bheads\b(?:[ -](?:up|side up))?\s*(?:/|,?\s*\bor\b)\s*tails\b(?:[ -](?:up|side up))?",
    re.IGNORECASE,
)

NOT = r"(?P<not>\bnot\b|\bno longer\b|n['’]t\b|\bnever\b)"
SIDE = re.compile(
    rf"(?:{NOT}\s+(?:(?:be|still|now|showing|show|on|facing|currently|anymore|the)\s+){{0,3}})?"
    r"\b(?P<side>heads|tails)\b(?P<up>[ -](?:side[ -])?(?:up|facing))?",
    re.IGNORECASE,
)
BEFORE = re.compile(
    r"\b(?:start\w*|beg[ai]n\w*|initial\w*|original\w*|at first|if|could|might|whether)\b"
    r"(?:(?!\b(?:now|and|then|but|so|is)\b)[^.,;\n]){0,40}\Z|\b(?:was|were)\s+(?:\w+\s+)?\Z",
    re.IGNORECASE,
)
"""Text before a side that the coin had earlier, or might have."""
CONCLUDES = re.compile(
    r"\b(?:still|remain\w*|no longer|final\w*|end(?:s|ed)?(?: up)?|in the end|therefore|thus|hence"
    r"|consequently"
    r"|conclusion|result\w*|anymore)\b|\A\W*(?:so|overall)\b|,\s*so\b",
    re.IGNORECASE,
)
ENTRY = re.compile(
    r"^[ \t]*(?:[-*•][ \t]|\||\d{1,2}[.)])[ \t]*[^\n]*$"
    r"|^[ \t*]*(?!(?i:yes|no|so|answer|final|result|conclusion|verdict|therefore"
    r"|coin)\b)[A-Z][\w’'-]*[* ]*[:–—-][^\n]*$",
    re.MULTILINE,
)
"""A line of a list of people."""
OWN_QUESTION = re.compile(r"(?:^|(?<=[.!?]))[^.!?\n]*\?[ \t]*(?:yes|no)\b[.!]?", re.IGNORECASE | re.MULTILINE)
SENTENCES = re.compile(r"(?<=[.!?])\s+")
WHOLE = re.compile(r"[.!*\"”]\Z")
ABOUT_COIN = re.compile(r"\b(?:heads|tails|still)\b", re.IGNORECASE)


def answer(text: str) -> str | None:
    """`yes`, `no`, or None: the rules at the top of this file."""
    reply = own_reply(text, MARKERS)
    behind = after_marker(reply, MARKERS)
    if behind is None:
        behind = after_saying(reply)
    return _unmarked(reply) if behind is None else _marked(behind)


def _marked(behind: str) -> str | None:
    """Rule 1, and rule 3's last sentence."""
    said = revised(CHOICE.sub(" ", behind))
    if said.later is not None:
        later = _said(said.later, last=True)
        if later is not None or not said.mild:
            return later
    return _said(said.first, last=False)


def _said(text: str, last: bool) -> str | None:
    """The answer of a text: at its beginning, else a word that is set off, else a side."""
    opening = OPENING.match(text)
    if opening:
        return opening[1].lower()
    found = SET_OFF.findall(text)
    if found:
        return str(found[-1 if last else 0]).lower()
    side = _side(text)
    if side is not None:
        return side
    found = YES_OR_NO.findall(text)
    return str(found[-1 if last else 0]).lower() if found else None


def _unmarked(reply: str) -> str | None:
    """Rule 2."""
    reply = CHOICE.sub(" ", reply)
    opening = OPENING.match(reply)
    if opening and not ENTRY.match(reply):
        return _marked(reply)
    reply = OWN_QUESTION.sub(lambda asked: asked[0] if ABOUT_COIN.search(asked[0]) else " ", reply)
    lines = [line.strip() for line in ENTRY.sub("", reply).splitlines() if line.strip()]
    for place, line in enumerate(reversed(lines)):
        found = SET_OFF.findall(line)
        if found:
            return str(found[-1]).lower()
        sentence = SENTENCES.split(line)[-1]
        # A text that was cut ends with an intermediate step, and seldom at the end of a sentence.
        if place == 0 and CONCLUDES.search(sentence) and WHOLE.search(sentence) and _side(sentence):
            return _side(sentence)
    return None


def _side(text: str) -> str | None:
    """The answer that follows from the sides in a text: the last one, unless the coin only starts with it."""
    found = None
    for match in SIDE.finditer(text):
        if match["not"] is None and BEFORE.search(text, max(0, match.start() - 60), match.start()):
            continue
        up = match["side"].lower() == "heads"
        found = "yes" if up == (match["not"] is None) else "no"
    return found
