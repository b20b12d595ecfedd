"""Finds a model's reply in its text, and the answer behind the mark that every task asks for, `Answer:`.

All tasks share these four steps for reading a text; each task's own rule decides what counts as an answer.

1. `own_reply`: thoughts are removed (tasks/thoughts.py); the next question or turn that a model makes up ends
   its reply; sentences that only restate the form ("Answer: yes" or "Answer: no") do not count.
2. `after_marker`: the text behind the last mark.
3. `revised`: "Answer: No. Wait, two flips: yes" takes the first answer back.
4. Without a mark, `after_saying` returns the text behind the last "the answer is".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tasks import thoughts

MARKER = re.compile(
    r"\banswer(?:\s+is)?[*_]*\s*[:：=][\s*_]*"
    r"|^[ \t]*[*_]*(?:final[ \t]+)?answer[*_]*[ \t]+[-–—][ \t]+"
    r"|^[ \t]*(?:\#+[ \t]*[*_]*|[*_]{2,})(?:(?:the|my)[ \t]+)?(?:final[ \t]+)?answer[*_]*[ \t]*$[\s*_]*"
    r"|<answer>\s*",
    re.IGNORECASE | re.MULTILINE,
)
"""`Answer:` in any case, also in Markdown (`**Answer:** 7`, a heading `### Answer`) or as a tag, with the
space after."""

SAYING = re.compile(
    r"\banswer[ \t]+(?:is|was|would be|should be|must be|has to be)(?:[ \t]+(?:therefore|thus|then|indeed))?"
    r"\b(?![ \t]+(?:not|n't|in|un)\b)[ \t]*[:,]?[\s*_]*",
    re.IGNORECASE,
)
"""A sentence that names the answer: `the answer is`."""

QUOTE = r"[\"'“”‘’`*]"
# A mark that only shows the form of an answer: quoted and empty, or with a placeholder.
EMPTY_FORM = re.compile(r"[\"'“”‘’`]")
BLANK = re.compile(
    rf"{QUOTE}*(?:[\[<{{(](?:\s*(?:your|the|a|an|my|final|joined|one)\b)*\s*"
    r"(?:answer|number|letters?|verdict|value|result|name|word|yes\s*(?:/|\||or)\s*no|x|\.\.\.|…)"
    r"[^\]\n>})]{0,20}[\]>})]|\.\.\.|…|_{2,})\W*(?:$|\n)",
    re.IGNORECASE,
)
# Two marks of one sentence with a choice between them.
CHOICE = re.compile(
    rf"[^\n.!?]{{1,20}}?{QUOTE}*[ \t]*,?[ \t]*(?:\b(?:or|and)\b|/|\||,)[ \t]*{QUOTE}*\Z", re.IGNORECASE
)
CONDITION = re.compile(rf"[^\n.!?]{{1,20}}?{QUOTE}+[ \t]*(?:if|when|for)\b", re.IGNORECASE)
SENTENCE_END = re.compile(rf"[.!?]{QUOTE}*(?=\s|\Z)|\n|\Z")
FAR = 200
"""Most characters from a restated form to the beginning and end of its sentence."""

TURN = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|user|human|end|return|start|turn|end_of_text"
    r"|start_header_id)\|?>|</s>|"
    r"<(?:end|start)_of_turn>|<turn\|>|\[/?INST\]",
)
"""Marks of a chat template between turns."""
LABEL = re.compile(
    r"^[ \t>]*(?:(?P<heading>\#+)[ \t]*)?[*_]*(?:(?:next|new|another)[ \t]+)?"
    r"(?P<name>question|problem|exercise|example|q|user|human|input|instruction)"
    r"[ \t]*(?P<number>\#?\d{0,3})(?:[*_]*[ \t]*[:：.)][*_]*|(?<=\d)[ \t]*$|(?(heading)[*_]*[ \t]*$|(?!)))",
    re.IGNORECASE | re.MULTILINE,
)
"""The first words of a next question."""
ASKED_ALIKE = re.compile(r"^Repl(?:y|ies) (?:only )?with [\"“']?Answer\b", re.MULTILINE)
"""The end of our own prompts, which a model that imitates them writes."""
UNLABELLED = re.compile(
    r"\n[ \t]*\n(?!\W*(?:wait|hmm|but|so|is that|did|do|does|let|actually|oh|no|yes|what if|right)\b)"
    r"[^\n]{40,}\?[ \t]*\n+[ \t*_]*Answer[*_]*:",
    re.IGNORECASE,
)
"""A paragraph with a question, and the mark below it."""
INTRODUCES = re.compile(
    r":[*_]*\Z|\b(?:restat|rephras|reword|rewrit|re-?read|sure|certainly|of course|okay|question|problem"
    r"|detail)\w*",
    re.IGNORECASE,
)
"""Words before a question that the model restates and does not make up."""

BACK = re.compile(
    r"(?:\A|(?<=[\n.,;:!?…—–(-])|(?<=[^ ] )(?=\())[ \t]*+(?:\.\.\.[ \t]*+)?[*_(]{0,3}+(?:(?<=[\s\S])(?:but|oh"
    r"|no|hm+)\b[,. ]+)?"
    r"(?P<word>wait|hold on|hmm+|oops|scratch that|on second thoughts?|my mistake|i made a mistake|correction"
    r"|(?:no,? )?sorry|i mean|let me (?:re\w+|double)|actually)\b|\A\W*\w+(?: \w+){0,2}\?\s*(?P<no>no),\s",
    re.IGNORECASE,
)
"""Words that take back the text before them."""
MILD = ("actually",)
"""Such words that may also begin a plain reason."""
CONFIRMED = re.compile(
    r"(?<!not )(?<!n't )\b(?:correct|confirmed|checks out|that(?:'s| is) right|matches|is right)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=256)
def own_reply(text: str, marker: re.Pattern[str] = MARKER) -> str:
    """The model's own reply in `text`: step 1 above. `marker` is the mark before the task's answers."""
    text = thoughts.split(text).reply
    text = text[: _next_question(text, marker)]
    spans = list(_restated(text))
    if not spans:
        return text
    kept, end = [], 0
    for start, stop in spans:
        kept.append(text[end : max(start, end)])
        end = max(stop, end)
    return "\n".join([*kept, text[end:]])


def after_marker(text: str, marker: re.Pattern[str] = MARKER) -> str | None:
    """The text behind the last mark in a reply; empty if nothing follows, None if there is no mark."""
    end = None
    for match in marker.finditer(text):
        end = match.end()
    return None if end is None else text[end:].partition("</answer>")[0].strip()


def after_saying(text: str) -> str | None:
    """The text behind the last "the answer is" in a reply, or None."""
    return after_marker(text, SAYING)


class Revised(NamedTuple):
    """The text behind a mark, if the model takes back its first answer."""

    first: str
    later: str | None
    """The new answer; None if nothing is taken back."""
    mild: bool
    """Whether the first answer counts if `later` has none."""


def revised(behind: str) -> Revised:
    """`behind` up to the words that take it back, and the text after the last of them."""
    end = behind.find("\n")
    found = []
    for match in BACK.finditer(behind):
        # Below the answer's own line is a reason, so there the words must begin a line.
        on_its_line = end < 0 or match.end() - 1 < end
        if on_its_line or (not _is_mild(match) and behind[match.start() - 1 : match.start()] == "\n"):
            found.append(match)
    if not found:
        return Revised(behind, None, False)
    first, later = behind[: found[0].start("no" if found[0]["no"] else 0)], behind[found[-1].end() :]
    if CONFIRMED.search(later):
        return Revised(first, None, False)
    return Revised(first, later, all(map(_is_mild, found)))


def _is_mild(back: re.Match[str]) -> bool:
    return (back["word"] or "").lower() in MILD


def first_line(text: str) -> str:
    """The first line of `text` that is not blank, stripped; empty if there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """The last line of `text` that is not blank, stripped; empty if there is none."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _marks(text: str) -> list[tuple[re.Match[str], bool]]:
    """The marks of a text in order, and whether each only restates the form."""
    marks = list(MARKER.finditer(text)) if "answer" in text.lower() else []
    restated = [False] * len(marks)
    for number, mark in enumerate(marks):
        quoted = text[max(0, mark.start() - 2) : mark.start()].strip("*_ ")[-1:] in tuple("\"'“‘`")
        empty = quoted and EMPTY_FORM.match(text, mark.end())
        conditional = quoted and CONDITION.match(text, mark.end(), mark.end() + 40)
        restated[number] |= bool(empty or conditional or BLANK.match(text, mark.end()))
        if number + 1 < len(marks):
            between = text[mark.end() : marks[number + 1].start()]
            if len(between) < 40 and CHOICE.match(between):
                restated[number] = restated[number + 1] = True
    return list(zip(marks, restated, strict=True))


def _restated(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of sentences that restate the form."""
    marks = _marks(text)
    for number, (mark, restated) in enumerate(marks):
        if not restated:
            continue
        before = text[max(0, mark.start() - FAR) : mark.start()]
        begun = max(before.rfind(end) + len(end) if end in before else 0 for end in ("\n", ". ", "! ", "? "))
        following = marks[number + 1][0].start() if number + 1 < len(marks) else len(text)
        end = SENTENCE_END.search(text, mark.end(), min(mark.end() + FAR, following))
        yield mark.start() - len(before) + begun, min(end.end() if end else len(text), following)


def _next_question(text: str, marker: re.Pattern[str]) -> int:
    """The end of the model's own reply: the first turn, or a next question below an answer."""
    ends = [len(text)]
    for turn in TURN.finditer(text):
        if text[: turn.start()].strip():
            ends.append(turn.start())
            break
    answered = _first_answer(text, marker)
    for alike in ASKED_ALIKE.finditer(text):
        paragraph = text.rfind("\n\n", max(0, alike.start() - 5 * FAR), alike.start())
        if paragraph > 0 and text[:paragraph].strip():
            ends.append(paragraph)
            break
    asked = UNLABELLED.search(text, answered) if answered is not None else None
    if asked is not None and answered is not None and text[answered : asked.start()].strip():
        ends.append(asked.start())
    for label in LABEL.finditer(text):
        start = label.start()
        if answered is not None and answered < start and text[answered:start].strip():
            ends.append(start)
            break
        if answered is None or answered > start:
            head = text[:start].rstrip("\n \t*_#>-")
            told = label["name"].lower() in ("question", "q", "user", "human") or label["number"]
            if told and head.strip() and not INTRODUCES.search(head, max(0, len(head) - FAR)):
                ends.append(start)
                break
    return min(ends)


def _first_answer(text: str, marker: re.Pattern[str]) -> int | None:
    """The start of the first answer that is not a restated form. A mark may contain the answer itself
    (`[[A]]`)."""
    restated = {mark.end() for mark, only_form in _marks(text) if only_form}
    for mark in marker.finditer(text):
        if mark.end() not in restated:
            return mark.start() if mark.groupdict().get("said") else mark.end()
    return None
