"""A copy of a run for others: the same tables, without texts of the data set and traces of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from results_fixtures import FakeTask, make_run
from test_end_to_end import run_command

from results.analysis.leaderboard import build
from results.errors import ResultsError
from results.records.share import LEFT_OUT, share

QUESTION = "A coin is heads up. Ada Byron flips it."
HOME = "/home/ada byron/models/qwen.gguf"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose records name a path with a space, a server and a checkpoint with a card."""
    checkpoint = tmp_path / "checkpoints" / "coin-1"
    checkpoint.mkdir(parents=True)
    card = (
        f"```sh\nvllm serve {HOME}\n```\n\nAn input:\n\n````text\n{QUESTION}\n```\n````\n\nIn {checkpoint}.\n"
    )
    (checkpoint / "README.md").write_text(card, encoding="utf-8")
    folder = make_run(tmp_path / "run", (FakeTask(),), text=QUESTION)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["options"] |= {
        "pretrained": HOME,
        "data": "~/my data/sets",
        "base_url": "http://gpu7.lab:8000/v1",
    }
    manifest["command"] = f"s2d-bench --pretrained '{HOME}' --models base,t=/mnt/ada/adapter"
    manifest["model"]["folder"] = HOME
    manifest["notes"] = ["http://gpu7.lab:8000/v1 answered late; and/or 3/4 of it"]
    entry = dict.fromkeys(("inputs", "kept", "examples", "teacher_tokens"), 1)
    manifest["distillation"] = [{**entry, "task": "coin_flip", "checkpoint": str(checkpoint)}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text(f"pretrained: {HOME}\ndata: ~/my data/sets\n")
    return folder


def test_nothing_of_the_data_set_or_the_machine_is_in_it(run: Path, tmp_path: Path) -> None:
    folder = share(run, tmp_path / "shared")
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    assert {"manifest.json", "config.yaml", "card-distilled-coin_flip.md"} < texts.keys()
    for name, text in texts.items():
        for private in (QUESTION, "/ada", "byron", str(tmp_path), "gpu7", "my data/"):
            assert private not in text, name
    manifest = json.loads(texts["manifest.json"])
    assert manifest["command"] == "s2d-bench --pretrained 'qwen.gguf' --models base,t=adapter"
    assert manifest["notes"] == ["SERVER answered late; and/or 3/4 of it"]
    assert manifest["distillation"][0]["checkpoint"] == "coin-1"
    assert texts["config.yaml"] == "pretrained: qwen.gguf\ndata: sets\n"
    assert f"An input:\n\n{LEFT_OUT}\n" in texts["card-distilled-coin_flip.md"]
    assert "vllm serve qwen.gguf" in texts["card-distilled-coin_flip.md"]


def test_each_seed_has_its_card(run: Path, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    entry = manifest["distillation"][0]
    manifest["distillation"] = [{**entry, "seed": seed} for seed in (0, 1)]
    (run / "manifest.json").write_text(json.dumps(manifest))
    folder = share(run, tmp_path / "shared")
    cards = sorted(path.name for path in folder.glob("card-*"))
    assert cards == ["card-distilled-coin_flip-seed-0.md", "card-distilled-coin_flip-seed-1.md"]


def test_its_tables_are_those_of_the_run_and_its_items_pair_with_it(run: Path, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "distillation": []}))
    folder = share(run, tmp_path / "shared")
    ours, theirs = build(run), build(folder)
    assert theirs["rows"] == ours["rows"]
    assert theirs["comparisons"] == ours["comparisons"]
    assert theirs["frontier"] == ours["frontier"]
    done = run_command(tmp_path, ["compare", str(run), str(folder)])
    assert done.returncode == 0, done.stderr


def test_the_command_writes_the_tables_of_the_copy_into_it(run: Path, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "distillation": []}))
    folder = tmp_path / "shared"
    command = ["report", str(run), "--share", str(folder)]
    assert run_command(tmp_path, command).returncode == 0
    assert (folder / "leaderboard.json").is_file() and not (run / "leaderboard.json").exists()
    assert QUESTION not in (folder / "leaderboard.html").read_text(encoding="utf-8")
    again = run_command(tmp_path, command)
    assert again.returncode == 2 and "it is in use" in again.stderr


def test_a_run_without_samples_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    for path in folder.glob("samples/*/*.jsonl"):
        path.unlink()
    with pytest.raises(ResultsError, match="let the run finish first"):
        share(folder, tmp_path / "shared")
