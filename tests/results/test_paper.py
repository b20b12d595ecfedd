"""The paper beside a run: its figures, which rows meet, and what a run may be said to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_fixtures import build_run

from results.page.build import render_page
from results.paper import LEGEND, beside, published, render


def row(task: str, variant: str, score: float, metric: str = "m", tokens: float = 10.0) -> dict[str, Any]:
    return {
        "task": task, "variant": variant, "metric": metric, "score": score, "ci_low": score - 0.1,
        "ci_high": score + 0.1, "generated_tokens": tokens, "method": "direct", "teacher": None,
    }  # fmt: skip


def claim(
    task: str, a: str, b: str, name: str, verdict: str, low: float, high: float, **more: Any
) -> dict[str, Any]:
    return {
        "task": task, "metric": "m", "claim": name, "a": a, "b": b, "verdict": verdict,
        "difference": (low + high) / 2, "ci_low": low, "ci_high": high, "margin": 0.05, "mde": 0.1,
        "ci_low_adjusted": low, "ci_high_adjusted": high, "p_adjusted": None,
        "token_ratio": None, "token_ratio_low": None, "token_ratio_high": None, **more,
    }  # fmt: skip


def verdict(board: dict[str, Any], text: str) -> str:
    found = [finding["verdict"] for finding in beside(board)["findings"] if text in finding["text"]]
    assert len(found) == 1
    return found[0]


def gsm8k(*comparisons: dict[str, Any]) -> dict[str, Any]:
    return {
        "rows": [row("gsm8k", v, 0.3) for v in ("base", "s2", "distilled")],
        "comparisons": list(comparisons),
    }


def figure(task: str, variant: str, metric: str, **where: Any) -> dict[str, Any]:
    for entry in published()["tasks"][task]["rows"]:
        if entry["variant"] == variant and all(entry.get(key) == value for key, value in where.items()):
            found: dict[str, Any] = entry["metrics"][metric]
            return found
    raise AssertionError((task, variant, metric))


def test_published_figures_carry_their_certainty() -> None:
    paper = published()
    count = 0
    for task in paper["tasks"].values():
        for entry in task["rows"]:
            for found in [*entry["metrics"].values(), entry["generated_tokens"]]:
                if found is not None:
                    assert found["certainty"] in paper["certainty"]
                    count += 1
        for entry in task["rows"]:
            assert all(0 <= found["value"] <= 100 for found in entry["metrics"].values())
    assert count == 102
    assert paper["source"]["arxiv"] == "2407.06023"


@pytest.mark.parametrize(
    ("task", "variant", "metric", "value", "certainty"),
    [
        ("last_letter", "distilled", "exact_match", 98.0, "two_sources"),
        ("coin_flip", "s2", "accuracy", 77.2, "one_source"),
        ("trivia_bias", "distilled-nofilter", "accuracy_biased", 78.6, "one_source"),
        ("judge_mtbench", "base", "inconsistency", 80.9, "two_sources"),
        ("gsm8k", "distilled", "accuracy", 7.13, "two_sources"),
    ],
)
def test_figures_of_the_paper(task: str, variant: str, metric: str, value: float, certainty: str) -> None:
    assert figure(task, variant, metric) == {"value": value, "certainty": certainty}


def test_every_finding_follows_from_the_figures() -> None:
    """The paper's own figures must point the way that each finding says."""
    paper = published()
    for finding in paper["findings"]:
        entry = paper["tasks"][finding["task"]]
        rows = {found["variant"]: found for found in reversed(entry["rows"])}
        a, b = rows[finding["a"]], rows[finding["b"]]
        if finding["expects"] == "cheaper":
            assert b["generated_tokens"]["value"] < a["generated_tokens"]["value"]
            continue
        metric = finding.get("metric", entry["primary"])
        difference = b["metrics"][metric]["value"] - a["metrics"][metric]["value"]
        holds = {
            "higher": difference > 0,
            "lower": difference < 0,
            "as_good": difference > -5,
            "no_gain": difference < 0,
        }
        assert holds[finding["expects"]], finding


def test_another_system_2_than_the_paper_s_is_named() -> None:
    def systems(method: str) -> list[str]:
        s2 = {**row("coin_flip", "s2", 0.9), "method": method, "teacher": None}
        distilled = {**row("coin_flip", "distilled", 0.8), "method": "direct", "teacher": "s2"}
        base = {**row("coin_flip", "base", 0.5), "method": "direct", "teacher": None}
        laid = beside({"rows": [base, s2, distilled], "comparisons": []})["tasks"][0]["rows"]
        return [each["system"] for each in laid if each["run_score"] is not None and each["model"] is None]

    def whys(method: str) -> list[str]:
        rows = [{**row("gsm8k", "s2", 0.3), "method": method}, row("gsm8k", "base", 0.3)]
        lost = claim("gsm8k", "base", "s2", "superior", "yes", 0.1, 0.3)
        return [found["why"] for found in beside({"rows": rows, "comparisons": [lost]})["findings"]]

    named = "System 2 is think here, cot in the paper."
    assert any(named in why for why in whys("think")) and not any(
        "in the paper" in why for why in whys("cot")
    )
    other = systems("cot_fewshot")
    assert "System 2, 2-step RaR (this run: cot_fewshot)" in other
    assert "Distilled System 2 (2-step RaR) (this run: cot_fewshot)" in other and "System 1" in other
    for same in ("rar_2step", "rar_2step_paper"):
        assert not any("this run" in name for name in systems(same))


def test_rows_meet_by_task_variant_and_metric() -> None:
    board = {
        "rows": [
            row("trivia_bias", "base", 0.5, "biased_accuracy"),
            row("trivia_bias", "base", 0.7, "unbiased_accuracy"),
        ],
        "comparisons": [],
    }
    rows = {(r["variant"], r["metric"]): r for r in beside(board)["tasks"][0]["rows"]}
    biased, unbiased = rows["base", "accuracy_biased"], rows["base", "accuracy_unbiased"]
    assert (biased["run_score"], biased["paper_score"]["value"]) == (50.0, 51.6)
    assert (unbiased["run_score"], unbiased["paper_score"]["value"]) == (70.0, 73.8)
    assert rows["distilled", "accuracy_biased"]["run_score"] is None


def test_a_stand_in_for_the_papers_data_is_said_to_be_one() -> None:
    laid = beside({"rows": [row("judge", "base", 0.5)], "comparisons": []})
    assert laid["tasks"][0]["stand_in"] and laid["tasks"][0]["paper_task"] == "judge_oasst2"
    assert "the paper used pairwise judging, OASST2" in render(laid)


def test_tasks_that_the_paper_lacks_are_left_out() -> None:
    laid = beside({"rows": [row("my_task", "base", 0.5)], "comparisons": []})
    assert laid["tasks"] == [] and laid["findings"] == []
    assert "none of the paper's tasks" in render(laid)


@pytest.mark.parametrize(
    ("given", "low", "high", "expected"),
    [
        ("yes", 0.1, 0.3, "shows"),
        ("cannot_tell", -0.1, 0.2, "cannot_tell"),
        ("no", -0.3, -0.1, "contradicts"),
        ("cannot_tell", -0.3, -0.1, "contradicts"),
    ],
)
def test_a_gain_is_shown_only_by_its_claim(given: str, low: float, high: float, expected: str) -> None:
    board = gsm8k(claim("gsm8k", "base", "s2", "superior", given, low, high))
    assert verdict(board, "Chain of thought answers better") == expected


def test_a_gain_that_the_correction_takes_back_says_so() -> None:
    found = claim("gsm8k", "base", "s2", "superior", "cannot_tell", 0.05, 0.3, p_adjusted=0.137)
    whys = [finding["why"] for finding in beside(gsm8k(found))["findings"] if finding["compared"]]
    assert whys and all("p = .137 after Holm's correction" in why for why in whys)


def test_votes_stand_beside_a_run_that_took_votes() -> None:
    def systems(*variants: str) -> list[tuple[str, int]]:
        laid = beside({"rows": [row("gsm8k", name, 0.3) for name in variants], "comparisons": []})
        return [(found["system"], found["votes"]) for found in laid["tasks"][0]["rows"] if found["run_score"]]

    assert systems("base", "s2") == [("System 1 (8-shot, no CoT)", 1), ("System 2, CoT zero-shot", 1)]
    assert systems("s2-cot*5") == [("System 2, CoT zero-shot", 5)]
    assert systems("s2-cot_fewshot") == [("System 2, CoT 8-shot", 1)]


@pytest.mark.parametrize(
    ("given", "low", "high", "expected"),
    [
        ("cannot_tell", -0.04, 0.03, "shows"),
        ("no", -0.2, -0.1, "shows"),
        ("cannot_tell", -0.04, 0.08, "cannot_tell"),
        ("yes", 0.01, 0.04, "contradicts"),
    ],
)
def test_the_negative_result_needs_a_gain_ruled_out(
    given: str, low: float, high: float, expected: str
) -> None:
    board = gsm8k(claim("gsm8k", "base", "distilled", "superior", given, low, high))
    assert verdict(board, "does not work") == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.3, -0.1, "shows"), (0.1, 0.3, "contradicts"), (-0.1, 0.1, "cannot_tell")],
)
def test_staying_behind_is_read_from_the_interval(low: float, high: float, expected: str) -> None:
    board = gsm8k(claim("gsm8k", "s2", "distilled", "superior", "cannot_tell", low, high))
    assert verdict(board, "stays behind") == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("yes", "shows"), ("no", "contradicts"), ("cannot_tell", "cannot_tell")]
)
def test_cheapness_follows_its_claim(given: str, expected: str) -> None:
    ratio = {"token_ratio": 0.5, "token_ratio_low": 0.4, "token_ratio_high": 0.6}
    board = gsm8k(claim("gsm8k", "s2", "distilled", "cheaper", given, 0, 0, **ratio))
    assert verdict(board, "fewer tokens") == expected


def test_a_gain_over_the_teacher_is_read_from_non_inferiority_where_that_was_claimed() -> None:
    for low, high, expected in (
        (0.02, 0.3, "shows"),
        (-0.02, 0.3, "cannot_tell"),
        (-0.3, -0.1, "contradicts"),
    ):
        found = claim("last_letter", "s2", "distilled", "non_inferior", "yes", low, high)
        board = {"rows": [row("last_letter", "base", 0.3)], "comparisons": [found]}
        assert verdict(board, "better than its own System 2 teacher") == expected


def test_without_a_comparison_nothing_is_shown() -> None:
    assert {finding["verdict"] for finding in beside(gsm8k())["findings"]} == {"cannot_tell"}
    assert "distilled are not compared" in beside(gsm8k())["findings"][1]["why"]


def test_text_fits_a_terminal(tmp_path: Path) -> None:
    text = render(beside(build_run(tmp_path / "run", items=30)))
    assert max(map(len, text.splitlines())) <= 100
    assert LEGEND in " ".join(text.split())
    for word in ("shows", "cannot tell", "does not work"):
        assert word in text


def test_a_figure_appears_with_its_table_and_page_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = build_run(tmp_path / "run", items=30)
    text, html = render(beside(board)), render_page(tmp_path / "run", board, paper=True)
    assert "(paper: " not in text and "Table 1" not in text and "Table 1" not in html
    paper = published()
    row = next(each for each in paper["tasks"]["last_letter"]["rows"] if each["variant"] == "base")
    row["metrics"]["exact_match"] |= {"table": 1, "page": 5}
    monkeypatch.setattr("results.paper.published", lambda: paper)
    shown = "30.0 (Table 1, p. 5)"
    assert shown in render(beside(board))
    assert shown in render_page(tmp_path / "run", board, paper=True)
    assert render(beside(board)).count("(Table ") == 1, "nobody looked up the other figures"
