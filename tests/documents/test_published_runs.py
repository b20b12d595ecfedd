"""Published runs: the tables follow from the records beside them, and nothing private is in them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from results.analysis.leaderboard import build
from results.tables.write import write_all

PUBLISHED = sorted(
    path.parent for path in Path(__file__).parents[2].glob("results/published/*/manifest.json")
)
LOCAL = re.compile(r"(?<![\w:/.<])~?/(?:home|root|tmp|opt|mnt|Users|var)/")


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_the_tables_follow_from_the_records(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / folder.name
    shutil.copytree(folder, run)
    written = write_all(run, build(run))
    assert len(written) == 4
    for path in written:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_neither_local_paths_nor_texts_of_the_data_set_are_in_it(folder: Path) -> None:
    for path in filter(Path.is_file, folder.rglob("*")):
        found = LOCAL.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found}"
    for path in folder.glob("samples/*/*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert not {"prompt", "target"} & row.keys()
            assert not any("messages" in step for step in row["steps"])


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_its_page_states_the_scores_of_the_tables(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    rows = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert rows
    for row in rows:
        low, high = 100 * row["ci_low"], 100 * row["ci_high"]
        assert f"{100 * row['score']:.1f} [{low:.1f}, {high:.1f}]" in page, row["variant"]


def test_there_is_one() -> None:
    assert PUBLISHED
