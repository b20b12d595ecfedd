"""Which verdict a reply gives: `A`, `B` or `C` (a tie).

1. The last one in double brackets, as a letter, a label (`[[Response A]]`, `[[Tie]]`) or a comparison
   (`[[A>B]]`).
2. Brackets that only restate the form do not count: several verdicts in one sentence, or one with a condition
   (`[[A]] if ...`). If there are no others, there is no verdict.
3. Without brackets: the beginning of the text behind the last `Answer:`, `Verdict:` or `\\boxed{`, else a
   letter or label that is all of the reply or opens it in single brackets, else the last sentence if it
   compares the two.
"""

from __future__ import annotations

import re

from tasks.answers import MARKER, after_marker, last_line, own_reply, revised

LABEL = r"(?:response|assistant|answer|option|model|candidate|reply)"
TIE = r"(?:it(?:'s|’s| is)\s+)?(?:an?\s+)?(?:tie\b|tied\b|draw\b)"
BRACKETS = re.compile(r"\[\[[ \t\"'*]*(?P<said>[^\[\]\n]{1,60}?)[ \t\"'*]*\]\]")
MARKERS = re.compile(
    rf"{MARKER.pattern}|\\boxed\s*\{{"
    rf"|\b(?:verdict|winner|decision|judge?ment|choice|preference|(?:better|best|preferred"
    rf"|winning)[ \t]+{LABEL})"
    r"(?:[ \t]+is)?[*_]*(?:[ \t]*[:：=]|[ \t]+[-–—](?=[ \t]))[\s*_]*"
    rf"|\b(?:verdict|winner|decision|choice|(?:better|best"
    rf"|preferred)[ \t]+{LABEL})[ \t]+is\b[ \t]*[:]?[\s*_]*"
    r"|^[ \t]*(?:\#+[ \t]*[*_]*|[*_]{2,})(?:final[ \t]+)?(?:verdict|decision|judge?ment)[*_]*[ \t]*$[\s*_]*",
    re.IGNORECASE | re.MULTILINE,
)
"""Marks before a verdict without brackets."""
MARK = re.compile(rf"{BRACKETS.pattern}|{MARKERS.pattern}", re.IGNORECASE | re.MULTILINE)

COMPARED = re.compile(r"([AB])\s*(>+|<+|=+)\s*([AB])", re.IGNORECASE)
INSIDE = re.compile(rf"(?:{LABEL}\s*)?([ABC])(?:\s*(?:[:(,.-]|is\b|wins\b).*)?|({TIE}).*", re.IGNORECASE)
VERDICT = re.compile(r"\[\[([ABC])\]\]")
BUT = re.compile(r"\b(?:but|however|finally|now)\b", re.IGNORECASE)
SEGMENT = re.compile(r"[()\n]|(?<=[.!?])[\"'”’*]*\s+")
CONDITION = re.compile(
    r"[\"'”’`*]*\s*(?:if|when|in case|means|would mean|should)\b|[\"'”’`*]*\s+for\s+(?:a\s+)?(?:tie|draw)\b",
    re.IGNORECASE,
)
OVER = re.compile(
    r"[\"'”’`*]*\s*(?:over|rather than|instead of|not|is better than|beats)\s*[\"'“‘`*]*\Z", re.IGNORECASE
)

BEGINS = re.compile(
    rf"[\s\"'“‘`*_$(\[{{<\\]*(?:text\w*\{{)?(?:(?i:the)\s+)?(?:(?P<label>(?i:{LABEL}))\s+)?(?P<letter>[ABC])(?P<after>[\"'”’`*_$)\]}}>\s]*)"
    r"(?=$|[^\w\s]|\s|\Z)",
)
ARTICLE = re.compile(
    r"(?!\s*(?:is|was|because|since|as|for|wins|won|by|with|gives?|gave|has|does|over|would|it|and|seems"
    r"|provides?|answers?\s+the)\b)"
    r"\s*[a-z]"
)
"""Behind `A` it makes the letter an article: `A good reply needs detail`."""
ANOTHER = re.compile(rf"[\"'”’`*)\]]*\s*(?:,|/|\||\bor\b)\s*(?:or\s+)?[\"'“‘`*(\[]*(?:{LABEL}\s+)?[ABC]\b")
BOTH = re.compile(
    rf"(?:{LABEL}s?\s+)?A\s+and\s+(?:{LABEL}\s+)?B\b.*\b(?:equal\w*|tie\w*|same|comparable|similar)\b"
    rf"|\W*(?:{TIE}|neither\b.*\bbetter\b|(?:both|the two|these two|they)\b.*\b(?:equal\w*|tied?"
    rf"|comparable)\b)",
    re.IGNORECASE,
)
ALONE = re.compile(rf"[^\w]*(?:(?i:{LABEL})\s+(?=[ABC][^\w:]*\Z))?([ABC])[^\w]*|[^\w]*((?i:{TIE}))[^\w]*")
SINGLE = re.compile(
    rf"\W{{0,3}}\[\s*(?:{LABEL}\s+)?([ABC])\s*\](?![^\n]*\[\s*(?:{LABEL}\s+)?[ABC]\s*\])", re.IGNORECASE
)
ANY_SINGLE = re.compile(rf"\[\s*(?:{LABEL}\s+)?([ABC])\s*\]", re.IGNORECASE)

BETTER = re.compile(
    rf"(?:\b{LABEL}\s+([AB])|\A\W*([AB]))\s+(?:is|was)\s+(?:(?:clearly|slightly|much|overall|the|a|far"
    rf"|significantly|definitely"
    r"|somewhat|marginally|therefore|thus|generally|more)\s+){0,3}(?:better|best|stronger|superior"
    r"|preferred|preferable|winner)\b"
    rf"|\b{LABEL}\s+([AB])\s+wins\b"
    rf"|\bprefer\s+{LABEL}\s+([AB])\b|\b(?:choose|pick|vote for|go with)\s+(?:{LABEL}\s+([AB])\b"
    rf"|\[?([ABC])\]?(?=[.\s]*\Z))",
    re.IGNORECASE,
)
HELD_BACK = re.compile(r"\?|\b(?:if|unless|not|would be|could|might|except)\b|n['’]t\b", re.IGNORECASE)
DENIED = re.compile(r"\W*(?:is|was|wins)?(?:\s+not\b|n['’]t\b)", re.IGNORECASE)
CHOSEN = re.compile(
    r"\b(?:pick|choose|say|prefer|verdict(?: is)?|go with|give|vote(?: for)?)\W*\Z", re.IGNORECASE
)
OVERALL = re.compile(
    r"\b(?:overall|therefore|thus|hence|so|verdict|conclusion|all in all|in total)\b", re.IGNORECASE
)


def answer(text: str) -> str | None:
    """`A`, `B`, `C`, or None: the rules at the top of this file."""
    reply = own_reply(text, MARK)
    if BRACKETS.search(reply):
        found = _bracketed(reply)
        return found[-1] if found else None
    behind = after_marker(reply, MARKERS)
    if behind is not None:
        said = revised(behind)
        return _begins(said.first if said.later is None or said.mild else said.later)
    alone = ALONE.fullmatch(reply)
    if alone:
        return alone[1] or "C"
    single = {letter.upper() for letter in ANY_SINGLE.findall(reply)}
    opens = SINGLE.match(reply)
    if opens and len(single) == 1:
        return opens[1].upper()
    return _compared(reply)


def _bracketed(reply: str) -> list[str]:
    """Verdicts in brackets that do not restate the form, in order."""
    reply = BRACKETS.sub(lambda found: f"[[{_inside(found['said']) or ''}]]", reply)
    verdicts: list[str] = []
    options: list[str] = []
    for segment in SEGMENT.split(reply):
        said = [(match, match[1]) for match in VERDICT.finditer(segment)]
        if not said:
            if segment.strip():
                options = []
            continue
        first, verdict = said[0]
        if CONDITION.match(segment, first.end()):
            options = []
            continue
        if len({letter for _, letter in said}) > 1:
            between = segment[first.end() : said[1][0].start()]
            if OVER.match(between):
                verdicts.append(verdict)
            elif CHOSEN.search(segment[: said[-1][0].start()]):
                verdicts.append(said[-1][1])
            elif len(said) == 2 and BUT.search(between):
                verdicts.append(said[1][1])
            continue
        if segment[first.end() :].lstrip(" \"'”’`*")[:1] in (":", "-", "=", "–") or options:
            options.append(verdict)
        if len(options) == 3 and len(set(options)) == 3:
            del verdicts[-2:]
            options = []
            continue
        verdicts.append(said[-1][1])
    return verdicts


def _inside(said: str) -> str | None:
    """The verdict in double brackets."""
    compared = COMPARED.fullmatch(said.strip())
    if compared:
        left, sign, right = compared[1].upper(), compared[2][0], compared[3].upper()
        return None if left == right else "C" if sign == "=" else left if sign == ">" else right
    whole = INSIDE.fullmatch(said.strip())
    if whole is None or ANOTHER.match(said, whole.end(1) if whole[1] else 0):
        return None
    return whole[1].upper() if whole[1] else "C"


def _begins(text: str) -> str | None:
    """The verdict at the beginning of a text."""
    if BOTH.match(text):
        return "C"
    compared = COMPARED.match(text)
    if compared:
        return _inside(compared[0])
    begins = BEGINS.match(text)
    if begins is None:
        tie = re.match(rf"[\s\"'“‘`*_$(\[{{\\]*(?:text\w*\{{)?{TIE}", text, re.IGNORECASE)
        return "C" if tie else _compared(text.split("\n", 1)[0])
    if ANOTHER.match(text, begins.end("letter")):
        return None
    bare = not begins["after"].strip() and not begins["label"]
    if bare and begins["letter"] == "A" and ARTICLE.match(text, begins.end("letter")):
        return "C" if re.match(TIE, text[begins.start("letter") :], re.IGNORECASE) else None
    if DENIED.match(text, begins.end("letter")) and not text[begins.end("letter") :].lstrip().startswith(","):
        return None
    return begins["letter"]


def _compared(reply: str) -> str | None:
    """The winner that the last sentence of a reply names."""
    line = last_line(reply)
    for sentence in reversed(re.split(r"(?<=[.!?])\s+", line)):
        if BOTH.match(sentence):
            return "C"
        found = [next(filter(None, groups)).upper() for groups in BETTER.findall(sentence)]
        if not found:
            continue
        if HELD_BACK.search(sentence):
            return None
        before = [next(filter(None, groups)).upper() for groups in BETTER.findall(line)]
        return found[-1] if len(set(before)) == 1 or OVERALL.search(sentence) else None
    return None
