"""Costs: tokens, FLOPs and dollars of a leaderboard, break-even, price files, throughput beside its limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, make_run

from results import hardware
from results.analysis import leaderboard
from results.errors import ResultsError
from results.page import build as page
from results.records import load
from results.tables import render as tables
from results.tables import write


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", [FakeTask()], distillation=[distillation()])


def test_costs_follow_from_tokens_parameters_and_prices(run: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "date: 2026-11-01\nper_million_tokens: {prompt: 1, cached: 0.1, generated: 10, train: 2}\n"
    )
    board = leaderboard.build(run, prices=prices)
    row = next(row for row in board["rows"] if row["variant"] == "s2")
    spent = row["prompt_tokens"] + row["generated_tokens"]
    assert row["flops_per_item"] == pytest.approx(2 * 1_000_000 * spent)
    usd = row["prompt_tokens"] * 1e-6 + row["generated_tokens"] * 1e-5
    assert row["usd_per_1k_items"] == pytest.approx(1000 * usd)
    assert row["usd_per_correct"] == pytest.approx(usd / row["score"])
    assert row["tokens_per_correct"] == pytest.approx(row["generated_tokens"] / row["score"])
    other = next(row for row in board["rows"] if row["variant"] == "distilled")
    paid = board["distillation"][0]["break_even"]
    saving = row["generated_tokens"] - other["generated_tokens"]
    assert paid["tokens"]["value"] == pytest.approx((100_000 + 20_000) / saving)
    assert paid["tokens"]["low"] < paid["tokens"]["value"] < paid["tokens"]["high"]
    flops = row["flops_per_item"] - other["flops_per_item"]
    assert paid["flops"]["value"] == pytest.approx((6e11 + 3e11) / flops)
    dollars = (row["usd_per_1k_items"] - other["usd_per_1k_items"]) / 1000
    assert paid["usd"]["value"] == pytest.approx((0.05 + 1.0 + 0.04) / dollars)


def test_break_even_is_never_where_nothing_is_saved(tmp_path: Path) -> None:
    variants = [
        VARIANTS[0],
        FakeVariant("s2", 0.75, 10, "s2", "rar_2step"),
        FakeVariant("distilled", 0.7, 40, "distilled"),
    ]
    board = leaderboard.build(make_run(tmp_path / "run", variants=variants, distillation=[distillation()]))
    assert board["distillation"][0]["break_even"]["tokens"] == {"value": None, "low": None, "high": None}
    assert "never" in tables.terminal(board).split("Break-even: ")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("per_million_tokens: {prompt: 1, generated: 1}", "`date` is missing"),
        ("date: 2026-11-01\nper_million_tokens: {prompt: 1}", "`generated` is missing"),
        ("date: 2026-11-01\nper_million_tokens: {prompt: -1, generated: 1}", "0 or more"),
        (
            "date: 2026-11-01\ngpu_hour: {usd: 2, prompt_tokens_per_second: 9}",
            "`generated_tokens_per_second` is missing",
        ),
        ("date: [", "not valid YAML"),
        ("just text", "has no keys"),
    ],
)
def test_bad_price_files_are_named(run: Path, tmp_path: Path, text: str, message: str) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(text)
    with pytest.raises(ResultsError, match=message) as caught:
        leaderboard.build(run, prices=prices)
    assert "prices.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_gpu_hour_prices_follow_from_throughput(run: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "date: 2026-11-01\n"
        "gpu_hour: {usd: 3.6, prompt_tokens_per_second: 1000, generated_tokens_per_second: 10}\n"
    )
    row = leaderboard.build(run, prices=prices)["rows"][0]
    expected = row["prompt_tokens"] * 1e-6 + row["generated_tokens"] * 1e-4
    assert row["usd_per_1k_items"] == pytest.approx(1000 * expected)


TIMED = {
    "timing": {"base": 2.0, "s2": 10.5, "distilled": 30.0, "total": 43.25},
    "execution": {
        "seconds": 40.0, "generated_tokens": 8_000, "prompt_tokens": 12_000, "decode_rows": 9_000,
        "useful_decode_share": 0.875,
    },
}  # fmt: skip


def test_time_stands_beside_the_limit_of_the_hardware(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", hardware={"memory_bandwidth_gbs": 8}, **TIMED)
    phases, engine, limit = hardware.time_lines(load.read_manifest(folder))
    assert phases == (
        "Time of the last session: 43.2 s (base 2.0 s, s2 10.5 s, distilled 30.0 s); distilled "
        "variants include teacher and training."
    )
    assert "8,000 tokens generated and 12,000 prompt tokens read in 40.0 s, 200 generated tokens/s" in engine
    # 2 FLOP x 1,000,000 parameters x 20,000 tokens in 40 s.
    assert " 1 GFLOP/s" in engine and "87.5 % of the rows" in engine
    # 8 GB/s over 1,000,000 parameters of 4 bytes.
    assert "2,000 tokens/s for one sequence" in limit


def test_time_that_nobody_measured_is_not_invented(tmp_path: Path) -> None:
    assert hardware.time_lines(load.read_manifest(make_run(tmp_path / "run"))) == []
    without = load.read_manifest(make_run(tmp_path / "other", **TIMED))
    assert len(hardware.time_lines(without)) == 2, "no bandwidth, no limit"


def test_no_wall_clock_figure_enters_a_table(tmp_path: Path) -> None:
    texts = []
    for name, changed in (("one", {}), ("two", TIMED)):
        folder = make_run(tmp_path / name, run="same", distillation=[distillation()], **changed)
        board = leaderboard.build(folder)
        write.write_all(folder, board)
        page.write_page(folder, board)
        texts.append({path.name: path.read_bytes() for path in folder.glob("leaderboard.*")})
    assert len(texts[0]) == 5
    assert texts[0] == texts[1]
