"""What the documents hold that can be run or looked up: code blocks, commands, links, names of files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
        *(ROOT / "docs").glob("*.md"),
    ]
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"^(?: {4}|- run: )(s2d-bench .*)$|`(s2d-bench [^`\n]*)`", re.MULTILINE)
_FILE = re.compile(r"(?:harness|tasks|distill|results|tests|docs)/[\w./-]+")
_NAME = re.compile(r"(?:harness|tasks|distill|results)(?:\.\w+)+")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def quoted(page: str) -> list[str]:
    """What stands in backticks, outside of code blocks."""
    return _QUOTED.findall(_FENCED.sub("", read(page)))


def blocks(language: str, pages: list[str] = PAGES) -> list[Block]:
    """All blocks of a language, page by page."""
    return [
        Block(page, named, text)
        for page in pages
        for named, text in _FENCED.findall(read(page))
        if named == language
    ]


def block(page: str, language: str, holds: str) -> str:
    """The one block of a page that holds some text."""
    [found] = [each.text for each in blocks(language, [page]) if holds in each.text]
    return found


def _joined(text: str) -> str:
    """Lines that end in a backslash go on in the next one."""
    return re.sub(r"\\\n\s*", "", text)


def commands(page: str) -> list[list[str]]:
    """Every `s2d-bench ...` of a page, in words: lines of code, and what stands in backticks."""
    code = [(line or inline).split(" # ")[0] for line, inline in _COMMAND.findall(_joined(read(page)))]
    return [shlex.split(line) for line in code]


def options(page: str) -> list[list[str]]:
    """What a page has in backticks that begins with an option: `--limit 200`."""
    return [shlex.split(text) for text in quoted(page) if text.startswith("--")]


def links(page: str) -> list[str]:
    """Targets of a page's links inside the repository."""
    return [target for target in _LINK.findall(_FENCED.sub("", read(page))) if "://" not in target]


def files(page: str) -> list[str]:
    """Paths of ours that a page names in backticks; a path of which a part is a placeholder is left out."""
    named = [text for text in quoted(page) if _FILE.fullmatch(text)]
    return [text for text in named if not re.search(r"\b[A-Z]{2,}\b", text)]


def names(page: str) -> list[str]:
    """Dotted names of ours that a page quotes: `results.analysis.choose_test.TABLE`."""
    return [text for text in quoted(page) if _NAME.fullmatch(text) and not text.endswith((".py", ".tex"))]
