"""Which of a killed trainer's checkpoints are believed."""

from __future__ import annotations

from pathlib import Path

from distill.training.resume import last_whole, mark_whole, prepare, training_folder

TOTALS = {"tokens": 12.0, "seconds": 0.5}


def checkpoint(folder: Path, step: int, marked: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    (made / "inner").mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights" * step)
    (made / "inner" / "optimizer.pt").write_bytes(b"moments")
    if marked:
        mark_whole(made, finished=False, totals=TOTALS)
    return made


def test_the_folder_lies_beside_the_output_and_bears_its_name(tmp_path: Path) -> None:
    assert training_folder(tmp_path / "rar-12ab") == tmp_path / ".rar-12ab.training"


def test_the_latest_whole_checkpoint_is_taken_by_number_not_by_name(tmp_path: Path) -> None:
    prepare(tmp_path / "t", "job")
    assert last_whole(tmp_path / "t") is None
    for step in (2, 10, 9):
        checkpoint(tmp_path / "t", step)
    found = last_whole(tmp_path / "t")
    assert found and (found.step, found.finished, found.totals) == (10, False, TOTALS)


def test_a_checkpoint_without_its_mark_or_with_a_changed_file_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    prepare(folder, "job")
    checkpoint(folder, 1)
    cut = checkpoint(folder, 2)
    (cut / "inner" / "optimizer.pt").write_bytes(b"mom")
    lost = checkpoint(folder, 3)
    (lost / "inner" / "optimizer.pt").unlink()
    checkpoint(folder, 4, marked=False)
    torn = checkpoint(folder, 5)
    (torn / "whole.json").write_text('{"files": {')
    flipped = checkpoint(folder, 6)
    (flipped / "inner" / "optimizer.pt").write_bytes(b"momentz")
    (checkpoint(folder, 7) / "whole.json").write_text("null")
    found = last_whole(folder)
    assert found and found.step == 1
    prepare(folder, "job")
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-1"]


def test_the_checkpoints_of_another_job_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    prepare(folder, "job")
    checkpoint(folder, 1)
    prepare(folder, "job")
    assert last_whole(folder) is not None
    prepare(folder, "another")
    assert last_whole(folder) is None


def test_a_finished_training_says_so(tmp_path: Path) -> None:
    prepare(tmp_path / "t", "job")
    mark_whole(checkpoint(tmp_path / "t", 7, marked=False), finished=True, totals=TOTALS)
    found = last_whole(tmp_path / "t")
    assert found and found.finished
