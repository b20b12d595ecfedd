"""`gate`: rules, exits 0, 1, 2 and 3, and the grammar of a policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, make_run

from results.errors import ResultsError
from results.gate import check
from results.leaderboard import build
from results.policy import parse_rule, read_policy


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
     ({"overlap": {}}, "holds")],
)  # fmt: skip
def test_overlap_rule(tmp_path: Path, entry: dict[str, object], status: str) -> None:
    folder = make_run(tmp_path / "run", [FakeTask(clusters=20)], distillation=[distillation(**entry)])
    assert check(folder, write_policy(tmp_path, "overlap == 0")).status == status


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
        ("distilled better than base", "is no rule; write for example"),
        ("", "holds no rule"),
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
