"""Model folders, adapters and methods that cannot be used: exit status 2, and one line that says why.

They are made here from a good model or out of a few lines; all else that is wrong stands in bad_input.py.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from bad_input import COIN, RUN
from bad_input import HF as ON_HF
from test_bad_input import check
from test_end_to_end import run_command
from tiny_models import edit_json, save_adapter, save_model

from harness.programs import base
from harness.programs.base import method
from harness.types import Ask, Completion, Item, user

# Model folders and adapters

Build = Callable[[Path, Path], object]
"""Makes something of a copy of a good model, in its folder; the second folder is another model's adapter."""


def delete(*names: str) -> Build:
    return lambda model, _: [(model / name).unlink() for name in names]


def overwrite(name: str, content: str) -> Build:
    return lambda model, _: (model / name).write_text(content)


def cut(name: str) -> Build:
    return lambda model, _: (model / name).write_bytes((model / name).read_bytes()[:-400])


def pickled(model: Path, _: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def without_template(model: Path, _: Path) -> None:
    (model / "chat_template.jinja").unlink()


def custom_code(model: Path, _: Path) -> None:
    edit_json(model / "config.json", model_type="mine", auto_map={"AutoConfig": "code.Config"})
    (model / "code.py").write_text("raise SystemExit('the code of a model ran')\n")


def gguf_of_another_kind(model: Path, _: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(model / "odd.gguf", "no-such-architecture")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def adapter(change: Callable[[Path], object]) -> Build:
    def build(model: Path, other: Path) -> None:
        shutil.copytree(other, model.parent / "adapter")
        change(model.parent / "adapter")

    return build


def pickled_adapter(folder: Path) -> None:
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


HF = f"{ON_HF} --engine-args device=cpu --sampling max_tokens=1"
MODELS: dict[str, tuple[str, Build, tuple[str, ...]]] = {
    "a model that is not there": ("./none", lambda *_: None, ("./none", "give a model folder or a hub id")),
    "a model without a config": (
        "./m",
        delete("config.json"),
        ("m: it has no config.json", "name its folder"),
    ),
    "a model of pickles": ("./m", pickled, ("only pytorch_model.bin", "save the model as safetensors")),
    "a model without weights": ("./m", delete("model.safetensors"), ("no weights at all", "safetensors")),
    "a model with a torn config": ("./m", overwrite("config.json", "{"), ("./m", "give a hub id")),
    "a model whose config is a list": ("./m", overwrite("config.json", "[1]"), ("./m", "give a hub id")),
    "a model of an unknown kind": (
        "./m",
        overwrite("config.json", '{"model_type": "abacus"}'),
        ("./m", "give a hub id"),
    ),
    "a model with torn weights": ("./m", cut("model.safetensors"), ("./m", "give a hub id")),
    "a model with foreign weights": (
        "./m",
        overwrite("model.safetensors", "no tensors"),
        ("./m", "give a hub id"),
    ),
    "a model without a tokenizer": (
        "./m",
        delete("tokenizer.json", "tokenizer_config.json"),
        ("./m", "give a hub id"),
    ),
    "a model without a chat template": ("./m", without_template, ("no chat template", "instruction-tuned")),
    "a model with a broken chat template": (
        "./m",
        overwrite("chat_template.jinja", "{% for %}"),
        ("chat template", "fix tokenizer.chat_template"),
    ),
    "a model with a template that refuses": (
        "./m",
        overwrite("chat_template.jinja", "{{ raise_exception('no users') }}"),
        ("no users", "fix tokenizer.chat_template"),
    ),
    "a model with its own code": ("./m", custom_code, ("./m", "--trust-remote-code")),
    "a GGUF file that is not there": ("./m/none.gguf", lambda *_: None, ("none.gguf", "give the path")),
    "a GGUF file that is none": (
        "./m/x.gguf",
        overwrite("x.gguf", "GGUF no"),
        ("x.gguf", "safetensors folder"),
    ),
    "an empty GGUF file": ("./m/x.gguf", overwrite("x.gguf", ""), ("x.gguf", "safetensors folder")),
    "a GGUF file of another kind": ("./m/odd.gguf", gguf_of_another_kind, ("odd.gguf", "safetensors folder")),
    "a hub model that cannot be had": ("org/none", lambda *_: None, ("org/none", "give a hub id")),
    "a hub name that is none": ("a b/c d", lambda *_: None, ("a b/c d", "give a hub id")),
    "an adapter of another model": (
        "./m --models mine=./adapter",
        adapter(lambda folder: None),
        ("adapter", "belongs to another base model"),
    ),
    "an adapter of pickles": (
        "./m --models mine=./adapter",
        adapter(pickled_adapter),
        ("only adapter_model.bin", "save the adapter as safetensors"),
    ),
    "a torn adapter": (
        "./m --models mine=./adapter",
        adapter(lambda folder: (folder / "adapter_model.safetensors").write_text("no")),
        ("its weights are damaged", "make or fetch it again"),
    ),
    "an adapter that is not on the hub": (
        "./m --models mine=org/none",
        lambda *_: None,
        ("mine=org/none", "check the path"),
    ),
}


@pytest.fixture(scope="module")
def other_adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of a narrower model than `tiny_model`."""
    folder = tmp_path_factory.mktemp("other")
    return save_adapter(folder / "adapter", save_model(folder / "model", hidden=32))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that cannot be reached, without waiting for it."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_cannot_be_used_is_named(
    tmp_path: Path, tiny_model: Path, other_adapter: Path, name: str
) -> None:
    pretrained, build, says = MODELS[name]
    shutil.copytree(tiny_model, tmp_path / "m")
    build(tmp_path / "m", other_adapter)
    place, *more = shlex.split(pretrained) if "--" in pretrained else [pretrained]
    check(run_command(tmp_path, [*shlex.split(HF), "--pretrained", place, *more]), says)


# Methods


def yields(value: Any) -> Callable[[Item], Iterator[Any]]:
    def program(item: Item) -> Iterator[Any]:
        yield value
        return "Answer: yes"

    return program


def returns(value: Any) -> Callable[[Item], Iterator[Any]]:
    def program(item: Item) -> Iterator[Any]:
        yield Ask("first", [user("Is it?")])
        return value

    return program


ASK = Ask("first", [user("Is it?")])
METHODS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "a method that yields a number": (yields(7), ("yielded int", "yield an Ask")),
    "a method that yields a text": (yields("Is it?"), ("yielded str", "yield an Ask")),
    "a method that yields nothing": (yields([]), ("empty list", "at least one")),
    "a method that yields a message": (yields(user("Is it?")), ("yielded dict", "yield an Ask")),
    "a method without a step name": (yields(Ask("", [user("x")])), ("without a step name", "give it one")),
    "a method without messages": (yields(Ask("first", [])), ("step 'first'", "must be a non-empty list")),
    "a method with a message of numbers": (
        yields(Ask("first", [{"role": "user", "content": 5}])),  # type: ignore[dict-item]
        ("step 'first'", "with text in both"),
    ),
    "a method with one step twice": (yields([ASK, ASK]), ("'first', 'first'", "number them")),
    "a method with no token to say": (yields(Ask("first", [user("x")], 0)), ("max_tokens=0", "give a whole")),
    "a method with a stop of nothing": (
        yields(Ask("first", [user("x")], 9, ("",))),
        ("stop", "none of them"),
    ),
    "a method that returns nothing": (returns(None), ("returned NoneType", "return the response's text")),
    "a method that returns a completion": (
        returns(Completion("x", "stop", 1, 1)),
        ("returned Completion", "return the response's text"),
    ),
    "a method that is not a generator": (lambda item: "Answer: yes", ("returned str", "make it a generator")),
    "a method that takes no item": (lambda: iter(()), ("does not take", "correct the task's method_options")),
}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Registers a method as `wild`, for one test."""
    base.load_builtin()  # a module registers its methods once: not into a table that goes with this test
    monkeypatch.setattr(base, "_METHODS", dict(base._METHODS))
    return method("wild", "of a user", ("first",))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_yields_nonsense_is_named(
    tmp_path: Path, registered: Callable[[Callable[..., Any]], None], name: str
) -> None:
    program, says = METHODS[name]
    registered(program)
    check(run_command(tmp_path, shlex.split(f"{COIN} --models s2:wild")), ("Method wild", *says))


def test_a_method_that_raises_is_a_failure_of_its_item(
    tmp_path: Path, registered: Callable[[Callable[..., Any]], None]
) -> None:
    def program(item: Item) -> Iterator[Any]:
        reply = yield Ask("first", [user(item.prompt)])
        if len(item.prompt) % 2:
            raise LookupError("no such\nword")
        return reply.text

    registered(program)
    done = run_command(tmp_path, shlex.split(f"{RUN} --tasks coin_flip --limit 40 --models base,s2:wild"))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "run/samples/s2-wild/coin_flip.jsonl").open()]
    failed = [row for row in rows if row["failure"] == "error"]
    assert 0 < len(failed) < len(rows) == 40
    assert {row["error"] for row in failed} == {"the method raised LookupError: no such"}
    assert all(row["scores"]["accuracy"] == 0.0 for row in failed)
