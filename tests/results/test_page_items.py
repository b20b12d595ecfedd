"""Which items the page holds, how two variants fared on each, and that long texts keep to the budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from results.page.chunks import SIZE, plan, write_chunks
from results.page.items import KINDS, chosen, kind_of, task_items
from results.page.latency import Wait
from results.page.scan import scan
from results.page.texts import embeddable


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


def kinds(scanned: dict[str, Any]) -> dict[str, str]:
    """Item -> how a and b fared on it."""
    left, right = scanned["a"].places, scanned["b"].places
    return {key[0]: kind_of(left[key], right[key]) for key in left.keys() & right.keys()}


def test_every_item_has_a_kind(tmp_path: Path) -> None:
    left = [row(0, 0, "x"), row(1, 1, "y"), row(2, 0, "x"), row(3, 1, "y"), row(4, 0.5, "u"), row(5, 1, "y")]
    left += [row(6, 0, "x"), row(7, 0.5, "u")]
    right = [row(0, 1, "y"), row(1, 0, "x"), row(2, 0, "z"), row(3, 1, "Y"), row(4, 0.5, "v"), row(5, 1, "y")]
    right += [row(6, 0, "x"), row(7, 0.5, "u")]
    found = kinds(scans(tmp_path, left, right))
    assert found == {
        "i0": "gained", "i1": "lost", "i2": "both_wrong", "i3": "both_right", "i4": "same_score",
        "i5": "agree_right", "i6": "agree_wrong", "i7": "agree_score",
    }  # fmt: skip
    assert set(found.values()) == set(KINDS)


def test_the_index_says_the_same_of_any_two_variants(tmp_path: Path) -> None:
    left = [row(0, 0, "x"), row(1, 1, "y"), row(2, 0, "x"), row(3, 1, "y"), row(4, 0, None)]
    right = [row(0, 1, "y"), row(1, 0, "x"), row(2, 0, "z"), row(3, 1, "y"), row(7, 0, "q")]
    scanned = scans(tmp_path, left, right)
    data = json.loads(task_items("t", scanned, [("a", "b")], 100_000).as_json())
    index = data["index"]
    assert data["variants"] == ["a", "b"] and len(index["id"]) == 6
    for place, name in enumerate(index["id"]):
        a, b = (index["answer"][side][place] for side in (0, 1))
        if name in ("i4", "i7"):
            assert -1 in (a, b), "a variant without the row is told"
        else:
            same = left[int(name[1:])]["answer"] == right[int(name[1:])]["answer"]
            assert (a == b) == same
    at = index["id"].index("i0")
    assert [index["score"][side][at] for side in (0, 1)] == [0, 1]


def test_rows_are_paired_by_item_seed_and_sample(tmp_path: Path) -> None:
    left = [row(0, 0, "x", seed=0), row(0, 1, "y", seed=1)]
    right = [row(0, 1, "y", seed=1), row(0, 0, "x", seed=0), row(7, 1, "y")]
    scanned = scans(tmp_path, left, right)
    keys = chosen(scanned["a"], scanned["b"])
    assert [key[1] for key in sorted(keys)] == [0, 1]
    assert {kind_of(scanned["a"].places[key], scanned["b"].places[key]) for key in keys} == {
        "agree_wrong",
        "agree_right",
    }


def test_rare_kinds_are_on_the_page_whole(tmp_path: Path) -> None:
    left = [row(n, 0, "x") for n in range(500)] + [row(500 + n, 1, "y") for n in range(20)]
    right = [row(n, 1, "y") for n in range(500)] + [row(500 + n, 0, "x") for n in range(20)]
    scanned = scans(tmp_path, left, right)
    numbers = [int(key[0][1:]) for key in chosen(scanned["a"], scanned["b"])]
    assert (sum(n >= 500 for n in numbers), len(numbers)) == (20, 200)


def test_the_order_of_the_file_does_not_choose_the_items(tmp_path: Path) -> None:
    left, right = [row(n, 0, "x") for n in range(300)], [row(n, 1, "y") for n in range(300)]
    first, again = (
        chosen(each["a"], each["b"])
        for each in (scans(tmp_path, left, right), scans(tmp_path, left[::-1], right[::-1]))
    )
    assert first == again
    assert any(int(key[0][1:]) >= 200 for key in first)


def test_long_texts_are_cut_in_the_middle_before_items_are_dropped(tmp_path: Path) -> None:
    left = [row(n, 0, "x", text="a" * 5000 + "END") for n in range(50)]
    right = [row(n, 1, "y") for n in range(50)]
    found = task_items("t", scans(tmp_path, left, right), [("a", "b")], budget=170_000)
    text = found.items[0]["variants"]["a"]["steps"][0][1]
    assert len(found.items) == 50
    assert text.endswith("END") and "characters left out" in text
    assert sum(len(embeddable(item)) for item in found.items) <= 170_000


def test_what_the_budget_leaves_out_stands_in_chunks_beside_the_page(tmp_path: Path) -> None:
    left, right = [row(n, 0, "x") for n in range(250)], [row(n, 1, "y") for n in range(250)]
    found = task_items("a/task", scans(tmp_path, left, right), [("a", "b")], budget=6000)
    assert 0 < len(found.items) < 100
    planned = plan(found, 3)
    assert planned.starts == list(range(len(found.items), 250, SIZE))
    (tmp_path / "leaderboard_items").mkdir()
    (tmp_path / "leaderboard_items" / "9-old-1.js").write_text("of an earlier page")
    written = write_chunks(tmp_path, [found])
    assert [path.name for path in written] == [f"0-a-task-{n}.js" for n in range(1, len(written) + 1)]
    assert sorted(path.name for path in (tmp_path / "leaderboard_items").iterdir()) == sorted(
        path.name for path in written
    )
    prompts = [item["prompt"] for item in found.items]
    for path in written:
        name, text = json.loads(f"[{path.read_text()[len('s2dItems(') : -3]}]")
        assert name == path.name
        prompts += [item["prompt"] for item in json.loads(text)]
    # Every text, once, in the order of the index.
    assert prompts == [f"p{key[0][1:]}" for key in found.keys] and len(set(prompts)) == 250


def test_a_scan_keeps_what_each_row_waits_for(tmp_path: Path) -> None:
    two_calls = row(1, 1, "y")
    two_calls["steps"] = two_calls["steps"] * 2
    found = scan(write(tmp_path / "a.jsonl", [row(0, 1, "y"), two_calls]), ["accuracy"])
    assert found.waits == [Wait(1, 2), Wait(2, 4)]


def test_a_response_that_is_no_step_is_kept(tmp_path: Path) -> None:
    left, right = [row(0, 0, "x", text="t")], [row(0, 1, "y", text="t", response="voted")]
    found = task_items("t", scans(tmp_path, left, right), [("a", "b")], budget=10_000)
    records = found.items[0]["variants"]
    assert "response" not in records["a"] and records["b"]["response"] == "voted"


def test_embedded_json_cannot_end_a_script_and_reads_back() -> None:
    text = "</script><!--\u2028&amp; \U0001f600"
    made = embeddable({"text": text})
    assert not set("<>&\u2028") & set(made)
    assert json.loads(made)["text"] == text
    assert json.loads(embeddable({"text": "half \ud83d"}))["text"] == "half ?"
