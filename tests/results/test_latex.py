"""`leaderboard.tex`: what stands in it, and that a real TeX sets it in one column of an article."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from results_fixtures import DEAR_VARIANTS, FakeVariant, make_run, wide_board

from results.analysis import leaderboard
from results.schema import Leaderboard
from results.tables.latex import LONGEST, latex

HOSTILE = FakeVariant("distilled-nofilter_of-my/own & 50 %", 0.6, 1100, "distilled")
NAMES = ("mmlu_flan_cot_zeroshot_anatomy", "gsm8k", "judge_mtbench")
DOCUMENT = r"""\documentclass[10pt,COLUMNS]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{booktabs,tabularx}
\begin{document}
See Table~\ref{tab:my-run-scores}, \ref{tab:my-run-verdicts} and \ref{tab:my-run-break-even}.
\input{leaderboard.tex}
\end{document}
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    return wide_board(tmp_path_factory.mktemp("runs") / "my run", NAMES, 200, HOSTILE)


def test_scores_verdicts_and_break_even_are_floats_with_caption_and_label(board: Leaderboard) -> None:
    text = latex(board)
    for name in ("scores", "other", "verdicts", "break-even"):
        assert rf"\label{{tab:my-run-{name}}}" in text
    assert text.count(r"\begin{table}") == text.count(r"\caption{") == text.count(r"\label{")
    assert "distilled better than base & " in text.replace(r"\allowbreak{}", "")
    assert r"\columnwidth" in text and "in dollars" in text
    sides = [row["verdict"] for row in board["comparisons"] if row["primary"]]
    assert {"yes": "& yes &", "no": "& no &", "cannot_tell": "& cannot tell &"}[sides[0]] in text


def test_a_long_table_goes_on_in_another_float(board: Leaderboard) -> None:
    for part in latex(board).split(r"\begin{table}")[1:]:
        lines = [line for line in part.splitlines() if line.endswith(r"\\")]
        assert len(lines) <= LONGEST + 1
    rows = [{**row, "task": f"task{n}"} for n in range(20) for row in board["rows"] if row["primary"]]
    assert r"\label{tab:my-run-scores-2}" in latex({**board, "rows": rows})


def test_a_run_without_comparisons_has_scores_alone(tmp_path: Path) -> None:
    text = latex(leaderboard.build(make_run(tmp_path / "run", variants=DEAR_VARIANTS[:1])))
    assert text.count(r"\begin{table}") == 1


@pytest.mark.parametrize("columns", ["onecolumn", "twocolumn"])
def test_a_real_tex_sets_it_within_the_column(board: Leaderboard, tmp_path: Path, columns: str) -> None:
    command = shutil.which("pdflatex") or shutil.which("tectonic")
    if command is None:
        pytest.skip("no TeX: neither pdflatex nor tectonic is installed")
    (tmp_path / "leaderboard.tex").write_text(latex(board))
    (tmp_path / "paper.tex").write_text(DOCUMENT.replace("COLUMNS", columns))
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in command else ["--keep-logs"]
    for _ in range(2):  # the second time, references are known
        done = subprocess.run(
            [command, *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout[-3000:]
    log = (tmp_path / "paper.log").read_text(encoding="latin-1")
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
    assert "undefined" not in log and not re.findall(r"Overfull \\hbox.*|Float too large.*", log)
