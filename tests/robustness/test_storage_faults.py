"""A disk that is full or refuses, and damaged files: named in one line, never believed, nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from forked import Commands, Place
from kill_fixtures import ARGUMENTS, Undisturbed, calls_in, complaint, slow_but, small_place, tables_in
from tiny_models import edit_json

from distill.checkpoint import read_record
from harness.errors import UserError
from harness.folder import held_manifest
from harness.store import CallStore
from results.errors import ResultsError
from results.records.load import load_run
from results.records.manifest import read_manifest

NOBODY = 65534


@pytest.fixture
def copy(undisturbed: Undisturbed, tmp_path: Path) -> Place:
    """The finished run with its cache, to be damaged."""
    shutil.copytree(undisturbed.place.work, tmp_path / "work")
    return Place(tmp_path)


FULL = {
    "at the first manifest": ("start", "write run/.manifest.json", 0),
    "in the store": ("s2", "before commit", 1),
    "in a checkpoint": ("after teacher", "write cache/checkpoints", 0),
    "in a checkpoint's record": ("after teacher", "s2d.json", 0),
    "in the samples": ("after s2", "write run/samples", 0),
    "in the tables": ("after distilled", "write run/.leaderboard.csv", 0),
    "in the page": ("after distilled", "write run/.leaderboard.html", 0),
}


@pytest.mark.parametrize("where", slow_but("in the samples", FULL))
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_space(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path, where: str
) -> None:
    place = small_place(tmp_path)
    struck = commands.run(place, ARGUMENTS, strike_at=undisturbed.moment(*FULL[where]), how="full")
    line = complaint(struck, 1)
    assert "free some space" in line
    assert "run/" in line or "cache/" in line
    undisturbed.goes_on(commands, place, ARGUMENTS)


def test_a_file_that_may_not_grow_is_named(
    commands: Commands, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The system's own refusal, in the middle of the call store."""
    place = small_place(tmp_path)
    line = complaint(commands.run(place, ARGUMENTS, largest_file=60_000), 1)
    assert "calls.sqlite" in line
    assert 0 < len(calls_in(place.work / "run")) < len(undisturbed.calls)
    undisturbed.goes_on(commands, place, ARGUMENTS)


def readable_by_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))


@pytest.mark.skipif(
    os.getuid() == 0 and not readable_by_all(Path(pytest.__file__).parent),
    reason="root may write anywhere, and another user cannot read this environment",
)
@pytest.mark.parametrize(("what", "status"), [("work", 2), ("cache", 1)])
def test_a_folder_that_may_not_be_written_is_named(commands: Commands, what: str, status: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        place = small_place(Path(root))
        place.root.chmod(0o755)
        (place.work / "cache").mkdir()
        folder = place.work if what == "work" else place.work / "cache"
        more = {}
        if os.getuid() == 0:
            os.chown(place.work, NOBODY, NOBODY)
            more = {"user": NOBODY}
        folder.chmod(0o555)
        line = complaint(commands.run(place, ARGUMENTS, **more), status)
        folder.chmod(0o755)
    assert ("cache/checkpoints" if what == "cache" else "run cannot be written") in line
    assert "Permission denied" in line


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turn_bits(path: Path) -> None:
    """Other bytes of the same length in the middle."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(each ^ 1 for each in data[middle : middle + 8])
    path.write_bytes(bytes(data))


def say_nothing(path: Path) -> None:
    path.write_bytes(b"")


def other_answer(store: Path) -> None:
    """Another text in a finished call, as a failing disk would leave it: the file as such is whole."""
    edit_store(
        store,
        "UPDATE calls SET text = replace(text, 'Answer', 'Anfwer') "
        "WHERE key = (SELECT min(key) FROM calls WHERE text LIKE '%Answer%')",
    )


def other_version(store: Path) -> None:
    edit_store(store, "UPDATE meta SET value = '1' WHERE name = 'schema'")


def edit_store(store: Path, statement: str) -> None:
    """Closed at once, so that the file holds the edit and no journal of it is left."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement)


def pages_of_zeros(store: Path) -> None:
    data = bytearray(store.read_bytes())
    data[4096 * 2 : 4096 * 4] = bytes(4096 * 2)
    store.write_bytes(bytes(data))


Damage = Callable[[Path], None]


def line_of(caught: pytest.ExceptionInfo[Exception], *parts: str) -> None:
    """The message is one line with these parts."""
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize("damage", [cut, pages_of_zeros, other_answer, other_version])
def test_a_damaged_store_is_named_and_left_alone(
    undisturbed: Undisturbed, copy: Place, damage: Damage
) -> None:
    path = copy.work / "run" / "calls.sqlite"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        store = CallStore(path)
        try:
            store.lookup(undisturbed.calls)
        finally:
            store.close()
    line_of(caught, str(path), "--output" if damage is other_version else "move it away")
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_store_that_was_moved_away_is_made_again_with_the_same_tables(
    commands: Commands, copy: Place, undisturbed: Undisturbed
) -> None:
    run = copy.work / "run"
    cut(run / "calls.sqlite")
    assert "run/calls.sqlite" in complaint(commands.run(copy, ARGUMENTS), 2)
    (run / "calls.sqlite").rename(copy.root / "damaged")
    assert commands.run(copy, ARGUMENTS).status == 0
    assert tables_in(run) == undisturbed.tables


@pytest.mark.parametrize("damage", [cut, turn_bits, say_nothing, Path.unlink])
def test_damaged_samples_are_named(copy: Place, damage: Damage) -> None:
    run = copy.work / "run"
    damage(run / "samples" / "s2-rar_2step" / "coin_flip.jsonl")
    with pytest.raises(ResultsError) as caught:
        load_run(run)
    line_of(caught, "samples/s2-rar_2step/coin_flip.jsonl", "repeat the run's command")


@pytest.mark.slow
def test_damaged_samples_are_mended_by_the_run_s_command(
    commands: Commands, copy: Place, undisturbed: Undisturbed
) -> None:
    turn_bits(copy.work / "run" / "samples" / "s2-rar_2step" / "coin_flip.jsonl")
    assert "s2-rar_2step/coin_flip.jsonl" in complaint(commands.run(copy, ["report", "run"]), 2)
    undisturbed.goes_on(commands, copy, ARGUMENTS)


@pytest.mark.parametrize("damage", [cut, say_nothing])
@pytest.mark.parametrize("read", [held_manifest, read_manifest])
def test_a_damaged_manifest_is_named(copy: Place, damage: Damage, read: Callable[[Path], object]) -> None:
    damage(copy.work / "run" / "manifest.json")
    with pytest.raises((UserError, ResultsError)) as caught:
        read(copy.work / "run")
    line_of(caught, "run/manifest.json", "restore")


def break_record(checkpoint: Path) -> None:
    cut(checkpoint / "s2d.json")


def later_record(checkpoint: Path) -> None:
    edit_json(checkpoint / "s2d.json", schema=99)


def cut_weights(checkpoint: Path) -> None:
    cut(checkpoint / "scripted_adapter.json")


def lose_weights(checkpoint: Path) -> None:
    (checkpoint / "scripted_adapter.json").unlink()


def other_weights(checkpoint: Path) -> None:
    """Still an adapter, but another one."""
    edit_json(checkpoint / "scripted_adapter.json", more="Answer: no")


def a_checkpoint(place: Place) -> Path:
    return next(path for path in (place.work / "cache" / "checkpoints").iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "damage", [break_record, later_record, cut_weights, lose_weights, other_weights], ids=lambda d: d.__name__
)
def test_a_damaged_checkpoint_is_named(copy: Place, damage: Damage) -> None:
    checkpoint = a_checkpoint(copy)
    assert read_record(checkpoint)
    damage(checkpoint)
    with pytest.raises(UserError) as caught:
        read_record(checkpoint)
    line_of(caught, str(checkpoint), "remove the folder")


def test_cards_and_examples_may_be_edited(copy: Place) -> None:
    checkpoint = a_checkpoint(copy)
    (checkpoint / "README.md").write_text("my own words")
    (checkpoint / "notes.txt").write_text("more of them")
    assert read_record(checkpoint)


@pytest.mark.slow
def test_a_checkpoint_that_was_removed_is_made_again_from_the_stored_calls(
    commands: Commands, copy: Place, undisturbed: Undisturbed
) -> None:
    checkpoint = a_checkpoint(copy)
    cut_weights(checkpoint)
    assert "remove the folder" in complaint(commands.run(copy, ARGUMENTS), 2)
    shutil.rmtree(checkpoint)
    undisturbed.goes_on(commands, copy, ARGUMENTS)
