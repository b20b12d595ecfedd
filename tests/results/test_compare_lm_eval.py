"""`compare` on logs in lm-eval's form: direction, unit and items are those that lm-eval meant."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from log_files import digest, lm_eval_log

from results.compare import compare, render
from results.compare.metrics import Asked
from results.errors import ResultsError
from results.records.readers import lm_eval_rows
from results.records.readers.find import read_logs
from results.schema import Compared, Comparison

RNG = np.random.default_rng(0)
DRAWS = RNG.random((200, 2))
EASY = np.stack([DRAWS[:, 0] < 0.5, DRAWS[:, 1] < 0.75], axis=1)
"""Which of 200 documents each side has right: B is the better one."""
OTHER_TIME = "2026-01-02T00-00-00.000000"


def both(folder: Path, task: str, metrics: Any, better: dict[str, bool], **more: Any) -> tuple[Path, Path]:
    """Logs of A and B, whose rows are `metrics(right)`."""
    for side, name in enumerate("AB"):
        lm_eval_log(folder / name, task, [metrics(bool(right)) for right in EASY[:, side]], better, **more)
    return folder / "A", folder / "B"


def row(found: Compared, claim: str = "superior", metric: str | None = None) -> Comparison:
    return next(
        each
        for each in found["comparisons"]
        if each["claim"] == claim and (each["primary"] if metric is None else each["metric"] == metric)
    )


def test_rows_of_perplexity_are_log_likelihoods_in_nats(tmp_path: Path) -> None:
    a, b = both(
        tmp_path, "lambada", lambda ok: {"perplexity": -1.0 if ok else -4.0, "acc": int(ok)},
        {"perplexity": False, "acc": True},
    )  # fmt: skip
    found = compare(a, b)
    first = row(found)
    gain = 3 * (EASY[:, 1].mean() - EASY[:, 0].mean())
    assert (first["metric"], first["verdict"], first["unit"]) == ("perplexity,none", "yes", "nats")
    assert first["difference"] == pytest.approx(gain)
    assert f"{math.exp(-gain):.3g} times" in first["sentence"] and "points" not in first["sentence"]
    assert row(found, metric="acc,none")["verdict"] == "yes"
    # Nobody said by how much a log-likelihood may be worse, so nothing is called as good.
    assert [each["metric"] for each in found["comparisons"] if each["claim"] == "non_inferior"] == [
        "acc,none"
    ]


def test_perplexities_above_zero_are_no_log_likelihoods(tmp_path: Path) -> None:
    a, b = both(tmp_path, "own", lambda ok: {"perplexity": 5.0 if ok else 9.0}, {"perplexity": False})
    found = row(compare(a, b))
    assert (found["verdict"], found["direction"], found["unit"]) == ("yes", "lower", "")


@pytest.mark.parametrize("results", ["results_{time}.json", "x_{time}.json"])
@pytest.mark.parametrize("turned", [False, True])
def test_lower_is_better_in_either_naming_and_order(tmp_path: Path, results: str, turned: bool) -> None:
    a, b = both(
        tmp_path, "wer", lambda ok: {"my_wer": 0.2 if ok else 0.6}, {"my_wer": False}, results=results
    )
    found = row(compare(b, a) if turned else compare(a, b))
    assert found["verdict"] == ("no" if turned else "yes")


@pytest.mark.parametrize("lacks", ["A", "B"])
def test_the_direction_comes_from_either_side(tmp_path: Path, lacks: str) -> None:
    a, b = both(tmp_path, "wer", lambda ok: {"my_wer": 0.2 if ok else 0.6}, {"my_wer": False})
    next((tmp_path / lacks).glob("results_*.json")).unlink()
    found = compare(a, b)
    assert row(found)["verdict"] == "yes"
    assert any("only one side gives the direction of my_wer" in note for note in found["notes"])


def test_a_direction_that_nobody_says_gives_no_verdict_and_asks(tmp_path: Path) -> None:
    a, b = both(tmp_path, "cost", lambda ok: {"my_cost": 0.2 if ok else 0.6}, {}, results=None)
    found = compare(a, b)
    first = row(found)
    assert (first["verdict"], first["direction"]) == ("cannot_tell", "unknown")
    assert any("--lower-is-better my_cost" in note for note in found["notes"])
    assert {each["claim"] for each in found["comparisons"]} == {"superior"}
    told = row(compare(a, b, asked=Asked(directions={"my_cost": "lower"})))
    assert told["verdict"] == "yes"


def test_a_known_metric_needs_no_results_file_but_it_is_said(tmp_path: Path) -> None:
    a, b = both(tmp_path, "wer", lambda ok: {"wer": 0.2 if ok else 0.6}, {}, results=None)
    found = compare(a, b)
    assert row(found)["verdict"] == "yes"
    assert any("no results file with its time" in note for note in found["notes"])


def test_two_directions_are_refused(tmp_path: Path) -> None:
    rows = [{"score2": float(right)} for right in EASY[:, 0]]
    lm_eval_log(tmp_path / "A", "t", rows, {"score2": True})
    lm_eval_log(tmp_path / "B", "t", rows, {"score2": False})
    with pytest.raises(ResultsError, match=r"higher is better by .* but lower is better by"):
        compare(tmp_path / "A", tmp_path / "B")


def test_the_results_file_is_that_of_the_logs_own_time(tmp_path: Path) -> None:
    a, b = both(tmp_path, "wer", lambda ok: {"my_wer": 0.2 if ok else 0.6}, {"my_wer": False})
    for folder in (a, b):  # a newer run of another task, in which the same name means the opposite
        said = {"results": {}, "configs": {}, "higher_is_better": {"wer": {"my_wer": True}}}
        (folder / f"results_{OTHER_TIME}.json").write_text(json.dumps(said))
    assert row(compare(a, b))["verdict"] == "yes"


def test_rows_without_a_number_are_counted_and_turn_no_claim(tmp_path: Path) -> None:
    a, b = both(tmp_path, "nan", lambda ok: {"f": 1.0 if ok else float("nan")}, {"f": True})
    found = compare(a, b)
    better, as_good = row(found), row(found, "non_inferior")
    assert better["n"] == int((EASY[:, 0] & EASY[:, 1]).sum())
    assert better["without_number"] == {"a": int((~EASY[:, 0]).sum()), "b": int((~EASY[:, 1]).sum())}
    assert (as_good["verdict"], as_good["verdict_as_scored"]) == ("cannot_tell", "yes")
    assert as_good["turned_by_missing"] and "these could change that" in as_good["sentence"]
    assert "cannot tell (rows)" in " ".join(render(found).split())


@pytest.mark.parametrize(("value", "verdict"), [(float("inf"), "cannot_tell"), (9.0, "no"), (0.9, "yes")])
def test_an_infinite_cost_is_no_lost_row(tmp_path: Path, value: float, verdict: str) -> None:
    """B has an infinite cost on 61 rows and is cheaper on the others."""
    lm_eval_log(tmp_path / "A", "cost", [{"cost": 1.0}] * 200, {"cost": False})
    costs = [{"cost": 0.9 if number > 60 else value} for number in range(200)]
    lm_eval_log(tmp_path / "B", "cost", costs, {"cost": False})
    first = row(compare(tmp_path / "A", tmp_path / "B"))
    assert (
        first["without_number"]["b"] == (61 if value == float("inf") else 0) and first["verdict"] == verdict
    )
    if value == float("inf"):  # what the loser has infinite is truly bad
        assert row(compare(tmp_path / "B", tmp_path / "A"))["verdict"] == "cannot_tell"


def test_a_few_rows_without_a_number_leave_a_clear_verdict(tmp_path: Path) -> None:
    a, b = both(tmp_path, "acc", lambda ok: {"acc": float(ok)}, {"acc": True})
    text = (log := next(b.glob("samples_*"))).read_text().splitlines()
    text[0] = text[0].replace('"acc": 1.0', '"acc": NaN').replace('"acc": 0.0', '"acc": NaN')
    log.write_text("\n".join(text))
    first = row(compare(a, b))
    assert (first["verdict"], first["n"], first["without_number"]) == ("yes", 199, {"a": 0, "b": 1})


def test_a_metric_in_its_own_unit_is_not_in_points_and_takes_its_own_margin(tmp_path: Path) -> None:
    a, b = both(tmp_path, "bleu", lambda ok: {"bleu_max": 40.0 if ok else 36.0}, {"bleu_max": True})
    found = compare(a, b)
    first = row(found)
    gain = 4 * (EASY[:, 1].mean() - EASY[:, 0].mean())
    assert first["difference"] == pytest.approx(gain) and first["unit"] == ""
    assert f"{gain:+.4g}" in first["sentence"] and "points" not in first["sentence"]
    assert any("--margin bleu_max=" in note for note in found["notes"])
    asked = compare(a, b, asked=Asked(margins={"bleu_max": 0.5}))
    as_good = row(asked, "non_inferior")
    assert (as_good["margin"], as_good["verdict"]) == (0.5, "yes")
    assert "within 0.5:" in as_good["sentence"]


def test_values_of_0_and_100_are_no_shares(tmp_path: Path) -> None:
    a, b = both(tmp_path, "rouge", lambda ok: {"rouge1": 100.0 * ok}, {"rouge1": True})
    first = row(compare(a, b))
    assert first["unit"] == "" and first["difference"] == pytest.approx(
        100 * (EASY[:, 1] - EASY[:, 0] * 1.0).mean()
    )


def test_other_targets_are_refused_unless_allowed(tmp_path: Path) -> None:
    a, _ = both(tmp_path, "key", lambda ok: {"acc": float(ok)}, {"acc": True})
    rows = [{"acc": float(right)} for right in EASY[:, 1]]
    lm_eval_log(
        tmp_path / "C", "key", rows, change=lambda row: row | {"target_hash": digest(row["target"] + "x")}
    )
    with pytest.raises(ResultsError, match="200 of 200 paired rows have another target"):
        compare(a, tmp_path / "C")
    found = compare(a, tmp_path / "C", allow_other_targets=True)
    assert any("200 of 200 paired rows have another target (allowed)" in note for note in found["notes"])


def test_other_prompts_are_noted_with_their_count(tmp_path: Path) -> None:
    a, _ = both(tmp_path, "chat", lambda ok: {"acc": float(ok)}, {"acc": True})
    rows = [{"acc": float(right)} for right in EASY[:, 1]]
    lm_eval_log(
        tmp_path / "C", "chat", rows, {"acc": True},
        change=lambda row: row | ({"prompt_hash": digest(str(row["doc_id"]))} if row["doc_id"] < 150 else {}),
    )  # fmt: skip
    found = compare(a, tmp_path / "C")
    assert any("150 of 200 paired rows have another prompt" in note for note in found["notes"])
    assert row(found)["n"] == 200


def another_hash(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"doc_hash": digest(row["doc_hash"])}


def test_a_gained_column_makes_no_strangers(tmp_path: Path) -> None:
    a, b = both(tmp_path, "grown", lambda ok: {"acc": float(ok)}, {"acc": True})
    lm_eval_log(
        tmp_path / "C", "grown", [{"acc": float(r)} for r in EASY[:, 1]], {"acc": True}, change=another_hash
    )
    found, plain = compare(a, tmp_path / "C"), compare(a, b)
    assert any("200 rows were paired by prompt and target" in note for note in found["notes"])
    assert row(found)["p"] == row(plain)["p"] and row(found)["difference"] == row(plain)["difference"]


def test_rows_are_paired_by_number_where_prompt_and_document_changed_and_no_target_did(
    tmp_path: Path,
) -> None:
    a, b = both(tmp_path, "moved", lambda ok: {"acc": float(ok)}, {"acc": True})
    changed: Any = lambda row: another_hash(row) | {"prompt_hash": digest(f"new {row['doc_id']}")}  # noqa: E731
    lm_eval_log(
        tmp_path / "C", "moved", [{"acc": float(r)} for r in EASY[:, 1]], {"acc": True}, change=changed
    )
    found = compare(a, tmp_path / "C")
    assert any("paired by their number in the data set" in note for note in found["notes"])
    assert row(found)["difference"] == row(compare(a, b))["difference"]
    wrong: Any = lambda row: changed(row) | {"target_hash": digest(str(row["doc_id"] % 5))}  # noqa: E731
    lm_eval_log(tmp_path / "D", "moved", [{"acc": float(r)} for r in EASY[:, 1]], {"acc": True}, change=wrong)
    with pytest.raises(ResultsError, match="no item in common"):
        compare(a, tmp_path / "D")


def test_a_task_without_a_number_does_not_block_the_others(tmp_path: Path) -> None:
    a, b = both(tmp_path, "plain", lambda ok: {"acc": float(ok)}, {"acc": True})
    for folder in (a, b):
        lm_eval_log(folder, "predicted", [{}] * 5)
    found = compare(a, b)
    assert {each["task"] for each in found["comparisons"]} == {"plain"}
    assert any("predicted: no row" in note and "predict_only" in note for note in found["notes"])
    for side in "CD":
        lm_eval_log(tmp_path / side, "predicted", [{}] * 5)
    with pytest.raises(ResultsError, match="predict_only"):
        compare(tmp_path / "C", tmp_path / "D")


@pytest.fixture(scope="module")
def wikitext(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("wikitext")
    words = rng.integers(50, 400, 62)
    for name, each in (("A", 3.1), ("B", 3.0)):
        likely = -words * (each + rng.normal(0, 0.1, 62))
        rows = [
            {key: [float(ll), int(weight)] for key, weight in
             (("word_perplexity", w), ("byte_perplexity", 5 * w), ("bits_per_byte", 5 * w))}
            for ll, w in zip(likely, words, strict=True)
        ]  # fmt: skip
        lm_eval_log(folder / name, "wikitext", rows, dict.fromkeys(rows[0], False))
    return compare(folder / "A", folder / "B")


def test_weighted_perplexities_are_those_of_lm_eval(wikitext: Compared, tmp_path: Path) -> None:
    from lm_eval.api.metrics import bits_per_byte, weighted_perplexity

    file = Path(wikitext["read"][0]["a"].split(", ", 1)[1])
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for metric, figure in (("word_perplexity", weighted_perplexity), ("bits_per_byte", bits_per_byte)):
        found = row(wikitext, metric=f"{metric},none")
        assert found["score_a"] == pytest.approx(figure([each[metric] for each in rows]))
        assert (found["direction"], found["verdict"]) == ("lower", "yes")
        assert found["ci_low"] < found["difference"] < found["ci_high"] < 0
    assert "points" not in row(wikitext)["sentence"]


def test_f1_mcc_and_brier_scores_are_those_of_lm_eval(tmp_path: Path) -> None:
    from lm_eval.api.metrics import brier_score, f1_score, matthews_corrcoef

    rng = np.random.default_rng(5)
    for name, right in (("A", 0.6), ("B", 0.85)):
        rows = []
        for number in range(150):
            gold = number % 2
            said = gold if rng.random() < right else 1 - gold
            share = np.array([0.8, 0.2] if said == 0 else [0.2, 0.8])
            rows.append(
                {
                    "f1": [gold, said],
                    "mcc": [gold, said],
                    "brier_score": [gold, str(share)],
                    "acc": int(said == gold),
                }
            )
        lm_eval_log(
            tmp_path / name, "cola", rows, {"f1": True, "mcc": True, "brier_score": False, "acc": True}
        )
        if name == "A":
            first = rows
    found = compare(tmp_path / "A", tmp_path / "B")
    expected = {
        "f1": f1_score([each["f1"] for each in first]),
        "mcc": matthews_corrcoef([each["mcc"] for each in first]),
        "brier_score": brier_score(
            [(each["f1"][0], [0.8, 0.2] if each["f1"][1] == 0 else [0.2, 0.8]) for each in first]
        ),
    }
    for metric, value in expected.items():
        each = row(found, metric=f"{metric},none")
        assert each["score_a"] == pytest.approx(value), metric
        assert each["verdict"] == "yes", metric


def test_texts_of_bleu_are_passed_over_and_named(tmp_path: Path) -> None:
    a, b = both(
        tmp_path, "mt", lambda ok: {"bleu": ["a b c", "a b"], "acc": float(ok)}, {"bleu": True, "acc": True}
    )
    found = compare(a, b)
    assert {each["metric"] for each in found["comparisons"]} == {"acc,none"}
    assert any("bleu skipped" in note for note in found["notes"])


def test_a_folder_of_two_models_is_refused_and_they_are_listed(tmp_path: Path) -> None:
    a, _ = both(tmp_path, "t", lambda ok: {"acc": float(ok)}, {"acc": True})
    for name in ("one", "two"):
        lm_eval_log(tmp_path / "out" / f"org__{name}", "t", [{"acc": 1.0}] * 200, model=f"org/{name}")
    with pytest.raises(ResultsError, match=r"logs of 2 models .*org/one.*org/two.*name one"):
        compare(a, tmp_path / "out")


def test_the_newest_of_several_logs_is_read_and_named(tmp_path: Path) -> None:
    a, b = both(tmp_path, "t", lambda ok: {"acc": float(ok)}, {"acc": True})
    lm_eval_log(b, "t", [{"acc": 1.0}] * 5, {"acc": True}, time=OTHER_TIME)
    found = compare(a, b)
    assert row(found)["n"] == 5
    note = next(note for note in found["notes"] if "the newest of 2 logs" in note)
    assert OTHER_TIME in note and "2026-01-01" in note.split("not read:")[1]


def test_a_log_against_itself_says_so_and_models_name_the_sides(tmp_path: Path) -> None:
    file = lm_eval_log(tmp_path / "A", "t", [{"acc": 1.0}] * 50, {"acc": True}, model="org/model")
    found = compare(file, tmp_path / "A")
    assert "Both sides read the same file." in found["notes"]
    assert (found["a"], row(found)["a"], row(found)["b"]) == ("org/model", "A org/model", "B org/model")


def test_sides_without_a_common_metric_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name, chosen in (("A", ["strict-match"]), ("B", ["flexible-extract"])):
        lm_eval_log(
            tmp_path / name, "gsm8k", [{"exact_match": 1.0, "other_" + name: 1.0}] * 50, filters=chosen
        )
    with pytest.raises(ResultsError, match=r"share no metric.*strict-match.*flexible-extract"):
        compare(tmp_path / "A", tmp_path / "B")
    asked = Asked(same={"exact_match,strict-match": "exact_match,flexible-extract"})
    assert row(compare(tmp_path / "A", tmp_path / "B", asked=asked))["n"] == 50


def older(row: dict[str, Any]) -> dict[str, Any]:
    """A row of lm-eval 0.4.3 to 0.4.7: no filter, no list of metrics."""
    return {key: value for key, value in row.items() if key not in ("filter", "metrics")}


@pytest.mark.parametrize("hashes", [True, False])
def test_older_logs_are_read_with_both_filters(tmp_path: Path, hashes: bool) -> None:
    """Each document appears twice, once per filter; the log names no filter, and 0.4.0 wrote no hash."""
    a, b = both(
        tmp_path, "gsm8k", lambda ok: {"exact_match": float(ok)}, {"exact_match": True}, filters=("x", "y")
    )

    def change(row: dict[str, Any]) -> dict[str, Any]:
        lost = () if hashes else ("doc_hash", "prompt_hash", "target_hash")
        return {key: value for key, value in older(row).items() if key not in lost}

    names = {
        "results": {
            "gsm8k": {"alias": "g", "exact_match,x": 1, "exact_match_stderr,x": 1, "exact_match,y": 1}
        }
    }
    lm_eval_log(
        tmp_path / "C", "gsm8k", [{"exact_match": float(r)} for r in EASY[:, 1]], {"exact_match": True},
        filters=("x", "y"), change=change, more=names,
    )  # fmt: skip
    found, plain = compare(a, tmp_path / "C"), compare(a, b)
    assert any("older lm-eval" in note for note in found["notes"])
    for metric in ("exact_match,x", "exact_match,y"):
        assert row(found, metric=metric)["p"] == row(plain, metric=metric)["p"]
        assert row(found, metric=metric)["n"] == 200


def test_other_metrics_are_named_and_shown_on_demand(tmp_path: Path) -> None:
    a, b = both(
        tmp_path,
        "gsm8k",
        lambda ok: {"exact_match": float(ok)},
        {"exact_match": True},
        filters=("strict", "flexible"),
    )
    found = compare(a, b)
    text = " ".join(render(found).split())
    assert "Not shown: exact_match,flexible (--metrics all" in text
    every = render(found, every_metric=True)
    assert "flexible" in every and "Not shown" not in every
    assert max(map(len, every.splitlines())) <= 100
    # Both scores stand in the row.
    shares = [f"{100 * EASY[:, side].mean():.1f}" for side in (0, 1)]
    assert all(share in every for share in shares)


def test_methods_for_tokens_are_not_printed_where_there_are_none(tmp_path: Path) -> None:
    a, b = both(tmp_path, "t", lambda ok: {"acc": float(ok)}, {"acc": True})
    assert not any("tokens" in method["data"] for method in compare(a, b)["methods"])


def test_a_document_that_stands_twice_is_two_samples_of_one_item(tmp_path: Path) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"doc_hash": digest(str(row["doc_id"] // 2))}

    for side, name in enumerate("AB"):
        lm_eval_log(
            tmp_path / name, "t", [{"acc": float(r)} for r in EASY[:, side]], {"acc": True}, change=change
        )
    found = compare(tmp_path / "A", tmp_path / "B")
    assert found["left_out"][0]["paired"] == 200 and row(found)["n"] == 100


@pytest.mark.parametrize(
    "line", ['{"doc_id": 1', "[1]", '{"metrics": ["acc"], "acc": 1}', '{"doc_hash": "x", "metrics": [3]}']
)
def test_a_broken_log_is_an_error_that_names_the_line(tmp_path: Path, line: str) -> None:
    a, b = both(tmp_path, "t", lambda ok: {"acc": float(ok)}, {"acc": True})
    log = next(b.glob("samples_*"))
    log.write_text(log.read_text() + line + "\n")
    with pytest.raises(ResultsError, match=r"jsonl:201: "):
        compare(a, b)


def number_rows(row: dict[str, Any]) -> dict[str, Any]:
    """Scores of every kind that a log may hold, by the number of the row."""
    kinds = [1, True, 0.5, float("nan"), float("inf"), None, 10**30, 10**400, [0.25, 0.5], "text"]
    return row | {"acc": kinds[row["doc_id"] % len(kinds)]}


def every_other_lists_f1(row: dict[str, Any]) -> dict[str, Any]:
    more = {"metrics": ["f1", "acc"], "f1": [1, row["doc_id"] % 4 // 2]} if row["doc_id"] % 2 else {}
    return row | more


def texts(row: dict[str, Any]) -> dict[str, Any]:
    hashes = ["a" * 64, "a\nb", None, 7]
    return row | {
        "doc": {"item_id": f"i{row['doc_id']}"},
        "prompt_hash": hashes[row["doc_id"] % 4],
        "filtered_resps": [["caf\u00e9 \ud800"], [[-1.5, False]], ["x" * 300], None][row["doc_id"] % 4],
    }


def metric_of_another_name(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"metrics": ["acc", "doc_id", "target", "unknown"]}


@pytest.mark.parametrize(
    "change", [dict, number_rows, every_other_lists_f1, texts, metric_of_another_name, older],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_the_fast_parser_and_pythons_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    scores = [{"acc": float(right)} for right in EASY[:, 0]]
    path = lm_eval_log(tmp_path, "t", scores, {"acc": True}, filters=("x", "y"), change=change)
    (fast,) = read_logs(path)

    class Refuses:
        def __init__(self, kind: type) -> None: ...

        def decode(self, line: bytes) -> None:
            raise msgspec.DecodeError("refused")

        decode_lines = decode

    monkeypatch.setattr(msgspec.json, "Decoder", Refuses)
    (slow,) = read_logs(path)
    assert fast.records == slow.records and len(fast.records) == len(scores)
    assert fast.metrics == slow.metrics and fast.notes == slow.notes
    assert any(name.startswith("acc,") for record in fast.records for name in record.scores)


def test_the_fast_parser_reads_all_rows_of_a_plain_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's parser reads one row, from which the metrics are known, and rows with NaN."""
    asked: list[str] = []
    by_python = lm_eval_rows.row_of
    monkeypatch.setattr(
        lm_eval_rows, "row_of", lambda line, where: asked.append(where) or by_python(line, where)
    )
    scores = [{"acc": math.nan if number == 150 else float(right)} for number, right in enumerate(EASY[:, 0])]
    path = lm_eval_log(tmp_path, "t", scores, {"acc": True})
    (log,) = read_logs(path)
    assert asked == [f"{path}:1", f"{path}:151"]
    assert [record.item for record in log.records if record.scores["acc,none"] is None] == [
        digest(json.dumps({"question": "What is 150?"}, indent=2))
    ]
