"""A run that grows: nothing is asked twice, and its tables are those of a run that began as large."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from forked import Commands
from kill_fixtures import ARGUMENTS, TABLES, calls_in, small_place, tables_in
from test_end_to_end import SCRIPTS, last_line, manifest_of, run_command

from harness.errors import UserError
from harness.folder import RunFolder, with_held
from harness.options import RunOptions
from harness.variants import parse_variants
from results.page.seal import OPENING

SCRIPT = f"script={SCRIPTS / 'paper_like.py'}"
USUAL = {"--models": "base,s2", "--tasks": "coin_flip", "--limit": "40", "--output": "run"}


def words(**more: str) -> list[str]:
    """`s2d-bench` on the scripted engine; `more` are options without their dashes."""
    options = {**USUAL, **{f"--{name}": value for name, value in more.items()}}
    given = [word for pair in options.items() for word in pair]
    return ["--engine", "scripted", "--engine-args", SCRIPT, "--distill-inputs", "16", *given]


def ended(folder: Path, arguments: list[str]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    done = run_command(folder, arguments)
    assert done.returncode == 0, done.stderr
    return last_line(done)


def five_files(run: Path) -> dict[str, bytes]:
    """The tables without what depends on the folder: where the checkpoints are, and the hash of the page."""
    here = str(run.parent).encode()
    return {
        name: content.replace(here, b"HERE").rpartition(OPENING.encode())[0] or content
        for name, content in tables_in(run).items()
    }


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 items, grown to 200 and by one variant; the run of 40 is kept beside it as `small`."""
    folder = tmp_path_factory.mktemp("grown")
    ended(folder, words())
    shutil.copytree(folder / "run", folder / "small")
    ended(folder, words(limit="200", models="base,s2,distilled"))
    return folder / "run"


def test_nothing_is_asked_twice_and_the_tables_are_those_of_a_fresh_run(grown: Path, tmp_path: Path) -> None:
    before, after = calls_in(grown.parent / "small"), calls_in(grown)
    assert before.items() <= after.items(), "a finished call was made again"
    fresh = tmp_path / "fresh"
    ended(fresh, words(limit="200", models="base,s2,distilled"))
    assert after.keys() == calls_in(fresh / "run").keys()
    assert five_files(grown) == five_files(fresh / "run")


def test_the_manifest_keeps_the_commands_and_what_each_added(grown: Path) -> None:
    first, second = manifest_of(grown)["history"]
    assert "--limit 40" in first["command"] and first["added"] == {}
    assert second["added"] == {"limit": [40, 200], "models": ["base,s2", "base,s2,distilled"]}
    assert manifest_of(grown)["command"] == second["command"]


@pytest.mark.slow
def test_200_items_that_grow_to_1000_take_calls_for_800(tmp_path: Path) -> None:
    ended(tmp_path, words(limit="200", models="base", tasks="last_letter"))
    before = len(calls_in(tmp_path / "run"))
    ended(tmp_path, words(limit="1000", models="base", tasks="last_letter"))
    rows = manifest_of(tmp_path / "run")["tasks"]["last_letter"]["n_items"]
    assert rows > 400
    assert len(calls_in(tmp_path / "run")) - before == rows - 200


@pytest.mark.slow
def test_a_task_and_seeds_may_come_later(tmp_path: Path) -> None:
    ended(tmp_path, words(limit="10"))
    ended(tmp_path, words(limit="10", tasks="last_letter,coin_flip", seeds="2"))
    ended(tmp_path / "fresh", words(limit="10", tasks="last_letter,coin_flip", seeds="2"))
    assert five_files(tmp_path / "run") == five_files(tmp_path / "fresh" / "run")


def test_what_a_command_leaves_out_stays_in_the_run(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown.parent, tmp_path, dirs_exist_ok=True)
    before = tables_in(grown)["leaderboard.csv"]
    done = run_command(tmp_path, words(limit="40", models="base"))
    assert done.returncode == 0, done.stderr
    assert "--limit 40 (the run has 200)" in done.stderr and "report run" in done.stderr
    assert tables_in(tmp_path / "run")["leaderboard.csv"] == before
    assert calls_in(tmp_path / "run") == calls_in(grown)
    assert manifest_of(tmp_path / "run")["options"]["models"] == "base,s2,distilled"


def test_a_view_is_what_a_smaller_run_would_say(grown: Path) -> None:
    before = tables_in(grown)
    done = run_command(grown.parent, ["report", "run", "--limit", "40", "--variants", "base,s2"])
    assert done.returncode == 0, done.stderr
    view = grown.parent / last_line(done)["run"]
    assert view.parent == grown / "views"
    of_small = tables_in(grown.parent / "small")
    # The page shows the command, which is that of the run.
    for name in TABLES[:4]:
        assert (view / name).read_bytes() == of_small[name], name
    assert tables_in(grown) == before
    again = run_command(grown.parent, ["report", str(view)])
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--limit", "0"], "--limit 0: it must be at least 1"),
        (["--variants", "base,tuned"], "--variants tuned: run does not have it: it has base, s2, distilled"),
        (["--tasks", "gsm8k"], "--tasks gsm8k: run does not have it: it has coin_flip"),
    ],
)
def test_a_view_of_missing_parts_is_refused_in_one_line(grown: Path, option: list[str], says: str) -> None:
    done = run_command(grown.parent, ["report", "run", *option])
    assert done.returncode == 2 and says in done.stderr


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_grows_still_shows_what_it_had(
    commands: Commands, tmp_path: Path
) -> None:
    place, small = small_place(tmp_path), small_place(tmp_path / "small")
    assert commands.run(place, [*ARGUMENTS, "--limit", "4"]).status == 0
    commands.run(small, [*ARGUMENTS, "--limit", "4"])
    moments = small_place(tmp_path / "whole")
    commands.run(moments, [*ARGUMENTS, "--limit", "4"])
    commands.run(moments, ARGUMENTS)
    middle = next(n for n, line in enumerate(moments.moments, 1) if line.startswith("s2") and "call" in line)
    assert commands.run(place, ARGUMENTS, strike_at=middle).status == -9
    done = commands.run(place, ["report", "run", "--limit", "4"])
    assert done.status == 0, done.stderr
    view = place.work / "run" / "views" / "limit-4" / "leaderboard.csv"
    assert view.read_bytes() == tables_in(small.work / "run")["leaderboard.csv"]


def test_a_run_with_planned_looks_has_no_parts(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown, tmp_path / "run")
    found = manifest_of(tmp_path / "run")
    task = {"clusters": [100, 200], "asked": 2, "ended": None}
    found["looks"] = {
        "spending": "obrien-fleming", "futility": True, "margin": 5.0, "made_anew": [],
        "tasks": {"coin_flip": task},
    }  # fmt: skip
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(found))
    done = run_command(tmp_path, ["report", "run", "--limit", "40"])
    assert done.returncode == 2 and "its claims hold for all of it" in done.stderr


REFUSED = {
    "seed": ({"seed": 4}, "--seed 0, now it is 4"),
    "sampling": ({"sampling": {"temperature": 1}}, "--sampling {}, now it is {'temperature': 1}"),
    "model": ({"pretrained": "smollm2"}, "--pretrained tiny, now it is smollm2"),
    "data": ({"data": "hub"}, "--data embedded, now it is hub"),
    "other variant of one name": (
        {"models": "base,s2:cot,distilled"},
        "--models base,s2,distilled, now it is base,s2:cot,distilled, and distilled would be two",
    ),
    "a new variant whose teacher is not clear": (
        {"models": "base,s2,s2:cot,distilled,distilled-nofilter"},
        "--models distilled-nofilter: the run has several System 2 rows (s2, s2-cot): name the one",
    ),
}


HOW = {
    "training": ("train_args", {"epochs": 2}, {"gradient_accumulation": 4, "gradient_checkpointing": True}),
    "a slow server": ("engine_args", {"batch_rows": 8}, {"timeout": 600, "concurrency": 2}),
}


@pytest.mark.parametrize("name", HOW)
@pytest.mark.parametrize("place", ["run", None], ids=["named", "found under runs/"])
def test_how_the_work_is_done_may_change_when_a_run_is_continued(
    name: str, place: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ran out, the error advises other settings: the same run has to take them."""
    monkeypatch.chdir(tmp_path)
    option, before, other = HOW[name]
    first = RunFolder.open(RunOptions(output=place, **{option: before}), "first")
    first.close()
    second = RunFolder.open(with_held(RunOptions(output=place, **{option: before | other})), "second")
    second.close()
    assert second.path == first.path
    found = manifest_of(first.path)
    assert found["options"][option] == before | other
    assert found["history"][1]["added"] == {option: [before, before | other]}
    changed = dict.fromkeys(before, 3)
    with pytest.raises(UserError, match="now it is"):
        RunFolder.open(RunOptions(output=str(first.path), **{option: changed | other}), "third")


def test_a_run_whose_looks_are_planned_grows_by_its_limit_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    planned = {"output": "run", "until_decided": True}
    RunFolder.open(RunOptions(**planned, limit=40), "first").close()
    for other, says in (
        ({"limit": 20}, "--limit 40, now it is 20, and its looks are planned"),
        ({"limit": 40, "seeds": 2}, "--seeds 1, now it is 2, and its looks are planned"),
        ({"limit": 40, "tasks": ("gsm8k",)}, "and its looks are planned"),
    ):
        with pytest.raises(UserError, match=says):
            RunFolder.open(RunOptions(**planned, **other), "second")


JOINED = {
    "a second System 2": (
        "base,s2,distilled", "base,s2,s2:cot,distilled", "base,s2,s2:cot,distilled:s2"
    ),
    "a second System 2 alone": ("base,s2,distilled", "s2:cot", "base,s2,distilled:s2,s2:cot"),
    "a second beside a named one": (
        "base,s2:cot,distilled,distilled-s1",
        "base,s2,s2:cot,distilled",
        "base,s2:cot,distilled:s2:cot,distilled-s1,s2",
    ),
    "a distilled variant of the second": (
        "base,s2,distilled-all", "base,s2:cot,distilled", "base,s2,distilled-all:s2,s2:cot,distilled:s2:cot"
    ),
    "no teacher to be unclear about": ("base,s2", "base,s2:cot", "base,s2,s2:cot"),
    "a vote of several samples": ("s2:cot*3,distilled", "s2:cot", "s2:cot*3,distilled:s2:cot*3,s2:cot"),
    "a System 2 for a run that had none": ("base,distilled", "s2:cot", "base,distilled:s2,s2:cot"),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_a_distilled_variant_keeps_its_teacher_when_its_run_grows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before, now, whole = JOINED[name]
    first = {each.name: each for each in parse_variants(before)}
    RunFolder.open(RunOptions(output="run", models=before), "first").close()
    for _ in range(2):  # the same command once more changes nothing
        options = with_held(RunOptions(output="run", models=now))
        assert set(options.models.split(",")) == set(whole.split(","))
        RunFolder.open(options, "second").close()
    found = {each.name: each for each in parse_variants(options.models)}
    assert first.items() <= found.items()
    first_entry, second_entry = manifest_of(tmp_path / "run")["history"][:2]
    assert first_entry["added"] == {} and second_entry["added"]["models"][0] == before


def test_a_second_system_2_leaves_the_distilled_rows_as_they_are(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown.parent, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "run" / "samples" / "distilled" / "coin_flip.jsonl").read_bytes()
    done = run_command(tmp_path, words(limit="200", models="base,s2,s2:rar_2step,distilled"))
    assert done.returncode == 0, done.stderr
    assert "keeps all of its content" not in done.stderr
    assert (tmp_path / "run" / "samples" / "distilled" / "coin_flip.jsonl").read_bytes() == before
    manifest = manifest_of(tmp_path / "run")
    assert manifest["options"]["models"] == "base,s2,s2:rar_2step,distilled:s2"
    assert manifest["variants"]["distilled"]["teacher"] == "s2"
    assert manifest["variants"]["s2-rar_2step"]["teacher"] is None
    new = calls_in(tmp_path / "run").keys() - calls_in(grown).keys()
    again = run_command(tmp_path, words(limit="200", models="base,s2,s2:rar_2step,distilled"))
    assert again.returncode == 0 and "finished: its records are shown" in again.stderr
    assert len(new) == 2 * 200


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_cannot_be_joined_are_refused_with_both_values(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RunFolder.open(RunOptions(output="run"), "first").close()
    options, says = REFUSED[name]
    with pytest.raises(UserError) as caught:
        RunFolder.open(RunOptions(output="run", **options), "second")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_run_that_grew_in_bfloat16_notes_the_different_batches(tmp_path: Path) -> None:
    from harness.engines.scripted import ScriptedEngine
    from harness.manifest import REGROUPED, engine_facts
    from harness.store import CallStore

    facts = ScriptedEngine(lambda request, adapter: "").facts()
    store = CallStore(tmp_path / "calls.sqlite")
    assert "notes" not in engine_facts({**facts}, store, False, regrouped=False)
    told = engine_facts({**facts}, store, False, regrouped=True)
    assert told["notes"] == [REGROUPED] and not told["same_batches_same_text"]
    store.close()
