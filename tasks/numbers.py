"""Numbers as people and models write them, found in text and brought to one spelling.

Western, Indian and Swiss groups (`1,234`, `12,34,567`, `1'234`), groups by typographic spaces, LaTeX
(`9{,}500`, `\\$18`), digits of other scripts, and number words up to the thousands. By text, not by float or
Decimal: exact for any length.
"""

from __future__ import annotations

import re
import unicodedata

# A minus belongs to the number if it touches it and follows no digit, letter or bracket ("35-2").
NUMBER = re.compile(
    r"((?<![\w)\]])[-−])?[$€£₹¥]?"
    r"((?:\d{1,2}(?:,\d{2}){1,7},\d{3}|\d{1,3}(?:,\d{3})+|\d{1,3}(?:['’]\d{3})+"
    r"|\d{1,3}(?:[\u00a0\u2009\u202f]\d{3})+|\d+)(?:\.\d+)?|(?<![\w.])\.\d+)(?!\d)",
    re.ASCII,
)
SEPARATORS = re.compile(r"[,'’\u00a0\u2009\u202f]")

OTHER_DIGIT = re.compile(r"(?![0-9])\d")
WIDE = str.maketrans("，．－％＝", ",.-%=")
LATEX = re.compile(
    r"\\[!()\[\]]|\\(?:text|textbf|mathbf|mathrm|mbox|mathit|displaystyle|left|right)\b\s*\{?|\\(?=[$%#])"
)
GROUP = re.compile(r"(?<=\d)(?:\{,\}|\\[,;: ]|~)(?=\d{3}(?!\d))")
CURRENCY = re.compile(r"\b(?:Rs|INR|USD|EUR|GBP|CHF|US|RM)\.?[ \u00a0]?(?=[$€£₹]?\d)")

_UNITS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
"""
_TENS = """
    twenty thirty forty fifty sixty seventy eighty ninety
"""
SMALL = {word: value for value, word in enumerate(_UNITS.split())} | {
    word: 10 * n for n, word in enumerate(_TENS.split(), 2)
}
"""Number words below a hundred that are one word."""
LARGE = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
WORD = re.compile(rf"\b(?:{'|'.join([*SMALL, *LARGE])})\b", re.IGNORECASE)
WORDS = re.compile(
    rf"\b(?:{'|'.join(SMALL)})(?:,?[ -](?:and[ -])?(?:{'|'.join([*SMALL, *LARGE])})\b){{0,12}}\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """`text` with its numbers written plainly: ASCII digits, no LaTeX inside them, `$` for abbreviated
    currencies."""
    if not text.isascii():
        text = OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text).translate(WIDE)
    return CURRENCY.sub("$", GROUP.sub(",", LATEX.sub("", text)))


def spell(found: re.Match[str]) -> str:
    """A match of NUMBER in standard spelling: `$1,234.50` -> `1234.5`, `-0.0` -> `0`."""
    whole, _, fraction = SEPARATORS.sub("", found[2]).partition(".")
    digits = (whole.lstrip("0") or "0") + ("." + fraction.rstrip("0")).rstrip(".")
    return f"-{digits}" if found[1] and digits != "0" else digits


def scaled(number: str, scale: str) -> str:
    """A spelt number times a scale word: `1.2`, `million` -> `1200000`."""
    sign, digits = number[: number.startswith("-")], number.lstrip("-")
    zeros = len(str(LARGE[scale.lower()])) - 1
    whole, _, fraction = digits.partition(".")
    moved = whole + fraction[:zeros].ljust(zeros, "0")
    rest = fraction[zeros:]
    return sign + (moved.lstrip("0") or "0") + (f".{rest}" if rest else "")


def from_words(text: str) -> int | None:
    """The value of number words (`twenty-four`, `five thousand`); None if `text` is anything else."""
    total, part, last = 0, 0, None
    words = [word for word in re.split(r"[ ,-]+", text.strip().lower()) if word != "and"]
    for word in words:
        if word in SMALL:
            value = SMALL[word]
            tens_before = last in SMALL and SMALL[str(last)] >= 20 and 0 < value < 10
            if last in SMALL and not tens_before:
                return None
            part += value
        elif word in LARGE and last is not None:
            part *= LARGE[word]
            if LARGE[word] > 100:
                total, part = total + part, 0
        else:
            return None
        last = word
    return total + part if words else None
