"""How many cases a property gets, and the texts that are tried.

One setting decides: without S2D_FUZZ_SECONDS each property gets a few cases, the same ones every time, among
the fast tests; with it (`make fuzz`) properties of hostile text get 2,000 cases each, and the targets of
fuzzing share so many seconds, with other cases every time. A failure prints the case that is smallest.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

SECONDS = int(os.environ.get("S2D_FUZZ_SECONDS", "0"))
"""Of all targets of fuzzing together; 0 is the short form."""
LONG = SECONDS > 0
TARGETS = 26
"""Of fuzzing, in test_fuzz_texts.py and test_fuzz_files.py: each has its share of the seconds."""
COUNTS: Counter[str] = Counter()
"""Cases that were tried, by property or target; conftest.py prints them in the long form."""

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def _settings(cases: int) -> settings:
    return settings(
        max_examples=cases,
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=_QUIET,
    )


def cases(short: int = 130, long: int = 2000) -> Callable[[Any], Any]:
    """Decorator of a test with `given`: so many cases of a property of hostile text."""

    def decorate(test: Any) -> Any:
        tried = test.hypothesis.inner_test

        @functools.wraps(tried)
        def counted(*arguments: Any, **keywords: Any) -> None:
            COUNTS["hostile text"] += 1
            tried(*arguments, **keywords)

        test.hypothesis.inner_test = counted
        return _settings(long if LONG else short)(test)

    return decorate


def fuzz(name: str, check: Callable[[Any], None], inputs: st.SearchStrategy[Any], short: int = 40) -> None:
    """Try `check` on `inputs`: `short` cases, or as many as fit into a target's share of the long form."""

    def counted(value: Any) -> None:
        COUNTS[name] += 1
        check(value)

    until = time.monotonic() + SECONDS / TARGETS
    for number in itertools.count():
        tried = given(inputs)(counted)
        _settings(300 if LONG else short)(seed(number)(tried) if LONG else tried)()
        if time.monotonic() >= until:
            return


MARKS = (
    "Answer:", "**Answer**: ", "Answer: yes", "answer", "\n", " ", "\t", "\r", "[[A]]", "[[", "]]", "[[ b ]]",
    "yes", "no", "No, ", "####", "\\boxed{", "}", "1,234.50", "-", "−", "$", "5/5", "4", "1.0", ".5", "00",
    "Score A: 4", "Score B = 2", "score: 3", "from 1 to 5", "A:", "B's score", "C", "Criterion 1.", "- ",
    "1) ", "* ", "Context:", "Question:", "Unbiased text context (as asked):", "none", "Candidate 3", '"',
    "“", "”", "'", "`", "<think>", "</think>", "Mr. ", "A. ", "e.g. ", "is", "=", ":", "the ", "not ", "or",
    "\u2028", "\x85", "\x00", "\x1b[31m", "\ud800", "é", "ﬁ", "٣", "²", "９", "🙂", "r, b", "r + b = rb",
)  # fmt: skip
"""What parsers of model text look for, and what looks like it."""

PIECES = (
    "<script>alert(1)</script>", "</script>", "<img src=x onerror=a(1)>", "</title>", "-->", "]]>", "'", '"',
    "{{ 7 * 7 }}", "{% x %}", "${x}", "$x$", "&lt;", "&#60;", "javascript:a(1)", "<!--", "=cmd|' /C calc'!A0",
    "=", "+", "-", "@", ";=1+1", ",=1+1", "\t=1", "＝1", "|", "\n", "\r\n", "\r", "\n| a | b |", "# ", "- ",
    "1. ", "***", "`", "```\n", "~~~", "[x](y)", "![x](y)", "<http://x>", "\\", "\\\\", "\\input{x}", "%",
    "^^41", "_", "&", "[1em]", "*", "{", "}", "\x1b[31m", "\x1b]0;x\x07", "\x9b2J", "\x08", "\x00", "\x7f",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u2029", "\x85", "\x0b", "\ud800", "\udfff",
    "\U000e0041", "s2d-bench: done", '{"status": "ok"}', "é", "中", "🙂",
)  # fmt: skip
"""What a page, a spreadsheet, LaTeX, Markdown, a terminal or a log would obey."""


def text_of(pieces: tuple[str, ...], most: int = 12) -> st.SearchStrategy[str]:
    """Texts of these pieces and of anything."""
    piece = st.sampled_from(pieces) | st.text(max_size=6)
    return st.lists(piece, min_size=1, max_size=most).map("".join)


def repeated(pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Long texts: one or two pieces over and over, with something before and behind."""
    few = st.lists(st.sampled_from(pieces), min_size=1, max_size=2).map("".join)
    return st.builds(
        lambda before, each, times, after: before + each * times + after,
        text_of(pieces, 2), few, st.integers(1, 1000), text_of(pieces, 2),
    )  # fmt: skip


MODEL_TEXT = st.text() | text_of(MARKS) | repeated(MARKS)
"""What a model might say."""
HOSTILE_TEXT = text_of(PIECES)
"""What somebody might plant in a name, a row or a model's answer. Never empty."""

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["\ud800", 10**400, -1, 2**63, 1e308, float("nan"), float("inf"), "nan", "../x", "\0"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
"""Any value that JSON can spell, as Python reads it."""


@st.composite
def altered(draw: st.DrawFn, document: Any) -> Any:
    """`document` with another value, or nothing, in one place."""
    value = draw(JSON)
    place, parts = document, []
    while isinstance(place, dict | list) and place and (not parts or draw(st.booleans())):
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        parts.append(key)
        place = place[key]
    gone = draw(st.integers(0, 4)) == 0

    def change(part: Any, path: list[Any]) -> Any:
        if not path:
            return value
        copy = dict(part) if isinstance(part, dict) else list(part)
        if gone and len(path) == 1:
            del copy[path[0]]
        else:
            copy[path[0]] = change(part[path[0]], path[1:])
        return copy

    return change(document, parts)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with some bytes taken out, put in, or written over; or other bytes altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(
            st.binary(max_size=300) | MODEL_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))
        )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 40))
        content = content[:start] + draw(st.binary(max_size=20)) + content[end:]
    return content
