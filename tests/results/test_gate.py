"""`gate`: rules, exits 0, 1, 2 and 3, the grammar of a policy, and the examples that are shipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, make_run

import results
from results.analysis.leaderboard import build
from results.errors import ResultsError
from results.gate import check
from results.policy import FORMS, parse_rule, read_policy

PUBLISHED = Path(results.__file__).parent / "published"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distilled equals s2 on 1,500 items; nothing overlaps."""
    variants = [VARIANTS[0], VARIANTS[1], FakeVariant("distilled", 0.75, 11, "distilled")]
    folder = tmp_path_factory.mktemp("runs") / "gated"
    return make_run(
        folder, [FakeTask(clusters=1500)], variants,
        distillation=[distillation(overlap={"exact": 4}, allow_overlap=False)],
    )  # fmt: skip


def write_policy(folder: Path, text: str, name: str = "release.policy") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_rule_of_the_documentation_holds(run: Path, tmp_path: Path) -> None:
    policy = write_policy(
        tmp_path,
        "# what a release must show\n\ndistilled superior to base\n"
        "distilled non-inferior to s2 by 5 # points\ndistilled cheaper than s2 on coin_flip\n"
        "tokens distilled <= 0.5 s2\nflops distilled <= 0.9 s2 on all\noverlap == 0\n",
    )
    outcome = check(run, policy)
    assert (outcome.status, outcome.exit_code) == ("holds", 0), outcome.lines
    assert len(outcome.lines) == 6
    assert "4 candidates were left out" in outcome.lines[-1]


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ("base superior to s2", "fails", 1),
        ("base non-inferior to s2 by 5", "fails", 1),
        ("s2 non-inferior to base by 5", "holds", 0),
        ("tokens s2 <= 0.5 distilled", "fails", 1),
        ("tokens distilled <= 0.109 s2", "cannot_tell", 3),
        ("usd distilled <= 0.5 s2", "cannot_tell", 3),
        ("distilled superior to s2", "cannot_tell", 3),
        ("s2 cheaper than base", "fails", 1),
    ],
)
def test_status_and_exit_of_single_rules(
    run: Path, tmp_path: Path, rule: str, status: str, code: int
) -> None:
    outcome = check(run, write_policy(tmp_path, rule))
    assert (outcome.status, outcome.exit_code) == (status, code), outcome.lines


def test_one_failure_outweighs_a_doubt(run: Path, tmp_path: Path) -> None:
    policy = write_policy(
        tmp_path, "distilled superior to s2\nbase superior to s2\ndistilled superior to base\n"
    )
    assert check(run, policy).exit_code == 1


def test_a_rule_speaks_of_every_task(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(), FakeTask("gsm8k", 300)])
    policy = write_policy(tmp_path, "distilled superior to base\n")
    assert [line.split(" on ")[1].split()[0] for line in check(folder, policy).lines] == [
        "coin_flip",
        "gsm8k",
    ]
    together = check(folder, write_policy(tmp_path, "distilled superior to base on all\n"))
    assert len(together.lines) == 1 and "over all tasks" in together.lines[0]


def test_a_gate_uses_the_exact_test(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    exact = {row["test"] for row in build(folder, exact=True)["comparisons"] if row["claim"] == "superior"}
    assert exact == {"McNemar exact"}


@pytest.mark.parametrize(
    ("entry", "status"),
    [({}, "cannot_tell"), ({"overlap": 2}, "fails"), ({"overlap": {}, "allow_overlap": True}, "cannot_tell"),
     ({"overlap": {}, "overlap_unchecked": ["gsm8k"]}, "cannot_tell"),
     ({"overlap": {}, "overlap_unchecked": []}, "holds")],
)  # fmt: skip
def test_overlap_rule(tmp_path: Path, entry: dict[str, object], status: str) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)], distillation=[distillation(**entry)])
    assert check(folder, write_policy(tmp_path, "overlap == 0")).status == status


def test_a_run_that_is_not_finished_cannot_hold(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)], status="running")
    policy = write_policy(tmp_path, "overlap == 0")
    outcome = check(folder, policy)
    assert (outcome.status, outcome.exit_code) == ("cannot_tell", 3)
    assert "the run is running, not finished" in outcome.lines[0]


def test_a_policy_may_begin_with_a_byte_order_mark(run: Path, tmp_path: Path) -> None:
    assert check(run, write_policy(tmp_path, "\ufeffs2 superior to base")).status == "holds"


def test_policy_may_be_a_yaml_list(run: Path, tmp_path: Path) -> None:
    policy = write_policy(tmp_path, "- distilled superior to base\n- overlap == 0\n", "policy.yaml")
    assert check(run, policy).exit_code == 0
    wrapped = write_policy(tmp_path, "rules:\n  - overlap == 0\n", "policy.yml")
    assert [rule.kind for rule in read_policy(wrapped)] == ["overlap"]


def test_names_with_spaces_stand_in_quotes(tmp_path: Path) -> None:
    rule = parse_rule('"my model" superior to base on "coin flip"', tmp_path)
    assert (rule.a, rule.b, rule.task) == ("base", "my model", "coin flip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("distilled better than base", "is not a rule: write, for example"),
        ("", "has no rule"),
        ("distilled superior to nobody", "names 'nobody', but the run has base, s2, distilled"),
        ("distilled superior to base on mars", "names task 'mars'"),
        ("base superior to base", "compares 'base' with itself"),
        ("distilled non-inferior to s2 by 0", "margin"),
        ("- 3\n", "every item of the list must be a rule"),
    ],
)
def test_bad_policies_are_named(run: Path, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ResultsError, match=message) as caught:
        check(run, write_policy(tmp_path, text))
    assert "release.policy" in str(caught.value)


def test_a_missing_policy_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="does not exist"):
        check(run, tmp_path / "nothing")


def test_the_example_policy_has_every_kind_of_rule_and_is_judged(run: Path) -> None:
    policy = PUBLISHED / "example_policy.txt"
    rules = read_policy(policy)
    assert {rule.kind for rule in rules} == {kind for kind, _ in FORMS}
    outcome = check(run, policy)
    assert len(outcome.lines) == len(rules) == 6
    for rule, line in zip(rules, outcome.lines, strict=True):
        assert rule.text in line and "no samples" not in line
    assert (outcome.status, outcome.exit_code) == ("holds", 0)


def test_the_example_policy_fails_a_model_that_learnt_nothing(tmp_path: Path) -> None:
    variants = [VARIANTS[0], VARIANTS[1], FakeVariant("distilled", 0.55, 11, "distilled")]
    folder = make_run(tmp_path / "run", [FakeTask(clusters=1500)], variants)
    outcome = check(folder, PUBLISHED / "example_policy.txt")
    assert outcome.exit_code == 1
    assert [line.split("  ")[0] for line in outcome.lines].count("FAILS") == 1


@pytest.mark.parametrize(("code", "said"), [(0, "notice"), (1, "error"), (3, "warning"), (2, "error")])
def test_the_example_job_hands_on_the_exit_of_the_gate(tmp_path: Path, code: int, said: str) -> None:
    """The job's own script, with a command that plays `s2d-bench`."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("the job's script needs bash")
    job = yaml.safe_load((PUBLISHED / "example_ci.yaml").read_text())["jobs"]["gate"]
    (step,) = [step for step in job["steps"] if step.get("name") == "gate"]
    played = tmp_path / "s2d-bench"
    played.write_text(f"#!/bin/sh\necho judged $*\nexit {code}\n")
    played.chmod(0o755)
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # as GitHub calls it
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(summary)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert f"::{said}::" in done.stdout
    asked = summary.read_text()
    assert asked == "judged gate runs/gate --policy results/published/example_policy.txt\n"


def test_names_in_the_gates_lines_are_plain(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", [FakeTask("bad\x1b[31m", 30)])
    lines = check(folder, write_policy(tmp_path, "s2 superior to base")).lines
    assert lines and "\x1b" not in "".join(lines)
