"""The files of a real run hold exactly what `results.schema` declares, and its page says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from declared import faults
from test_end_to_end import arguments_for, command, last_line, run_command

from results import schema
from results.compare import compare
from results.records.manifest import EVERY, EXPECTED
from results.schema_page import keys, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results-schema.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, the noise floor, cut texts, a variant that is distilled and one that is not: most keys that
    there are."""
    folder = tmp_path_factory.mktemp("declared")
    done = command(
        folder, "--models", "base,s2,distilled,distilled-s1", "--seeds", "2", "--noise-floor",
        "--sampling", "max_tokens.direct=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_manifest_of_a_finished_run(run: Path) -> None:
    manifest = read(run / "manifest.json")
    assert list(faults(manifest, schema.Manifest)) == []
    # A plan of looks stands only in a run with --until-decided.
    assert set(manifest) == set(keys(schema.Manifest)) - {"looks"}, "a finished run has every other key"
    assert {entry["status"] for entry in manifest["distillation"]} == {"trained", "not_distilled"}


def test_the_manifest_of_a_distillation(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["distill", *arguments_for()])
    assert done.returncode == 0, done.stderr
    assert list(faults(read(tmp_path / "run" / "manifest.json"), schema.Manifest)) == []
    assert last_line(done)["status"] == "ok"


def test_every_row_of_every_samples_file(run: Path) -> None:
    count = 0
    for path in run.glob("samples/*/*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert list(faults(json.loads(line), schema.SampleRow)) == [], path
            count += 1
    assert count > 200


def test_the_leaderboard(run: Path) -> None:
    board = read(run / "leaderboard.json")
    assert list(faults(board, schema.Leaderboard)) == []
    for row in [*board["comparisons"], *board["overall"]]:
        assert row["sentence"], "every claim is decided"
    assert board["overall"] and board["trios"] and board["distillation"]


def test_what_compare_returns(run: Path) -> None:
    assert list(faults(json.loads(json.dumps(compare(run, run))), schema.Compared)) == []


def test_a_checker_that_finds_what_is_wrong(run: Path) -> None:
    manifest = read(run / "manifest.json")
    task = next(iter(manifest["tasks"]))
    manifest["tasks"][task]["n_items"] = "16"
    manifest["tasks"][task]["metrics"]["more"] = {"kind": "graded"}
    manifest["new"] = 1
    del manifest["status"]
    found = "\n".join(faults(manifest, schema.Manifest))
    for part in (".new: not declared", ".status: missing", f".tasks.{task}.n_items: '16' is not int",
                 "'graded' is none of", "metrics.more.direction: missing"):  # fmt: skip
        assert part in found


def test_what_readers_check_is_declared() -> None:
    def undeclared(expected: Any, kind: Any, place: str) -> list[str]:
        if isinstance(expected, list):
            (kind,) = kind.__args__
            return undeclared(expected[0], kind, f"{place}[]")
        if not isinstance(expected, dict):
            return []
        if EVERY in expected:
            return undeclared(expected[EVERY], kind.__args__[1], f"{place}.{EVERY}")
        if getattr(kind, "__origin__", None) is dict:  # an open object: settings by name
            return []
        declared = keys(kind)
        found = [f"{place}.{name}" for name in expected if name not in declared]
        for name in expected.keys() & declared.keys():
            found += undeclared(expected[name], declared[name][0], f"{place}.{name}")
        return found

    assert undeclared(EXPECTED, schema.Manifest, "") == []


def test_the_page_is_made_from_the_declarations() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "python -m results.schema_page > docs/results-schema.md"
    )
