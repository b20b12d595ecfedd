"""Which differing items the page shows, and that long texts and many items keep to the budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from results.page.items import compare, differing_items, embeddable, scan
from results.page.latency import Wait


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(
    number: int, score: float | None, answer: str | None, text: str = "t", seed: int = 0, **more: Any
) -> dict[str, Any]:
    step = {"name": "direct", "text": text, "prompt_tokens": 3, "cached_tokens": 1, "generated_tokens": 2}
    return {
        "item_id": f"i{number}", "seed": seed, "sample_index": 0, "prompt": f"p{number}", "target": "y",
        "scores": {"accuracy": score}, "answer": answer, "response": text, "failure": None,
        "usage": {"calls": 1, "prompt_tokens": 3, "cached_tokens": 1, "generated_tokens": 2},
        "steps": [step], **more,
    }  # fmt: skip


def scans(folder: Path, a: list[dict[str, Any]], b: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: scan(write(folder / f"{name}.jsonl", rows), ["accuracy"]) for name, rows in (("a", a), ("b", b))
    }


def test_kinds_of_difference(tmp_path: Path) -> None:
    left = [row(0, 0, "x"), row(1, 1, "y"), row(2, 0, "x"), row(3, 1, "y"), row(4, 0.5, "u"), row(5, 1, "y")]
    right = [row(0, 1, "y"), row(1, 0, "x"), row(2, 0, "z"), row(3, 1, "Y"), row(4, 0.5, "v"), row(5, 1, "y")]
    found = compare(scans(tmp_path, left, right), "a", "b")
    kinds = {key[0]: kind for key, kind in found.shown.items()}
    assert kinds == {"i0": "gained", "i1": "lost", "i2": "both_wrong", "i3": "both_right", "i4": "same_score"}
    assert found.compared == 6


def test_rows_are_paired_by_item_seed_and_sample(tmp_path: Path) -> None:
    left = [row(0, 0, "x", seed=0), row(0, 1, "y", seed=1)]
    right = [row(0, 1, "y", seed=1), row(0, 0, "x", seed=0), row(7, 1, "y")]
    found = compare(scans(tmp_path, left, right), "a", "b")
    assert (found.compared, found.counts) == (2, {})


def test_rare_kinds_are_shown_whole_and_all_are_counted(tmp_path: Path) -> None:
    left = [row(n, 0, "x") for n in range(500)] + [row(500 + n, 1, "y") for n in range(20)]
    right = [row(n, 1, "y") for n in range(500)] + [row(500 + n, 0, "x") for n in range(20)]
    found = compare(scans(tmp_path, left, right), "a", "b")
    shown = list(found.shown.values())
    assert (shown.count("lost"), shown.count("gained")) == (20, 180)
    assert found.counts == {"gained": 500, "lost": 20}


def test_the_order_of_the_file_does_not_choose_the_items(tmp_path: Path) -> None:
    left, right = [row(n, 0, "x") for n in range(300)], [row(n, 1, "y") for n in range(300)]
    first = compare(scans(tmp_path, left, right), "a", "b").shown
    again = compare(scans(tmp_path, left[::-1], right[::-1]), "a", "b").shown
    assert list(first) == list(again)
    assert any(int(key[0][1:]) >= 200 for key in first)


def test_long_texts_are_cut_in_the_middle_before_items_are_dropped(tmp_path: Path) -> None:
    left = [row(n, 0, "x", text="a" * 5000 + "END") for n in range(50)]
    right = [row(n, 1, "y") for n in range(50)]
    found = differing_items("t", scans(tmp_path, left, right), [("a", "b")], budget=170_000)
    text = next(iter(found.items.values()))["variants"]["a"]["steps"][0][1]
    assert len(found.items) == 50
    assert text.endswith("END") and "characters left out" in text
    assert len(found.as_json()) <= 170_000


def test_a_budget_too_small_for_all_shows_fewer_items_of_every_pair(tmp_path: Path) -> None:
    left, right = [row(n, 0, "x") for n in range(100)], [row(n, 1, "y") for n in range(100)]
    found = differing_items("t", scans(tmp_path, left, right), [("a", "b")], budget=6000)
    assert 0 < len(found.items) < 100
    assert set(found.pairs[0].shown) == set(found.items)
    assert found.pairs[0].counts == {"gained": 100}
    assert len(found.as_json().encode()) <= 6000 + 200


def test_a_scan_keeps_what_each_row_waits_for(tmp_path: Path) -> None:
    two_calls = row(1, 1, "y")
    two_calls["steps"] = two_calls["steps"] * 2
    found = scan(write(tmp_path / "a.jsonl", [row(0, 1, "y"), two_calls]), ["accuracy"])
    assert found.waits == [Wait(1, 2), Wait(2, 4)]


def test_a_response_that_is_no_step_is_kept(tmp_path: Path) -> None:
    left, right = [row(0, 0, "x", text="t")], [row(0, 1, "y", text="t", response="voted")]
    found = differing_items("t", scans(tmp_path, left, right), [("a", "b")], budget=10_000)
    records = next(iter(found.items.values()))["variants"]
    assert "response" not in records["a"] and records["b"]["response"] == "voted"


def test_embedded_json_cannot_end_a_script_and_reads_back() -> None:
    text = "</script><!--\u2028&amp; \U0001f600"
    made = embeddable({"text": text})
    assert not set("<>&\u2028") & set(made)
    assert json.loads(made)["text"] == text
    assert json.loads(embeddable({"text": "half \ud83d"}))["text"] == "half ?"
