"""`from harness import run, compare, load`: the files of the command, and figures as frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from results_fixtures import VARIANTS, make_run
from test_end_to_end import SCRIPTS, TABLES, run_command

import harness
from harness.errors import UserError
from results.errors import ResultsError

OPTIONS: dict[str, Any] = {
    "tasks": ["last_letter", "coin_flip"],
    "engine": "scripted",
    "engine_args": {"script": str(SCRIPTS / "paper_like.py")},
    "limit": 10,
    "distill_inputs": 16,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> harness.Run:
    folder = tmp_path_factory.mktemp("door")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("S2D_CACHE", str(folder / "cache"))
        return harness.run(models="base,s2,distilled", output=folder / "run", **OPTIONS)


def test_it_writes_what_the_command_writes(run: harness.Run, tmp_path: Path) -> None:
    line = ["--models", "base,s2,distilled", "--tasks", "last_letter,coin_flip", "--engine", "scripted",
            "--engine-args", f"script={SCRIPTS / 'paper_like.py'}", "--limit", "10", "--distill-inputs", "16",
            "--output", "run"]  # fmt: skip
    assert run_command(tmp_path, line).returncode == 0
    ours, theirs = ({p.name for p in folder.iterdir()} for folder in (run.folder, tmp_path / "run"))
    assert ours == theirs and set(TABLES) <= ours
    for name in set(TABLES) - {"leaderboard.html"}:  # the page repeats the command
        assert (run.folder / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    assert run.page.is_file()


def test_scores_and_comparisons_are_frames(run: harness.Run) -> None:
    scores = run.scores.set_index(["task", "variant"])
    for row in run.leaderboard["rows"]:
        assert scores.loc[(row["task"], row["variant"]), "score"] == row["score"]
    assert {"ci_low", "ci_high", "generated_tokens", "failed"} <= set(scores.columns)
    claims = run.comparisons
    assert len(claims) == len(run.leaderboard["comparisons"]) + len(run.leaderboard["overall"])
    assert set(claims["verdict"]) <= {"yes", "no", "cannot_tell"}


def test_samples_are_a_frame_of_the_file(run: harness.Run) -> None:
    samples = run.samples("s2", "coin_flip")
    assert len(samples) == 10
    row = next(row for row in run.leaderboard["rows"] if (row["task"], row["variant"]) == ("coin_flip", "s2"))
    assert samples["scores.accuracy"].mean() == pytest.approx(row["score"])
    assert samples["usage.generated_tokens"].mean() == pytest.approx(row["generated_tokens"])
    with pytest.raises(ResultsError, match="no samples of variant 's3'"):
        run.samples("s3", "coin_flip")


def test_verdicts_are_sentences_and_the_headline_is_the_files(run: harness.Run) -> None:
    assert run.headline == run.leaderboard["headline"]
    assert len(run.verdicts) > 6 and all(sentence.endswith(".") for sentence in run.verdicts)
    assert repr(run).startswith(run.headline[:40])


def test_the_plot_is_a_figure_that_shows_itself(run: harness.Run, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = run.plot()
    assert isinstance(figure, Figure) and len(figure.axes) == 2 and len(run.plot("coin_flip").axes) == 1
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 3000 and "<svg" in figure._repr_svg_()
    with pytest.raises(ResultsError, match="'chess'"):
        run.plot("chess")


def test_the_card_escapes_what_it_shows(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    folder = make_run(tmp_path / "run", variants=VARIANTS, run=hostile, notes=[hostile])
    card = harness.load(folder)._repr_html_()
    assert "<script" not in card and card.count("&lt;script&gt;") >= 2 and "<table>" in card


def test_load_reads_and_writes_nothing(run: harness.Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    again = harness.load(str(run.folder), margin=2)
    assert again.leaderboard["margin"] == 0.02 and again.headline
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("name", "why"), [("nosuch", "there is no such folder"), (".", "it has no manifest")]
)
def test_load_says_what_a_run_folder_is(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResultsError) as caught:
        harness.load(name)
    said = str(caught.value)
    assert said.startswith(f"{name} is not a run folder: {why}") and "\n" not in said
    assert "runs/TIME-NAME" in said


def test_compare_takes_runs_and_folders(run: harness.Run) -> None:
    compared = harness.compare(run, run.folder)
    assert len(compared.comparisons) > 0 and compared.verdicts and "A" in repr(compared)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"limit": 0}, "at least 1"), ({"nonsense": 1}, "'nonsense'"), ({"dry_run": True}, "dry_run"),
     ({"tasks": "chess"}, "chess")],
)  # fmt: skip
def test_impossible_options_are_refused_before_anything_is_loaded(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    from tasks.errors import TaskError

    with pytest.raises((UserError, TaskError), match=message):
        harness.run(output=tmp_path / "run", **{**OPTIONS, **options})
    assert not (tmp_path / "run").exists()


def test_the_names_are_found_late() -> None:
    """Nothing heavy is loaded before a name is used, and the command's help never does."""
    script = (
        "import sys, harness; dir(harness); assert not {'numpy', 'results.notebook'} & set(sys.modules);"
        "from harness import load; assert not {'pandas', 'matplotlib', 'torch', 'lm_eval'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        harness.rum  # type: ignore[attr-defined]  # noqa: B018
