"""`gate` on two runs and on logs of other harnesses: rules of claims, of scores, against an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from log_files import as_alpaca_eval, as_fastchat, as_inspect, as_lm_eval, as_table
from results_fixtures import VARIANTS, FakeVariant, make_run

from harness.command import cli
from results.errors import ResultsError
from results.gate import check

DRAWS = np.random.default_rng(3).random((400, 2))
WORSE = [float(value) for value in DRAWS[:, 0] < 0.5]
BETTER = [float(value) for value in DRAWS[:, 1] < 0.8]


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    return as_lm_eval(tmp_path / "a", "org/before", WORSE), as_lm_eval(tmp_path / "b", "org/after", BETTER)


def policy(folder: Path, text: str) -> Path:
    path = folder / "rules.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("B superior to A", 0), ("A superior to B", 1), ("B non-inferior to A by 2 on sums", 0),
        ("score B >= 70", 0),
        ("score B >= 79", 3), ("score B >= 90", 1), ("score B <= 90", 0), ("score A >= 60", 1),
        ("tokens B <= 0.5 A", 3), ("B cheaper than A", 3), ("overlap == 0", 3),
        ("A non-inferior to B by 5", 1), ("B superior to A\nscore A >= 60", 1),
    ],
)  # fmt: skip
def test_rules_on_two_logs(logs: tuple[Path, Path], tmp_path: Path, rule: str, code: int) -> None:
    outcome = check(logs[0], policy(tmp_path, rule), None, logs[1])
    assert outcome.exit_code == code, outcome.lines
    assert len(outcome.lines) == len(rule.splitlines())


def test_the_gate_of_logs_uses_the_exact_test(logs: tuple[Path, Path], tmp_path: Path) -> None:
    (line,) = check(logs[0], policy(tmp_path, "B superior to A"), None, logs[1]).lines
    assert "exact test" in line and "after Holm over 1 claims" in line


def test_a_later_run_against_an_earlier_one(tmp_path: Path) -> None:
    before = make_run(tmp_path / "before")
    after = make_run(
        tmp_path / "after", variants=[*VARIANTS[:2], FakeVariant("distilled", 0.4, 11, "distilled")]
    )
    rules = [
        "B:s2 non-inferior to A:s2 by 10",
        "distilled non-inferior to A:distilled by 2",
        "tokens distilled <= 1.5 A:distilled",
        "tokens distilled <= 150 A:distilled",
    ]
    outcome = check(before, policy(tmp_path, "\n".join(rules)), None, after)
    assert [line.split("  ")[0] for line in outcome.lines] == ["holds", "FAILS", "holds", "holds"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [("B:x superior to A", "has org/after"), ("B superior to B", "with itself"),
     ("B superior to A on mars", "mars"), ("B superior to A on all", "one run of s2d-bench"),
     ("s2 superior to A", "has org/after")],
)  # fmt: skip
def test_rules_that_no_side_has(logs: tuple[Path, Path], tmp_path: Path, rule: str, message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        check(logs[0], policy(tmp_path, rule), None, logs[1])


def test_a_score_of_one_log_alone(tmp_path: Path) -> None:
    log = as_inspect(tmp_path, "org/model", BETTER)
    assert check(log, policy(tmp_path, "score B >= 70")).exit_code == 0
    assert check(log, policy(tmp_path, "score B >= 95")).exit_code == 1
    grades = as_fastchat(tmp_path / "grades", "vicuna", [6.0 + number % 3 for number in range(80)])
    outcome = check(grades, policy(tmp_path, "score B >= 6.5"))
    assert outcome.exit_code == 0 and "7, 95 % interval" in outcome.lines[0]


def test_the_score_of_a_share_is_in_percent_whatever_its_log_calls_it(tmp_path: Path) -> None:
    log = as_alpaca_eval(tmp_path, "org/model", BETTER)
    assert check(log, policy(tmp_path, "score B >= 70")).exit_code == 0
    assert check(log, policy(tmp_path, "score B >= 95")).exit_code == 1


def test_a_score_with_rows_that_lack_a_number_cannot_be_told(tmp_path: Path) -> None:
    log = as_table(tmp_path, "m", [None, *BETTER])
    outcome = check(log, policy(tmp_path, "score B >= 60"))
    assert outcome.exit_code == 3 and "1 rows of accuracy have no number" in outcome.lines[0]


def test_a_score_of_a_run_is_in_percent_of_its_own_interval(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    outcome = check(run, policy(tmp_path, "score s2 >= 60\nscore base >= 60 on coin_flip\nscore base >= 80"))
    assert [line.split("  ")[0] for line in outcome.lines] == ["holds", "cannot tell", "FAILS"]
    with pytest.raises(ResultsError, match="a score belongs to one task"):
        check(run, policy(tmp_path, "score s2 >= 60 on all"))


def test_an_unfinished_run_cannot_hold(tmp_path: Path) -> None:
    before, after = make_run(tmp_path / "a"), make_run(tmp_path / "b", status="running")
    outcome = check(before, policy(tmp_path, "s2 non-inferior to A:s2 by 20"), None, after)
    assert outcome.exit_code == 3 and "not finished" in outcome.lines[0]


def test_the_command_takes_two_runs_and_its_help_has_the_grammar(
    logs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = policy(tmp_path, "B superior to A")
    assert cli.main(["gate", *map(str, logs), "--policy", str(rules)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"status": "holds"}
    cli.main(["gate", "--help"])
    shown = capsys.readouterr().out
    assert "NAME non-inferior to NAME [by POINTS] [on TASK]" in shown and "score NAME >= PERCENT" in shown
    assert max(map(len, shown.splitlines())) <= 110
