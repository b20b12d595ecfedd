"""Every command and every option that the documents name exists, and is read by the real parser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from document_parts import PAGES, commands
from document_parts import options as quoted_options
from test_end_to_end import Done, run_command

from harness.command.cli import COMMANDS
from harness.command.command_line import parse_options, run_parser
from harness.variants import parse_variants

SAID = [(page, words) for page in PAGES for words in commands(page)]


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Command -> what its --help says."""
    folder = tmp_path_factory.mktemp("help")

    def said(*command: str) -> str:
        done: Done = run_command(folder, [*command, "--help"])
        assert done.returncode == 0
        return done.stdout

    return {"run": said(), **{name: said(name) for name in COMMANDS}}


def test_there_are_commands() -> None:
    assert len(SAID) > 30
    assert {"README.md", "docs/extending.md"} <= {page for page, _ in SAID}


@pytest.mark.parametrize(("page", "words"), SAID, ids=[" ".join(words)[:80] for _, words in SAID])
def test_a_command_of_the_documents_has_options_that_exist(
    page: str, words: list[str], helps: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = words[1] if words[1] in COMMANDS else "run"
    rest = words[2:] if words[1] in COMMANDS else words[1:]
    for option in (word.split("=")[0] for word in rest if word.startswith("--")):
        assert knows(helps[name], option), f"{page}: {option}"
    if name in ("run", "distill") and not {"--help", "--version"} & set(rest):
        require_options(rest, tmp_path, monkeypatch)


def knows(help_text: str, option: str) -> bool:
    return re.search(rf"{re.escape(option)}(?![\w-])", help_text) is not None


def require_options(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails for options and variants that no run takes; `folder` has the files that documents name."""
    monkeypatch.chdir(folder)
    (folder / "config.yaml").write_text("limit: 3")
    for name in ("data", "DIR", "my_tasks"):
        (folder / name).mkdir(exist_ok=True)
    options = parse_options(run_parser("s2d-bench", "", ""), words)
    if not any(method in options.models for method in OF_THE_DOCUMENTS):
        assert parse_variants(options.models)


ABOUT_OTHERS = {"docs/servers.md"}
"""Pages that quote the options of other programs."""
QUOTED = [(page, words) for page in PAGES if page not in ABOUT_OTHERS for words in quoted_options(page)]
OF_OTHERS = {"--enable-lora", "--lora-modules", "--only", "--items", "--max-tokens", "--filters"}
"""Options of vLLM and of our benchmarks on the other pages."""
OF_THE_DOCUMENTS = ("draft_then_answer", "both_sides")
"""Methods that are only there while their snippet is tested."""
PLACEHOLDER = re.compile(r"\b[A-Z]+\b")


@pytest.mark.parametrize(
    ("page", "words"), QUOTED, ids=[f"{page}: {' '.join(words)}" for page, words in QUOTED]
)
def test_an_option_in_backticks_exists(
    page: str, words: list[str], helps: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {word.split("=")[0] for word in words if word.startswith("--")}
    if asked & OF_OTHERS:
        return
    having = [text for text in helps.values() if all(knows(text, option) for option in asked)]
    assert having, f"{page}: {' '.join(words)}"
    whole = len(words) > 1 and not any(PLACEHOLDER.search(word) for word in words)
    if whole and helps["run"] in having:
        require_options(words, tmp_path, monkeypatch)
