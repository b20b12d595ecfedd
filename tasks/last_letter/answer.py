"""Which letters a reply gives as its answer.

1. Behind the last `Answer:` or `\\boxed{` (else "the answer is"), on its line: the letters at the beginning
   up to a reason, else the end of a conclusion (`r + b = rb`, `the result is rb`), else the one quoted word.
2. Letters are one word, or single letters that are joined (`r, b`, `"r" and "b"`, `r (lookup), b (Bob)`).
3. Without a mark, or without letters on its line, the last line (code fences aside) counts if it is only
   letters or a conclusion of two letters or more; a single letter is an intermediate step.
"""

from __future__ import annotations

import re

from tasks.answers import MARKER, after_marker, after_saying, first_line, own_reply, revised

MARKERS = re.compile(rf"{MARKER.pattern}|\\boxed\s*\{{", re.IGNORECASE | re.MULTILINE)

LETTER = r"[^\W\d_]"
QUOTES = "\"'“”‘’`*"
JOINT = r"[\s,+.&/|·\"'“”‘’`*→>–-]"
AND = r"\s*,?\s*\b(?:and then|and|then|plus|followed by)\b\s*"
EDGES = " \t.!?,;:\"'“”‘’`*_{}$()[]<>\\"
JOINED = re.compile(rf"{LETTER}+")
SPACED = re.compile(rf"{LETTER}(?:{JOINT}+{LETTER}(?!{LETTER}))+")
FENCE = re.compile(r"```\w*")
LATEX = re.compile(r"\\(?:text\w*|math\w+|mbox)\s*\{|\\[()\[\]]|\\(?=\W)")
AND_WORD = re.compile(AND, re.IGNORECASE)

CONCLUSION = re.compile(
    r".*(?:[=:→]|->|=>|\b(?:is|are|get|gives?|makes?|forms?|yields?|becomes?|spells?|produces?)\b|\b(?:it"
    r"|that|which)['’]s\b"
    r"|[,;]\s*(?:so|thus|therefore|hence)\b,?)(.*)",
    re.IGNORECASE,
)
NOUN = re.compile(
    r"(?:the\s+)?(?:(?:final|last|joined|resulting|new|combined|concatenated)\s+)?"
    r"(?:string|word|letters?|result|combination|sequence|concatenation|answer)\s*(?=[\"'“‘`*:\s])",
    re.IGNORECASE,
)
REASON = re.compile(
    rf"\s*[{QUOTES})\]]*\s*(?:[,;(:]|\.(?=\s|\Z)|\s[-–—]+\s|=|\b(?:because|since|as|from|where|which|for"
    rf"|that|given|taken)\b)",
    re.IGNORECASE,
)
"""Text between an answer and its reason."""
BEGINNING = re.compile(
    rf"[{QUOTES}\s(\[{{<$]*({LETTER}+|{LETTER}(?:(?:[\s,+.&/-]"
    rf"|[{QUOTES}])+{LETTER}(?!{LETTER}))+)(?={REASON.pattern})",
    re.IGNORECASE,
)
WORD = rf"[{QUOTES}]*{LETTER}{{2,}}[{QUOTES}]*"
ONE = rf"[{QUOTES}]*({LETTER})(?!{LETTER})[{QUOTES}]*"
PAIR = rf"{WORD}\s*(?:→|->|=>|:|=|ends in|gives)\s*{ONE}"
OF_PAIR = rf"{ONE}\s*(?:\(\s*(?:from\s+)?[^()\n]{{1,30}}\)|(?:from|of|for)\s+{WORD})"
"""`lookup -> r`, and `r (lookup)` or `r from lookup`."""
BETWEEN = rf"(?:\s*[,;]\s*(?:and\s+)?|{AND}|\s+)"
PAIRS = [re.compile(rf"{pair}(?:{BETWEEN}{pair}){{1,9}}[.\s]*", re.IGNORECASE) for pair in (PAIR, OF_PAIR)]
ONE_OF = [re.compile(pair, re.IGNORECASE) for pair in (PAIR, OF_PAIR)]
QUOTED = re.compile(rf'(?:["“`*{{])({LETTER}+)(?:["”`*}}])')
EXPLAINED = re.compile(rf"[{QUOTES}]*({LETTER}{{2,}})[{QUOTES}]*,?\s+(?:because|since)\b", re.IGNORECASE)
FILLER = re.compile(r"(?:sorry|sure|certainly|okay|well|unfortunately)\b[\s,.!:]+", re.IGNORECASE)
_TALK = """
    so thus hence here taken since because as from result joined joining combined combining concatenated
    concatenating together it we i final last first output
"""
TALK = frozenset(_TALK.split())
"""Words that often begin a sentence and hardly ever are an answer."""
_NO_ANSWER = """
    unknown unclear impossible undefined unsure sorry letters letter answer the none nothing string
"""
NO_ANSWER = frozenset(_NO_ANSWER.split())
"""Words in place of an answer, in a sentence that says there is none or that continues below."""


def answer(text: str) -> str | None:
    """The joined letters in lower case, or None: the rules at the top of this file."""
    reply = own_reply(text, MARKERS)
    behind = after_marker(reply, MARKERS)
    if behind is None:
        behind = after_saying(reply)
    if behind is None:
        return _unmarked(reply)
    if JOINED.fullmatch(behind.strip(EDGES)):
        return behind.strip(EDGES).lower()
    said = revised(_clean(behind))
    if said.later is not None:
        later = _unmarked(said.later) or _line(first_line(said.later))
        if later is not None or not said.mild:
            return later
    lines = [line for line in said.first.splitlines() if line.strip()]
    if not lines:
        return None
    found = _line(lines[0].strip())
    return _unmarked(said.first) if found is None and len(lines) > 1 else found


def _clean(text: str) -> str:
    return LATEX.sub("", FENCE.sub("", text))


def _unmarked(text: str) -> str | None:
    """Rule 3."""
    lines = [line for line in _clean(text).splitlines() if line.strip()]
    if not lines:
        return None
    line = FILLER.sub("", lines[-1].strip(), count=1)
    ended = _conclusion(line)
    explained = EXPLAINED.match(line)
    if explained:
        return explained[1].lower()
    return _letters(line) or (ended if ended and len(ended) > 1 else None)


def _line(line: str) -> str | None:
    """Rule 1, on one line."""
    line = FILLER.sub("", line, count=1)
    for pairs, one in zip(PAIRS, ONE_OF, strict=True):
        if pairs.fullmatch(line):
            return "".join(one.findall(line)).lower()
    whole = _letters(line) or _letters(NOUN.sub("", line, count=1) if NOUN.match(line) else "")
    if whole:
        return whole
    beginning = BEGINNING.match(line)
    if beginning and beginning[1].lower() not in TALK | NO_ANSWER:
        # `Result: rb` is a name and its value, `rb: r from lookup` an answer and its reason.
        named = re.match(rf"[{QUOTES}]*\s*[:=](.*)", line[beginning.end(1) :])
        rest = _letters(named[1]) if named else None
        found = rest if rest and len(rest) > 1 else _letters(beginning[1])
        if found and len(found) > 1:
            return found
    for part in (line, re.split(r"[.(;]\s", line + " ")[0], line.partition("(")[0]):
        found = _conclusion(part)
        if found and len(found) > 1:
            return found
    quoted = QUOTED.findall(line)
    return str(quoted[0]).lower() if len(set(quoted)) == 1 else None


def _letters(part: str) -> str | None:
    """Rule 2: the letters that are all of `part`."""
    if JOINED.fullmatch(part.strip(EDGES)):
        return part.strip(EDGES).lower()
    part = AND_WORD.sub(" ", part).strip(EDGES)
    return "".join(re.findall(LETTER, part)).lower() if SPACED.fullmatch(part) else None


def _conclusion(part: str) -> str | None:
    """The letters at the end of a conclusion."""
    ended = CONCLUSION.fullmatch(part.strip(EDGES))
    found = _letters(NOUN.sub("", ended[1].strip(), count=1)) if ended else None
    return None if found in NO_ANSWER else found
