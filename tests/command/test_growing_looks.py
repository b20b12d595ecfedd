"""A larger `--limit` after `--until-decided` has stopped: a new plan for new items, at the error left."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from declared import faults
from kill_fixtures import TABLES
from test_end_to_end import SCRIPTS, Done, manifest_of, rows_of, run_command

from harness.command import looks
from harness.store import CallStore
from results import schema


def command(folder: Path, limit: int, script: Path | None = None) -> Done:
    """A run whose distilled variant hardly differs from base, so their claim is given up."""
    script = script or folder / "script.py"
    if not script.exists():
        text = (SCRIPTS / "paper_like.py").read_text()
        script.write_text(text.replace("if sum(request.prompt_ids) % 10 else", "if lucky else"))
    return run_command(
        folder,
        ["--engine", "scripted", "--engine-args", f"script={script}", "--tasks", "coin_flip", "--limit",
         str(limit), "--distill-inputs", "12", "--margin", "10", "--until-decided", "--output", "run"],
    )  # fmt: skip


def tables_of(run: Path, *folders: Path) -> dict[str, str]:
    """Without what depends on the folders: where checkpoints are, and the hash of the page."""
    here = "|".join(re.escape(str(each)) for each in (run.parent, *folders))
    return {name: re.sub(here, "", (run / name).read_text()).split("<!-- s2d-bench")[0] for name in TABLES}


def calls_of(run: Path) -> int:
    store = CallStore(run / "calls.sqlite")
    try:
        return store.count()
    finally:
        store.close()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 60 clusters, grown to 200; the one of 60 is kept beside it as `small`."""
    folder = tmp_path_factory.mktemp("grown")
    assert command(folder, 60).returncode == 0
    shutil.copytree(folder / "run", folder / "small")
    done = command(folder, 200)
    assert done.returncode == 0, done.stderr
    assert "a new plan tests the new items alone, at the error that the old plan left" in done.stderr
    return folder / "run"


def test_the_new_plan_is_for_new_items_and_stands_beside_the_old_one(grown: Path) -> None:
    old = manifest_of(grown.parent / "small")["looks"]["tasks"]["coin_flip"]
    found = manifest_of(grown)["looks"]
    entry = found["tasks"]["coin_flip"]
    assert old["ended"] == "given up" and old["asked"] < 5
    assert entry["earlier"] == [old]
    assert found["planned"] == [{"coin_flip": 60}, {"coin_flip": 200}]
    assert found["made_anew"] == ["coin_flip from 60 to 200 clusters"]
    start = old["clusters"][old["asked"] - 1]
    assert entry["clusters"][0] == start - (start - 200) // 5 and entry["clusters"][-1] == 200
    assert list(faults(manifest_of(grown), schema.Manifest)) == []
    # System 2 is decided: only the two variants of the open claim are asked the new items.
    assert set(entry["variants"]) == {"base", "distilled"}
    before = rows_of(grown.parent / "small", "s2", "coin_flip")
    assert rows_of(grown, "s2", "coin_flip") == before
    new = [row for row in rows_of(grown, "base", "coin_flip") if row["look"] > old["asked"]]
    seen = {row["item_id"] for row in rows_of(grown.parent / "small", "base", "coin_flip")}
    assert new and not seen & {row["item_id"] for row in new}
    assert calls_of(grown) == calls_of(grown.parent / "small") + 2 * len(new)


def test_tables_show_both_plans_and_say_what_the_new_one_tests(grown: Path) -> None:
    board, small = (
        json.loads((run / "leaderboard.json").read_text()) for run in (grown, grown.parent / "small")
    )
    assert list(faults(board, schema.Leaderboard)) == []
    (note,) = [note for note in board["notes"] if "--limit was raised" in note]
    assert "new clusters alone" in note and "conditional error" in note
    assert note in " ".join((grown / "leaderboard.md").read_text().replace("\\", "").split())
    (task,) = board["looks"]
    old = manifest_of(grown)["looks"]["tasks"]["coin_flip"]["earlier"][0]
    assert task["asked"] == old["asked"] + manifest_of(grown)["looks"]["tasks"]["coin_flip"]["asked"]
    assert task["clusters"][: old["asked"]] == old["clusters"][: old["asked"]]
    keyed = ("a", "b", "claim", "metric")
    earlier = {tuple(row[key] for key in keyed): row for row in small["comparisons"]}
    for row in board["comparisons"]:
        one = earlier[tuple(row[key] for key in keyed)]
        if "s2" in (row["a"], row["b"]):
            assert row == {**one, "level": row["level"]} or row["level"] != one["level"], (
                "decided claims stay"
            )
            assert row["verdict"] == one["verdict"] and row["n"] == one["n"]
        elif row["claim"] == "superior":
            assert row["n"] == task["clusters"][task["asked"] - 1] - old["clusters"][old["asked"] - 1]
            assert [look["look"] for look in row["looks"]] == list(range(1, task["asked"] + 1))
            # The error that is left is less than that of a fresh plan.
            fresh = looks_of_a_fresh_plan(row, old["asked"])
            assert all(look["boundary"] > bound for look, bound in fresh)
            assert row["ci_low"] <= row["difference"] <= row["ci_high"]


def looks_of_a_fresh_plan(row: dict[str, Any], made: int) -> list[tuple[dict[str, Any], float]]:
    from results.statistics.sequential.boundaries import bounds

    new = row["looks"][made:]
    return list(zip(new, bounds((0.2, 0.4, 0.6, 0.8, 1.0), row["level"], "obrien-fleming"), strict=False))


def test_the_same_command_again_and_a_report_give_the_same_tables(grown: Path) -> None:
    before, asked = tables_of(grown), calls_of(grown)
    assert command(grown.parent, 200).returncode == 0
    assert tables_of(grown) == before and calls_of(grown) == asked
    assert run_command(grown.parent, ["report", "run", "--margin", "10"]).returncode == 0
    assert tables_of(grown) == before


@pytest.mark.slow
@pytest.mark.parametrize("times", [0, 1, 3, 4, 5])
def test_a_run_that_ends_in_any_look_of_either_plan_goes_on_to_the_same_tables(
    grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    shutil.copytree(grown.parent / "small", tmp_path / "run")
    script = grown.parent / "script.py"
    standings, seen = looks.standings, []

    def strike(folder: Path) -> Any:
        seen.append(folder)
        if len(seen) > times:
            raise KeyboardInterrupt
        return standings(folder)

    with monkeypatch.context() as patch:
        patch.setattr(looks, "standings", strike)
        assert command(tmp_path, 200, script).returncode == 130
    assert run_command(tmp_path, ["report", "run"]).returncode == 2
    assert command(tmp_path, 200, script).returncode == 0
    assert tables_of(tmp_path / "run", grown.parent) == tables_of(grown, tmp_path)


def test_a_run_that_more_items_cannot_change_does_not_grow(grown: Path, tmp_path: Path) -> None:
    for name, change, says in (
        ("decided", {"ended": "decided"}, "decided claims stay decided"),
        ("planned end", {"ended": "planned end"}, "at its planned end a claim has spent its error"),
        ("running", None, "finish it with --limit 60 first"),
    ):
        folder = tmp_path / name.replace(" ", "_")
        shutil.copytree(grown.parent / "small", folder / "run")
        manifest = manifest_of(folder / "run")
        if change is None:
            manifest["status"] = "running"
        else:
            manifest["looks"]["tasks"]["coin_flip"] |= change
        (folder / "run" / "manifest.json").write_text(json.dumps(manifest))
        done = command(folder, 200, grown.parent / "script.py")
        assert done.returncode == 2 and says in done.stderr, done.stderr
        assert manifest_of(folder / "run") == manifest, "nothing is lost"


def test_a_damaged_earlier_plan_is_named(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown, tmp_path / "run")
    manifest = manifest_of(grown)
    manifest["looks"]["tasks"]["coin_flip"]["earlier"][0]["asked"] = 0
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    done = run_command(tmp_path, ["report", "run"])
    assert done.returncode == 2 and "are not a valid plan" in done.stderr
