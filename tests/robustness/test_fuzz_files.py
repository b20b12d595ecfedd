"""Readers of files: whatever a file holds, it is read, or refused by one of our own errors in one line.

Each target starts from a good file and alters it: bytes are lost, put in and written over, or one value of
the document becomes any other. More cases: `make fuzz` (tests/fixtures/fuzzing.py).
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import JSON, LONG, TARGETS, altered, damaged, fuzz
from good_files import (
    CONFIG,
    FACTS,
    LAUNCH,
    LOG,
    MANIFEST,
    MARK,
    PRICES,
    ROWS,
    RULES,
    TASK_FILE,
    as_json,
    as_lines,
    as_yaml,
    good_checkpoint,
    good_store,
)  # fmt: skip
from hypothesis import strategies as st
from log_files import as_alpaca_eval, as_evalscope, as_fastchat, as_helm, as_inspect
from results_fixtures import FakeTask, distillation, make_run
from run_fixtures import DATA, TASK
from test_fuzz_texts import TEXT_TARGETS

from distill.checkpoint import read_record
from distill.training.accelerate_config import launch_command, machines
from distill.training.resume import last_whole, made_by
from harness.command.command_line import parse_options, run_parser
from harness.errors import RunError, UserError, one_line
from harness.folder import RunFolder
from harness.options import RunOptions
from harness.store import CallStore
from results import compare
from results.analysis import leaderboard
from results.analysis.prices import load_prices
from results.errors import ResultsError
from results.page import build as page
from results.page import scan as differences
from results.policy import read_policy
from results.records.manifest import read_manifest
from results.records.readers import find
from results.tables import csv_file, latex
from results.tables import render as tables
from tasks import registry
from tasks.errors import TaskError
from tasks.trivia_bias import generate

OURS = (UserError, RunError, TaskError, ResultsError)
Read = Callable[[Path], Any]
"""Reads what lies in a folder."""


def read_config(folder: Path) -> None:
    parse_options(run_parser("s2d-bench", "", ""), ["--config", str(folder / "file")]).check()


def read_launch(folder: Path) -> None:
    machines(str(folder / "file"))
    launch_command(str(folder / "file"), folder / "jobs.json", 1)


def read_logs(folder: Path) -> None:
    (folder / "file").replace(folder / "samples_math_2026-01-01T00.jsonl")
    find.read_logs(folder)
    if LONG:
        compare.compare(folder, folder)


def read_task(folder: Path) -> None:
    (folder / "file").replace(folder / "mine.yaml")
    registry.check_folder(folder)


def read_mark(folder: Path) -> None:
    found = last_whole(folder)
    assert found is None or math.isfinite(sum(found.totals.values()))
    assert made_by(folder / "checkpoint-5") is None


def read_run(folder: Path) -> None:
    """Tables of a run; the page too in the long form, since it takes a third of a second."""
    board = leaderboard.build(folder)
    for make in (tables.terminal, tables.markdown, latex.latex, csv_file.csv_text):
        make(board).encode()
    json.dumps(board, allow_nan=False, ensure_ascii=False).encode()
    differences.scan_run(folder, read_manifest(folder))
    if LONG:
        page.render_page(folder, board).encode()


def resume(folder: Path) -> None:
    (folder / "file").replace(folder / "manifest.json")
    RunFolder.open(RunOptions(output=str(folder)), "s2d-bench").close()


def read_store(folder: Path) -> None:
    store = CallStore(folder / "file")
    try:
        store.lookup([f"key-{number}" for number in range(9)])
        store.with_ids([f"key-{number}" for number in range(9)])
        store.count()
    finally:
        store.close()


@st.composite
def data_folders(draw: st.DrawFn) -> tuple[str, dict[str, bytes]]:
    """A task and its files, one of which has an odd row or odd bytes."""
    task = draw(st.sampled_from(sorted(ROWS)))
    files = {f"{name}.jsonl": as_lines(rows) for name, rows in ROWS[task][1].items()}
    name = draw(st.sampled_from(sorted(files)))
    files[name] = draw(rows_of(ROWS[task][1][name.removesuffix(".jsonl")]))
    return task, files


def read_data(folder: Path, case: tuple[str, dict[str, bytes]]) -> None:
    task, files = case
    for name, content in files.items():
        write(folder / name, content)
    ROWS[task][0](data=str(folder))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def either(document: Any, dump: Callable[[Any], bytes]) -> st.SearchStrategy[bytes]:
    """The bytes of a document: altered in a value, damaged, or of any other value."""
    return altered(document).map(dump) | damaged(dump(document)) | JSON.map(dump)


def rows_of(rows: list[Any]) -> st.SearchStrategy[bytes]:
    """The bytes of a file of rows: altered in a value, or damaged."""
    changed = altered(rows).map(lambda value: as_lines(value if isinstance(value, list) else [value]))
    return changed | damaged(as_lines(rows))


def run_files(folder: Path) -> st.SearchStrategy[dict[str, bytes]]:
    """A run of which the manifest or a samples file is altered."""
    run = make_run(folder / "run", [FakeTask(clusters=10)], distillation=[distillation()])
    manifest = (run / "manifest.json").read_bytes()
    samples = "samples/s2/coin_flip.jsonl"
    lines = [json.loads(line) for line in (run / samples).read_bytes().splitlines()]
    changed = st.fixed_dictionaries({"manifest.json": either(json.loads(manifest), as_json)})
    return changed | st.fixed_dictionaries({samples: rows_of(lines)})


Target = tuple[Callable[[Path, Any], None], st.SearchStrategy[Any]]


def one_file(read: Read, inputs: st.SearchStrategy[bytes], name: str = "file") -> Target:
    """A target whose reader gets a folder with one file of that name."""

    def check(folder: Path, content: bytes) -> None:
        write(folder / name, content)
        read(folder)

    return check, inputs


def other_logs(folder: Path) -> Target:
    """Logs of other harnesses than lm-eval, altered or damaged; each is read, and compared with itself."""
    scores = [1.0, 0.0, None, 1.0]
    parts = []
    for make in (as_inspect, as_helm, as_alpaca_eval, as_evalscope, as_fastchat):
        (log,) = find.read_logs(make(folder / make.__name__, "m", scores))
        name = log.path.relative_to(folder / make.__name__).as_posix()
        text = log.path.read_text()
        if log.path.suffix == ".jsonl":
            changed = rows_of([json.loads(line) for line in text.splitlines()])
        else:
            changed = either(json.loads(text), as_json)
        parts.append(st.tuples(st.just(name), changed))
    table = [
        {"item": f"q{n}", "accuracy": n % 2, "generated_tokens": 4 + n, "cluster": "c"} for n in range(6)
    ]
    parts.append(st.tuples(st.just("scores.jsonl"), rows_of(table)))
    parts.append(
        st.tuples(st.just("scores.csv"), damaged(b"item,accuracy,sample\nq1,1,0\nq2,,1\nq3,nan,2\n"))
    )

    def check(place: Path, named: tuple[str, bytes]) -> None:
        write(place / named[0], named[1])
        find.read_logs(place / named[0])
        if LONG:
            compare.compare(place / named[0], place / named[0])

    return check, st.one_of(parts)


def make_targets(folder: Path) -> dict[str, Target]:
    """Every reader of files, with inputs for it; good files are made in `folder`."""
    run_inputs = run_files(folder)

    def check_run(place: Path, files: dict[str, bytes]) -> None:
        for path in (folder / "run").rglob("*.json*"):
            name = path.relative_to(folder / "run").as_posix()
            write(place / name, files.get(name, path.read_bytes()))
        read_run(place)

    prices = either(PRICES[0], as_yaml) | either(PRICES[1], as_yaml)
    rules = damaged("\n".join(RULES).encode()) | either(RULES, as_yaml)
    return {
        "configuration": one_file(read_config, either(CONFIG, as_yaml)),
        "prices": one_file(lambda place: load_prices(place / "file"), prices),
        "policies": one_file(lambda place: read_policy(place / "file"), rules),
        "launch files": one_file(read_launch, either(LAUNCH, as_yaml)),
        "tables of facts": one_file(lambda place: generate.facts(place / "file"), either(FACTS, as_json)),
        "logs of lm-eval": one_file(read_logs, rows_of(LOG)),
        "logs of other harnesses": other_logs(folder / "logs"),
        "task files": one_file(read_task, damaged(TASK_FILE) | JSON.map(as_yaml)),
        "manifests": one_file(resume, either(MANIFEST, as_json)),
        "call stores": one_file(read_store, damaged(good_store(folder))),
        "checkpoint records": one_file(
            read_record, either(json.loads(good_checkpoint(folder)), as_json), "s2d.json"
        ),
        "marks of a trainer's checkpoints": one_file(
            read_mark, either(MARK, as_json), "checkpoint-5/whole.json"
        ),
        "runs": (check_run, run_inputs),
        "rows of data": (read_data, data_folders()),
    }  # fmt: skip


NAMES = (
    "configuration", "prices", "policies", "launch files", "tables of facts", "logs of lm-eval",
    "logs of other harnesses", "task files",
    "manifests", "call stores", "checkpoint records", "marks of a trainer's checkpoints", "runs",
    "rows of data",
)  # fmt: skip
SHORT = {"runs": 15}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_any_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    targets = make_targets(tmp_path)
    assert tuple(targets) == NAMES and len(NAMES) + len(TEXT_TARGETS) == TARGETS
    check, inputs = targets[name]
    numbers = iter(range(10**9))

    def in_a_folder(value: Any) -> None:
        place = tmp_path / str(next(numbers))
        place.mkdir()
        try:
            check(place, value)
        except OURS as error:
            assert str(error) and len(one_line(error).splitlines()) == 1
        finally:
            shutil.rmtree(place)

    fuzz(name, in_a_folder, inputs, SHORT.get(name, 25))


def test_a_data_function_is_never_run_by_reading_a_task_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TASK.format(name="sums", train="train", output_type="generate_until"))
    (tmp_path / "data.py").write_text(DATA + "\nraise SystemExit('it ran')\n")
    assert registry.check_folder(tmp_path) == ["sums"]
