"""Methods in a user's file or an installed package: they run by their name, and a faulty one is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run_fixtures import write_task

from harness.command import cli
from harness.errors import UserError
from harness.programs import base, get_method, outside
from harness.variants import parse_variants

METHOD = '''"""Two calls."""

from harness.programs import Program, method
from harness.types import Ask, Item, user


@method("draft_then_answer", "drafts, then answers", steps=("draft", "respond"))
def draft_then_answer(item: Item) -> Program:
    draft = yield Ask("draft", [user(f"Draft: {item.question}")])
    answer = yield Ask("respond", [user(f"{item.prompt} Notes: {draft.text}")])
    return answer.text
'''
SCRIPT = """def respond(request, adapter):
    return "17 notes" if request.step == "draft" else "It is 4"
"""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """What a test registers is gone after it."""
    get_method("cot")  # those of this folder are imported once a process
    known, loaded = dict(base._METHODS), dict(outside._loaded)
    yield
    base._METHODS.clear()
    base._METHODS.update(known)
    outside._loaded.clear()
    outside._loaded.update(loaded)


def written(folder: Path, text: str = METHOD, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_method_in_a_file_runs_as_system_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = written(tmp_path, SCRIPT, "script.py")
    tasks = write_task(tmp_path / "tasks")
    words = [
        "--engine", "scripted", "--engine-args", f"script={script}", "--include-path", str(tasks),
        "--tasks", "sums", "--models", "base,s2:draft_then_answer", "--limit", "4",
        "--output", str(tmp_path / "run"), "--method-path", written(tmp_path),
    ]  # fmt: skip
    assert cli.main(words) == 0, capsys.readouterr().err
    file = tmp_path / "run/samples/s2-draft_then_answer/sums.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 4
    for row in rows:
        assert (row["method"], [step["name"] for step in row["steps"]]) == (
            "draft_then_answer", ["draft", "respond"],
        )  # fmt: skip
        assert row["steps"][1]["messages"][-1]["content"].endswith("Notes: 17 notes")


def test_a_file_that_was_changed_is_loaded_again(tmp_path: Path) -> None:
    file = written(tmp_path)
    outside.load_files([file, file])
    assert get_method("draft_then_answer").description == "drafts, then answers"
    outside.load_files([written(tmp_path, METHOD.replace("drafts, then", "writes, then"))])
    assert get_method("draft_then_answer").description == "writes, then answers"


def test_two_files_of_one_name_are_two(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", METHOD.replace("draft_then_answer", "other_way"))
    outside.load_files([written(tmp_path), other])
    assert parse_variants("base,s2:draft_then_answer,s2:other_way")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (METHOD.replace("return answer.text", "return answer.text)"), "line 11 raised SyntaxError"),
        (METHOD.replace("from harness.types import Ask, Item, user\n", ""), "raised NameError"),
        ('"""Nothing."""\n', "it registers no method: write @method"),
        (
            METHOD.replace('"draft_then_answer", "', '"cot", "'),
            "Method 'cot' is registered by harness.programs.cot",
        ),
        ("raise ValueError('first\\nsecond')", "line 1 raised ValueError: first second: correct the file"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text.replace("from __future__ import annotations\n", ""))
    with pytest.raises(UserError) as caught:
        outside.load_files([file])
    assert f"--method-path {file}: " in str(caught.value) and says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "says"), [("no.py", "No such file"), (".", "Is a directory")])
def test_a_path_without_a_file_is_named(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(UserError, match=rf"--method-path .*{says}"):
        outside.load_files([str(tmp_path / name)])
    with pytest.raises(UserError, match=r"its name must end in \.py"):
        outside.load_files([written(tmp_path, METHOD, "mine.txt")])


def test_an_installed_package_brings_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, METHOD.replace("draft_then_answer", "packed"), "s2d_packed_method.py")
    monkeypatch.syspath_prepend(str(tmp_path))

    def points(**asked: Any) -> list[Any]:
        assert asked == {"group": "s2d_bench.methods"}
        point = EntryPoint("packed", "s2d_packed_method", asked["group"])
        return [SimpleNamespace(name="packed", value=point.value, load=point.load, dist=None)]

    monkeypatch.setattr(outside, "entry_points", points)
    base.load_builtin.cache_clear()
    assert get_method("packed").steps == ("draft", "respond")
    (tmp_path / "s2d_broken_method.py").write_text("1 / 0\n")
    broken = EntryPoint("broken", "s2d_broken_method", outside.GROUP)
    monkeypatch.setattr(
        outside,
        "entry_points",
        lambda **_: [SimpleNamespace(name="broken", value=broken.value, load=broken.load, dist=None)],
    )
    base.load_builtin.cache_clear()
    with pytest.raises(UserError, match=r"entry point broken = s2d_broken_method .*ZeroDivisionError"):
        get_method("cot")


def test_ls_shows_a_file_s_methods(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", "methods", "--method-path", written(tmp_path)]) == 0
    assert "draft_then_answer" in capsys.readouterr().out
