"""Price files: the example works, errors name the key, and a run keeps the prices of its tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from results_fixtures import distillation, make_run
from test_end_to_end import last_line, run_command

from results.analysis import leaderboard
from results.analysis.prices import EXAMPLE, load_prices
from results.errors import ResultsError
from results.page.build import write_page
from results.tables import write


@pytest.fixture
def priced(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "run", distillation=[distillation()])
    (tmp_path / "prices.yaml").write_text(EXAMPLE)
    write.write_all(folder, leaderboard.build(folder, prices=tmp_path / "prices.yaml"))
    return folder


def test_the_command_prints_an_example_and_nothing_else(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["prices", "--example"])
    assert (done.returncode, done.stdout) == (0, EXAMPLE)
    (tmp_path / "p.yaml").write_text(done.stdout)
    checked = run_command(tmp_path, ["prices", "p.yaml"])
    assert checked.returncode == 0 and "generated            0.6000" in checked.stdout
    assert last_line(checked)["prices"]["per_million_tokens"]["train"] == 1.5


def test_the_other_block_of_the_example_works_too(tmp_path: Path) -> None:
    head, _, rest = EXAMPLE.partition("# A vendor")
    hours = rest[rest.index("# gpu_hour:") :].replace("\n# ", "\n").removeprefix("# ")
    (tmp_path / "p.yaml").write_text(head + hours)
    prices = load_prices(tmp_path / "p.yaml")
    assert prices.generated == pytest.approx(2.5 / 3600 / 2500 * 1e6) and prices.cached == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prompt: 1\ngenerated: 2", "`date`"),
        ("date: 2026-11-01", "`per_million_tokens` or `gpu_hour`"),
        ("date: 2026-11-01\nper_million_tokens: {generated: 2}", "`prompt`"),
        ("date: 2026-11-01\ngpu_hour: {prompt_tokens_per_second: 2}", "`usd`"),
        ("date: 2026-11-01\ngpu_hour: {usd: 2}", "`prompt_tokens_per_second`"),
        ("date: 2026-11-01\ngpu_hour: 3", "its keys are usd, prompt_tokens_per_second"),
        ("date: 2026-11-01\ntiny: {prompt: 1}", "key 'tiny' is unknown: use"),
    ],
)
def test_an_error_names_the_missing_key_and_the_example(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ResultsError) as caught:
        load_prices(tmp_path / "p.yaml")
    assert named in str(caught.value) and "s2d-bench prices --example" in str(caught.value)


def test_prices_of_nothing_are_refused_in_one_line(tmp_path: Path) -> None:
    done = run_command(tmp_path, ["prices"])
    assert done.returncode == 2 and "--example" in done.stderr and done.stderr.count("\n") == 1


def test_report_keeps_the_prices_of_the_run(priced: Path) -> None:
    before = {name: (priced / name).read_bytes() for name in ("leaderboard.json", "leaderboard.md")}
    (priced.parent / "prices.yaml").unlink()
    board = leaderboard.build(priced)
    assert board["prices"] is not None and board["rows"][0]["usd_per_1k_items"] > 0
    write.write_all(priced, board)
    write_page(priced, board)
    assert {name: (priced / name).read_bytes() for name in before} == before


def test_other_prices_replace_them(priced: Path) -> None:
    (priced.parent / "dear.yaml").write_text("date: 2027-01-01\nprompt: 20\ngenerated: 60")
    board = leaderboard.build(priced, prices=priced.parent / "dear.yaml")
    assert board["prices"] == {
        "date": "2027-01-01", "file": "dear.yaml",
        "per_million_tokens": {"prompt": 20.0, "cached": 20.0, "generated": 60.0, "train": None},
    }  # fmt: skip


def test_tables_of_an_older_version_name_a_file_that_is_read_again(priced: Path) -> None:
    path = priced / "leaderboard.json"
    board = json.loads(path.read_text())
    del board["prices"]["per_million_tokens"]
    path.write_text(json.dumps(board))
    assert leaderboard.build(priced)["prices"] is None, "the options do not name the file"
    manifest = json.loads((priced / "manifest.json").read_text())
    manifest["options"]["prices"] = str(priced.parent / "prices.yaml")
    (priced / "manifest.json").write_text(json.dumps(manifest))
    assert leaderboard.build(priced)["rows"][0]["usd_per_1k_items"] > 0


@pytest.mark.parametrize(
    "prices",
    ["{", '{"prices": 3}', '{"prices": {"per_million_tokens": {"prompt": "x"}}}', "[]",
     '{"prices": {"per_million_tokens": {"prompt": -1, "cached": 0, "generated": 0, "train": null}}}',
     '{"prices": {"per_million_tokens": {"prompt": 1, "cached": NaN, "generated": 0, "train": null}}}'],
)  # fmt: skip
def test_damaged_tables_have_no_prices_and_are_made_again(priced: Path, prices: str) -> None:
    (priced / "leaderboard.json").write_text(prices)
    assert leaderboard.build(priced)["prices"] is None
    shutil.rmtree(priced / "leaderboard_items", ignore_errors=True)
