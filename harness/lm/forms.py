"""Forms with `{answer}` in which an answer may be written so that a task's rule reads it, most likely first.

The bare answer comes first, since that is all that System 1 is asked for; then forms that the task itself
shows (in worked examples, targets, regular expressions); then common forms of lm-eval's tasks. rule.py tries
which of them the rule reads.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from re import _parser  # type: ignore[attr-defined]
from typing import Any

ANSWER = "{answer}"
BARE = ANSWER
LONGEST = 80
"""Characters of a form; a longer one is a worked solution."""
COMMON = (
    "The answer is {answer}.", "the answer is {answer}.", "#### {answer}", "Answer: {answer}",
    "The answer is ({answer}).", "The final answer is {answer}.", "Final Answer: {answer}",
    "\\boxed{{answer}}", "$\\boxed{{answer}}$", "The best answer is {answer}.", "So the answer is {answer}.",
    "({answer})", "[[{answer}]]", "<answer>{answer}</answer>", "**{answer}**", '"{answer}"',
)  # fmt: skip


def write(form: str, answer: str) -> str:
    """`form` with the answer put in; other braces have no meaning."""
    return form.replace(ANSWER, answer)


def parts(form: str) -> tuple[str, str]:
    """The text before and behind the answer."""
    before, _, behind = form.partition(ANSWER)
    return before, behind


def is_mark(text: str) -> bool:
    """Whether a text can mark an answer: it contains words, or characters that no sentence has."""
    letters = re.findall(r"[^\W\d_]", text)
    # Two characters of a script without an alphabet are a word.
    word = len(letters) > 2 or (len(letters) == 2 and not text.isascii())
    return word or re.search(r"[#<\[*]{2}|\\\w", text) is not None


def forms(shown: Sequence[str], known: Iterable[tuple[str, str]], patterns: Iterable[str]) -> list[str]:
    """All forms, each once. `shown` are worked replies of the task's examples, `known` are pairs of a
    target text and the answer in it, `patterns` are regular expressions that read answers."""
    found = [BARE, *_of_known(known), *_of_shown(shown), *_of_patterns(patterns), *COMMON]
    return list(dict.fromkeys(found))


def _of_known(known: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The text around the answer in the last line or sentence of most target texts."""
    seen: Counter[str] = Counter()
    for text, answer in known:
        for piece in (_last_line(text), _last_sentence(text)):
            before, found, behind = piece.rpartition(answer)
            if found and before.strip() and len(before + behind) <= LONGEST:
                seen[f"{before.lstrip()}{ANSWER}{behind.rstrip()}"] += 1
    for form, count in seen.most_common(3):
        if count > 1:
            yield form


def _of_shown(replies: Sequence[str]) -> Iterator[str]:
    """The common text around the differing part in the last lines, or sentences, of all worked replies."""
    for pieces in ([_last_line(reply) for reply in replies], [_last_sentence(reply) for reply in replies]):
        if len(set(pieces)) < 2:
            continue
        before = _common(pieces)
        behind = _common([piece[len(before) :][::-1] for piece in pieces])[::-1]
        # Two numbers may begin or end alike, so the common part must end at a word boundary.
        before = re.sub(r"[\w.,-]+\Z", "", before)
        behind = re.sub(r"\A[\w,-]+", "", behind)
        if before.strip() and len(before + behind) <= LONGEST:
            yield f"{before}{ANSWER}{behind}"


def _common(texts: Sequence[str]) -> str:
    """The common beginning of all texts."""
    first, last = min(texts), max(texts)
    same = next((place for place, sign in enumerate(first) if sign != last[place]), len(first))
    return first[:same]


def _of_patterns(patterns: Iterable[str]) -> Iterator[str]:
    """The shortest text that each regular expression matches, with the answer in place of its first group."""
    for pattern in patterns:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = _plainest(_parser.parse(pattern), [False])
        except (re.error, RecursionError, OverflowError):
            continue
        before, group, behind = text.partition(ANSWER)
        if group and is_mark(before.strip()) and len(text) <= LONGEST:
            apart = before if before.endswith((" ", "(", "{", "[", "$", "*")) else f"{before} "
            for start in dict.fromkeys((before, apart)):
                yield f"{start}{ANSWER}{behind}"
                yield f"{start}{ANSWER}{behind}."


def _plainest(parsed: Iterable[tuple[Any, Any]], placed: list[bool]) -> str:
    """The shortest text that a parsed regular expression matches; its first group is the answer. `placed`
    records whether that group was found."""
    text = ""
    for kind, what in parsed:
        name = str(kind)
        if name == "LITERAL":
            text += chr(what)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, _, repeated = what
            # Optional parts are left out, except the answer itself.
            kept = _plainest(repeated, placed) if least or _has_group(repeated) else ""
            text += kept * max(1, least) if len(kept) == 1 else kept
        elif name == "SUBPATTERN":
            if what[0] is not None and not placed[0] and not _has_group(what[3]):
                placed[0] = True
                text += ANSWER
            else:
                text += _plainest(what[3], placed)
        elif name == "BRANCH":
            text += _plainest(what[1][0], placed)
        elif name in ("ASSERT", "ATOMIC_GROUP"):
            text += _plainest(what[1] if name == "ASSERT" else what, placed)
        elif name == "ANY":
            text += "."
        elif name == "IN":
            signs = [chr(value) for inner, value in what if str(inner) == "LITERAL"]
            space = any(str(value) == "CATEGORY_SPACE" for _, value in what) or " " in signs
            text += " " if space else (signs or [""])[0]
    return text


def _has_group(parsed: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a part of a regular expression contains a group that is returned."""
    for kind, what in parsed:
        name = str(kind)
        if name == "SUBPATTERN" and (what[0] is not None or _has_group(what[3])):
            return True
        if name in ("MAX_REPEAT", "MIN_REPEAT") and _has_group(what[2]):
            return True
        if name == "BRANCH" and any(_has_group(each) for each in what[1]):
            return True
    return False


def regular_expressions(filter_list: Any) -> list[str]:
    """All patterns in the filters of a task's configuration."""
    found = []
    for entry in filter_list or []:
        for step in entry.get("filter", []):
            pattern = step.get("regex_pattern")
            if isinstance(pattern, str):
                found.append(pattern)
    return found


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _last_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s+", _last_line(text))[-1]
