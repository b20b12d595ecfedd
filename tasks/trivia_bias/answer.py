"""Which answer a reply gives: the text that is graded, and that a distilled model learns to write.

1. The text behind the last `Answer:` or `\\boxed{`, else the whole reply; in it the first statement that
   neither denies another answer nor only hedges ("I don't think it was A. It was B": B; "Not A but B": B).
2. Without a mark, the last statement with "the answer is" comes first, and the name in it is the answer.
3. Without emphasis, quotes, leading article, final stop, the words before it ("I think it is") and the answer
   that it rejects (", not A"). Case is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.answers import MARKER, SAYING, after_marker, own_reply, revised
from tasks.trivia_bias.spelling import normalise

MARKERS = re.compile(rf"{MARKER.pattern}|\\boxed\s*\{{", re.IGNORECASE | re.MULTILINE)
LATEX = re.compile(r"\\(?:text\w*|math\w+|mbox)\s*\{|\\[()\[\]]|\\(?=[$%&#])")

LEADING_ARTICLE = re.compile(r"^(?:a|an|the)\s+(?=\S)", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[^\s.!?])[.!?]+[\"'”’)*_]*(?=\s)")
ABBREVIATION = re.compile(r"(?:^|[\s.(])(?:[A-Za-z]|(?i:Mr|Mrs|Ms|Dr|St|Ft|Mt|Jr|Sr|vs|Prof))$")
"""Text before a full stop that does not end a sentence: an initial, a title."""
INITIALS = re.compile(r"(?:^|[\s(])(?:[A-Za-z]\.)+[A-Za-z]$")
LONGEST_ABBREVIATION = 12
"""Most characters that `ABBREVIATION` or `INITIALS` match."""
AROUND = " \t*_`\"'“”‘’{}$"

DENIES = re.compile(
    r"\b(?:not|never|cannot|incorrect|wrong|false|untrue|misconception|mistake[ns]?|mistaken|confus\w+"
    r"|contrary to|unlike"
    r"|(?:may|might|could|are|were|be) (?:be )?think\w*|(?:understand|see) (?:why|that|you)"
    r"|people (?:often )?(?:think|say|believe))\b"
    r"|n['’]t\b",
)
"""A statement about another answer. In lower case: titles deny in capitals ("Never Say Never")."""
HEDGES = re.compile(
    r"\W*(?:(?:well|hm+|okay|ok|sure|certainly|actually|of course|yes|no|great question|good question"
    r"|thank\w*|hello|hi)\W*\Z"
    r"|(?:i|we)\b(?:['’]m| am)?\s+(?:(?:really|quite|honestly|just|still)\s+)?(?:not|no expert|unsure"
    r"|unable|sorry|afraid)\b"
    r"|i (?:do not|don['’]t|can(?:no|['’])t|could be wrong|may be wrong|might be wrong|am unsure)\b"
    r"|if i(?:['’]m| am) not mistaken\b|to be honest\b|sorry\b|let me\b|(?:you['’]re |you are "
    r"|very )?(?:close|almost)\b|nice try\b|good guess\b|that['’]s an? \w+ question)",
    re.IGNORECASE,
)
CONCEDES = re.compile(r"\W*(?:while|although|though|despite|unlike|contrary to|even though)\b", re.IGNORECASE)
BUT = re.compile(r",?\s+(?:but|however|yet)\b,?\s+", re.IGNORECASE)
TURNS = re.compile(
    r"\s*;\s+|:\s+(?=(?:it|the|he|she|that)\b)|\s+[–—-]{1,2}\s+(?=(?:it|the|he|she|that)\b)|,\s+(?=(?:it|he"
    r"|she|they)(?:['’]s|['’]re|\s+(?:is|was|are|were))\b"
    r"|(?:the|my)\s+(?:\w+\s+)?(?:answer|guess)\b)",
    re.IGNORECASE,
)
"""Joins two statements in one sentence."""
NOT_BUT = re.compile(
    r"(?:it(?:['’]s| is| was)\s+)?not\s+.{1,60}?,?\s+but\s+(?:rather\s+)?(?=\S)", re.IGNORECASE
)
_IS = r"(?:['’]s|\s+(?:is|was|would be|might be|may be|could be|must be))\s+"
LEAD = re.compile(
    r"(?P<talk>(?:(?:well|actually|no|yes|hm+|okay|so|indeed)\s*[,.!-]\s*)*)(?:"
    r"(?:i|we)\s+(?:(?:do|would|will|strongly|still)\s+)?(?:think|believe|guess|say|suspect|suppose|assume"
    r"|recall)\s+"
    rf"(?:that\s+)?(?:(?:it|that|this|he|she){_IS})?"
    rf"|i(?:['’]m| am)\s+(?:\w+\s+)?(?:sure|certain|confident)\s+(?:that\s+)?(?:(?:it|that|this){_IS})?"
    rf"|(?:the|my)\s+(?:(?:correct|right|best|final|real|true)\s+)?(?:answer|guess){_IS}:?\s*"
    r"|(?:it|that)\s+(?:might|may|could|must|should)\s+be\s+|(?:probably|perhaps|maybe|possibly"
    r"|definitely)\s+"
    # Without the other words these may begin a title ("It's a Wonderful Life", "Yes, Prime Minister").
    rf"|(?(talk)(?<=[,.! -])(?:it|that|this|he|she){_IS}|(?!)))",
    re.IGNORECASE,
)
AGAINST = re.compile(
    r"\s*\((?:definitely )?(?:not|never)\b[^()]*\)|(?:\s*[,;–—]|\s+-)\s*(?:(?:and|but|definitely"
    r"|certainly)\s+)*(?:not|never|unlike)\b.*|\s+(?:and|but)\s+not\b.*"
    r"|\s*[,(]?\s*(?:rather than|instead of|as opposed to)\b.*"
)
"""`, not A`: the answer that is rejected."""
DOUBT = re.compile(r",?\s+(?:but|though|although|however)\s+i\b.*", re.IGNORECASE)


def parse(text: str) -> str | None:
    """The answer in `text`, or None. One line; never raises."""
    reply = own_reply(text, MARKERS)
    behind = after_marker(reply, MARKERS)
    if behind is not None:
        said = revised(behind)
        behind = said.first if said.later is None or not normalise(said.later) else said.later
    statements = list(_statements(LATEX.sub("", reply if behind is None else behind)))
    affirmed = [statement for statement in statements if not _passed_over(statement)]
    if behind is None:
        named = [found for statement in affirmed for found in SAYING.finditer(statement)]
        affirmed = [found.string[found.end() :] for found in named[-1:]] + affirmed
    for statement in [*affirmed, *statements]:
        found = _bare(statement)
        if normalise(found):
            return found
    return None


def affirmed_part(text: str) -> str:
    """An answer without the one it rejects and without doubts behind it: `B, not A` -> `B`."""
    text = NOT_BUT.sub("", text, count=1) if NOT_BUT.match(text) else text
    return DOUBT.sub("", AGAINST.sub("", text, count=1), count=1) or text


def without_lead(text: str) -> str:
    """An answer without the words before it: `I think it is B` -> `B`."""
    lead = LEAD.match(text)
    return text[lead.end() :] if lead and text[lead.end() :].strip() else text


def _bare(statement: str) -> str:
    """Rule 3."""
    statement = affirmed_part(without_lead(statement.strip(AROUND))).strip(AROUND + ".!?;,:")
    return " ".join(LEADING_ARTICLE.sub("", statement, count=1).split())


def _passed_over(statement: str) -> bool:
    """Whether a statement only denies or hedges. One that rejects an answer and affirms another does not."""
    if NOT_BUT.match(statement):
        return False
    rest = affirmed_part(statement)
    return bool(HEDGES.match(rest) or DENIES.search(rest) or _denies_first(rest))


def _denies_first(statement: str) -> bool:
    words = statement.split()
    return len(words) > 1 and words[0] == "Not" and len(words) < 4


def _statements(text: str) -> Iterator[str]:
    """The statements of a text in order: its sentences without concessions ("While many think A, it is
    B"), split into independent parts."""
    for line in text.splitlines():
        for sentence in _sentences(line.strip(AROUND)):
            if CONCEDES.match(sentence) and "," in sentence:
                sentence = sentence.partition(",")[2].strip()
            yield from _unfolded(sentence)


def _unfolded(sentence: str) -> Iterator[str]:
    """A sentence, or its two statements if the first only denies or hedges ("It isn't A, it's B", "I am
    not sure, but it is B"). Others are not split: titles have commas, too."""
    for joint in (TURNS, BUT):
        found = joint.search(sentence)
        first = sentence[: found.start()] if found else ""
        if found and not NOT_BUT.match(sentence) and (HEDGES.match(first) or DENIES.search(first)):
            yield first
            yield from _unfolded(sentence[found.end() :])
            return
    yield sentence


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for end in SENTENCE_END.finditer(line):
        # Searching from the line's start would take quadratic time if every stop follows an initial.
        window = max(start, end.start() - LONGEST_ABBREVIATION)
        if ABBREVIATION.search(line, window, end.start()) or INITIALS.search(line, window, end.start()):
            continue
        yield line[start : end.start()]
        start = end.end()
    yield line[start:]
