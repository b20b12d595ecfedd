"""Costs: tokens, FLOPs and dollars of a leaderboard, break-even, price files, throughput beside its limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_fixtures import VARIANTS, FakeTask, FakeVariant, distillation, make_run

from results import hardware, leaderboard, load, tables
from results.errors import ResultsError


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
        FakeVariant("s2", 0.75, 10, "s2"),
        FakeVariant("distilled", 0.7, 40, "distilled"),
    ]
    board = leaderboard.build(make_run(tmp_path / "run", variants=variants, distillation=[distillation()]))
    assert board["distillation"][0]["break_even"]["tokens"] == {"value": None, "low": None, "high": None}
    assert "never in tokens" in tables.terminal(board)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("per_million_tokens: {prompt: 1, generated: 1}", "no date"),
        ("date: 2026-11-01\nper_million_tokens: {prompt: 1}", "generated is None"),
        ("date: 2026-11-01\nper_million_tokens: {prompt: -1, generated: 1}", "not negative"),
        ("date: 2026-11-01\ngpu_hour: {usd: 2, prompt_tokens_per_second: 9}", "generated_tokens_per_second"),
        ("date: [", "not valid YAML"),
        ("just text", "holds no keys"),
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


def test_throughput_stands_beside_the_limit_of_memory(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "run", timing={"base": 2.0}, hardware={"memory_bandwidth_gbs": 8}, variants=VARIANTS[:1]
    )
    lines = hardware.throughput_lines(load.load_run(folder))
    assert lines[0].startswith("base: ") and "tokens/s" in lines[0]
    # 8 GB/s over 1,000,000 parameters of 4 bytes.
    assert "2,000 tokens/s" in lines[1]
