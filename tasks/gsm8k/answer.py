"""Which number a reply gives as its answer.

1. Behind the last mark (`Answer:`, `####` before a number, `\\boxed{`, else "the answer is"): the number at
   the beginning of the line, the result of a sum, or the number that a sentence is about. Reasons do not
   count.
2. A number that continues as something else (`3/4`, `2 1/2`, `70 - 5`, `10 to 12`, `6:30`) or several numbers
   are not an answer.
3. Without a mark, or without a number behind it, the last number of the reply.

`strict_match` requires a mark of the first three kinds; `flexible_match` takes the last number anywhere. See
tasks/answers.py for what the reply is, and tasks/numbers.py for how numbers are written.
"""

from __future__ import annotations

import re

from tasks.answers import MARKER, after_marker, after_saying, own_reply, revised
from tasks.numbers import LARGE, NUMBER, WORDS, from_words, plain, scaled, spell

GOLD = "####"
"""The mark before the gold number in the public data."""
HEADING = r"\#{4}(?!\#)[ \t]*(?=[*_$\\({-]{0,4}[\d.])(?!\d{1,2}[.):][ \t]+\S)"
"""`####` before a number; before words or a numbered heading it is Markdown."""
MARKERS = re.compile(rf"{MARKER.pattern}|{HEADING}|\\boxed\s*\{{", re.IGNORECASE | re.MULTILINE)

# Text that makes a number part of something else.
GOES_ON = re.compile(
    r"\s*(?:[/*×÷^+−–-]|x(?=\s))\s*[$(]?\d|[eE][+-]?\d|[:,_]\d|\s*[½¼¾⅓⅔⅛]|\s*\\[dt]?frac|\s+\d+\s*/\s*\d"
    r"|(?:\s+[a-z]+)?\s+(?:to|or|and)\s+[$]?\d|[kK]\b|[A-Za-z]\s*[-+*/^]"
)
SPACED = re.compile(r"[$€£₹]?\d{1,3}(?:[ ]\d{3})+(?![ ]?\d)(?:\.\d+)?")
SCALE = re.compile(rf"\s+({'|'.join(word for word in LARGE if word != 'hundred')})\b", re.IGNORECASE)
FRACTION = re.compile(r"\\[dt]?frac|[½¼¾⅓⅔⅛]")
LEAD = re.compile(
    r"[\s*_$\\({\[<\"'“‘`≈~=|]*(?:(?:about|approximately|approx|ca|around|roughly|nearly|exactly|only"
    r"|no)\b\.?\s*"
    r"|(?:so|thus|therefore)\b,?\s*|(?:the\s+)?(?:final\s+|total\s+|correct\s+)?(?:answer|total"
    r"|result)\s+(?:is|=|:)\s*"
    r"|it(?:'s|’s|\s+is)\s+)*[\s*_$\\({\[<\"'“‘`≈~=|]*",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"(?!\W*(?:since|because|as|if|when|after)\b)[^\d=\n]{1,40}=\s*(?=[-−$€£₹\\{*]*[\d.])", re.IGNORECASE
)
"""`total = 18`: a name and its value."""
REASON = re.compile(
    r"[(;]|,(?=\s)|\.(?=\s|\Z)|:(?=\s)|\s[-–—](?=\s+[A-Za-z])"
    r"|\s(?:because|since|as|so|which|where|that|from|after|if|when|given|due|and|but)\b",
    re.IGNORECASE,
)
"""The beginning of a reason behind a value."""
ORDINAL = re.compile(r"(?:st|nd|rd|th)\b|-[A-Za-z]", re.IGNORECASE)
NUMBERED = re.compile(
    r"\b(?:day|step|week|month|year|part|grade|box|room|number|page|problem|question|chapter|class|week"
    r"|round)\s+\Z",
    re.IGNORECASE,
)
BESIDE = re.compile(
    r"\b(?:in|after|for|with|from|per|by|on|every|each|over|within|during|than|between|among"
    r"|(?<!total )(?<!sum )of|the|these|those)\s+"
    r"(?:(?:the|all|about|only|those|these|his|her|their|another|just|every|first|last|next"
    r"|other)\s+)*[*_]*\Z",
    re.IGNORECASE,
)
"""Words before a number that is not the answer: `in 4 weeks`."""
OPERAND = r"[-−]?[$€£₹¥]?(?<![\d.,])(?:\d[\d,]*+(?:\.\d++)?|\.\d++)"
EQUATION = re.compile(rf"(?:{OPERAND}[ \t]*[-+*/×÷x−–][ \t]*){{1,12}}{OPERAND}[ \t]*=[ \t]*")
"""A sum up to its result."""
COMES_TO = re.compile(
    r"=|\b(?:so|thus|therefore|hence|then|leav\w+|makes?|making|earns?|gets?|has|have|had|is|are|was|were"
    r"|be|equals?"
    r"|gives?|means|total|left|pays?|needs?|owes?|takes?|costs?|saves?|spends?)\b",
    re.IGNORECASE,
)
CHECK = re.compile(
    r"\W*(?:check|verif\w*|because|since|explanation|reason\w*|note|where|here|proof)\b", re.IGNORECASE
)
LIST_NUMBER = re.compile(r"\W{0,4}\d{1,2}[.)]\s+(?=\S)")
LISTED = re.compile(r"\W{0,4}1[.)]\s+\S")
REFUSES = re.compile(
    r"\bbetween\s+[$]?\d|"
    r"\b(?:can(?:not|'t|’t)|not (?:possible|enough|given|known|sure|clear)|impossible|unknown|unclear"
    r"|undetermined"
    r"|insufficient|don(?:'|’)?t know)\b",
    re.IGNORECASE,
)


def normalise(number: str) -> str | None:
    """The first number in `number`, in standard spelling: `$1,234.50` -> `1234.5`, `-0.0` -> `0`; or None."""
    found = NUMBER.search(plain(number))
    return None if found is None else spell(found)


def marked_number(text: str) -> str | None:
    """The number behind the last `Answer:`, `####` or `\\boxed{`, or None: rules 1 and 2."""
    behind = after_marker(own_reply(text, MARKERS), MARKERS)
    return None if behind is None else _behind(behind)[0]


def last_number(text: str) -> str | None:
    """The last number anywhere in the reply."""
    return _last(own_reply(text, MARKERS))


def answer(text: str) -> str | None:
    """The number that a reply gives by rules 1 to 3, else None."""
    reply = own_reply(text, MARKERS)
    behind = after_marker(reply, MARKERS)
    if behind is None:
        behind = after_saying(reply)
    if behind is not None:
        found, said = _behind(behind)
        if said:
            return found
    return _last(reply)


def _last(reply: str) -> str | None:
    found = None
    for match in NUMBER.finditer(plain(reply)):
        found = match
    return None if found is None else spell(found)


def _behind(behind: str) -> tuple[str | None, bool]:
    """Reads the text behind a mark: (the number, or None), and whether it names or refuses a number at
    all."""
    said = revised(plain(behind))
    if said.later is not None:
        later = _last(said.later)
        if later is not None or not said.mild:
            return later, True
    lines = [line.strip() for line in said.first.splitlines() if line.strip()]
    if not lines:
        return None, False
    listed = LISTED.match(lines[0]) and any(re.match(r"\W{0,4}2[.)]\s", line) for line in lines[1:])
    if listed:
        return _conclusion(lines), True
    worked = "=" in lines[0] and len(lines) > 1 and "=" in lines[1] and not CHECK.match(lines[1])
    found, any_number = _conclusion(lines) if worked else _value(lines[0]), True
    if found is None and not worked:
        any_number = bool(NUMBER.search(lines[0]) or FRACTION.search(lines[0]) or REFUSES.search(lines[0]))
    return found, any_number


def _conclusion(lines: list[str]) -> str | None:
    """The result of several lines of working: the number of the last line that has one."""
    bare = (LIST_NUMBER.sub("", line, count=1) for line in reversed(lines))
    return next((found for line in bare if (found := _value(line)) is not None), None)


def _value(line: str) -> str | None:
    """The number that a line gives (rules 1 and 2)."""
    lead = LEAD.match(line)
    start = lead.end() if lead else 0
    named = NAMED.match(line, start)
    if named:
        start = named.end()
    # A sign or a currency may be among the removed decoration.
    while start > 0 and line[start - 1] in "-−$€£₹.":
        start -= 1
    number = NUMBER.match(line, start)
    if number is None:
        words = WORDS.match(line, start)
        if words and not NUMBER.search(line):
            value = from_words(words[0])
            return None if value is None else str(value)
        return None if FRACTION.match(line, start) else _of_sentence(line)
    if ORDINAL.match(line, number.end()):
        return _of_sentence(line)
    reason = REASON.search(line, number.end())
    head = line[start : reason.start() if reason else len(line)]
    sides = head.split("=")
    for side in reversed(sides if len(sides) > 1 else []):
        found = _single(side)
        if found is not None:
            return found
    return None if len(sides) > 1 else _single(line[start:])


def _single(side: str) -> str | None:
    """The number at the beginning of a text, if the text is one number and nothing more."""
    side = side.lstrip(" \t*_\\({\"'~≈")
    spaced = SPACED.match(side)
    if spaced:
        side = spaced[0].replace(" ", "") + side[spaced.end() :]
    number = NUMBER.match(side)
    if number is None or GOES_ON.match(side, number.end()):
        return None
    scale = SCALE.match(side, number.end())
    return scaled(spell(number), scale[1]) if scale else spell(number)


def _is_money(number: re.Match[str]) -> bool:
    return number[0].lstrip("-−")[:1] in tuple("$€£₹¥")


def _of_sentence(line: str) -> str | None:
    """The number that a sentence is about: the only candidate; of several, the only amount of money, else
    the last one if the words before it mark it as a result."""
    if REFUSES.search(line):
        return None
    line = EQUATION.sub("= ", line)
    found = [
        number
        for number in NUMBER.finditer(line)
        if not ORDINAL.match(line, number.end())
        and not NUMBERED.search(line, max(0, number.start() - 20), number.start())
        and not line[number.start() - 1 : number.start()].isalpha()
    ]
    to_the_point = [
        number
        for number in found
        if _is_money(number) or not BESIDE.search(line, max(0, number.start() - 40), number.start())
    ]
    found = to_the_point or found
    if not found:
        words = [match[0] for match in WORDS.finditer(line)]
        value = from_words(words[0]) if len(words) == 1 and words[0].lower() != "one" else None
        return None if value is None else str(value)
    values = [_single(line[number.start() :]) for number in found]
    if values[-1] is None:
        return None
    if len(set(values)) == 1:
        return values[-1]
    money = {value for value, number in zip(values, found, strict=True) if _is_money(number)}
    if len(money) == 1:
        return money.pop()
    between = line[found[-2].end() : found[-1].start()]
    return values[-1] if COMES_TO.search(between) else None
