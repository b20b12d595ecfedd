"""The documents name files, names and keys that exist; the schema page names every key that a run writes."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from document_parts import PAGES, ROOT, files, links, names, quoted, read
from test_end_to_end import arguments_for, run_command

SCHEMA = "docs/results-schema.md"
LONGEST_README = 160
"""Lines: a page that is read before anything is installed."""


def test_the_readme_is_short_and_installs_first() -> None:
    lines = read("README.md").splitlines()
    assert len(lines) <= LONGEST_README
    headings = [line for line in lines if line.startswith("## ")]
    assert headings[0] == "## Install"
    assert lines.index("## Install") < next(n for n, line in enumerate(lines) if "s2d-bench --models" in line)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    missing = [link for link in links(page) if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    # Runs and sample files of users, and files that a reader is told to write.
    theirs = {"results/statistics/signed_rank.py", "harness/engines/parrot.py"}
    missing = [name for name in files(page) if name not in theirs and not any(ROOT.glob(name.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_dotted_names_exist(page: str) -> None:
    assert [name for name in names(page) if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether `package.module.attribute` or `package.module` can be had."""
    module, _, attribute = name.rpartition(".")
    with suppress(ImportError):
        return bool(importlib.import_module(name))
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return False


def test_a_name_that_is_not_there_is_seen() -> None:
    assert is_there("results.analysis.choose_test.TABLE")
    assert not is_there("results.analysis.choose_test.TABEL")
    assert not is_there("results.nothing.TABLE")


# The schema page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of variant that the scripted engine has, one of them not distilled."""
    folder = tmp_path_factory.mktemp("schema")
    models = ["--models", "base,s2,distilled,distilled-s1", "--noise-floor", "--seeds", "2"]
    done = run_command(folder, arguments_for(*models))
    assert done.returncode == 0, done.stderr
    return folder / "run"


def documented() -> set[str]:
    """Every name in backticks of the schema page."""
    return {word for text in quoted(SCHEMA) for word in re.findall(r"[\w*-]+", text)}


NAMED_BY_USERS = {
    "options", "engine_args", "versions", "timing", "samples", "variants", "methods", "settings", "dropped",
    "scores", "weights",
}  # fmt: skip
"""Mappings whose keys are names: of users, of packages, of options and settings."""
RATIOS = re.compile(r"(flops|usd)_ratio(_low|_high)?")
"""The page says that they are like `token_ratio`."""


def keys(value: Any, inside: str = "") -> Iterator[str]:
    """Every key of a document, but names of users."""
    if isinstance(value, list):
        for each in value:
            yield from keys(each, inside)
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        theirs = inside in NAMED_BY_USERS or (
            inside in ("tasks", "metrics", "steps") and isinstance(each, Mapping)
        )
        if not theirs and not RATIOS.fullmatch(key):
            yield key
        yield from keys(each, "" if theirs and inside != "options" else key)


def test_every_key_of_a_run_is_on_the_schema_page(run: Path) -> None:
    known = documented()
    for file in ("manifest.json", "leaderboard.json"):
        written = set(keys(json.loads((run / file).read_text())))
        assert len(written) > 40
        assert written - known == set(), file
    rows = [
        json.loads(line) for path in run.glob("samples/*/*.jsonl") for line in path.read_text().splitlines()
    ]
    assert set(keys(rows)) - known == set()


def test_a_key_that_the_page_lacks_is_seen() -> None:
    assert set(keys({"rows": [{"score": 1, "novel": {"deep": 2}}]})) - documented() == {"novel", "deep"}


def test_every_option_of_a_run_is_in_the_manifest_under_its_name(run: Path) -> None:
    from dataclasses import fields

    from harness.options import RunOptions

    options = json.loads((run / "manifest.json").read_text())["options"]
    assert set(options) == {entry.name for entry in fields(RunOptions)}
