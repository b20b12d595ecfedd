"""Options from the command line, from YAML and from a manifest; each bad value is one line that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.command.command_line import parse_options, run_parser
from harness.command.run import run
from harness.errors import UserError
from harness.options import NOT_COMPARED, RunOptions, key_values


def parsed(*arguments: str) -> RunOptions:
    return parse_options(run_parser("s2d-bench", "", ""), arguments)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a=1", {"a": 1}),
        ("a=1, b = x ,c=", {"a": 1, "b": "x", "c": ""}),
        ("rate=1e-4,share=0.5,n=-3", {"rate": 1e-4, "share": 0.5, "n": -3}),
        ("on=true,off=False", {"on": True, "off": False}),
        ("path=/a=b", {"path": "/a=b"}),
    ],
)
def test_pairs_are_read_with_their_types(text: str, values: dict[str, Any]) -> None:
    found = key_values(text, "--sampling")
    assert found == values
    assert [type(value) for value in found.values()] == [type(value) for value in values.values()]


@pytest.mark.parametrize("text", ["a", "a=1,b", "=1", " =1"])
def test_a_pair_without_name_or_value_is_named(text: str) -> None:
    with pytest.raises(UserError, match=f"--sampling {text}: write name=value"):
        key_values(text, "--sampling")


def test_options_survive_manifest_and_yaml() -> None:
    options = RunOptions(tasks=("gsm8k",), limit=3, sampling={"temperature": 0.5}, include_path=("a",))
    assert RunOptions.from_dict(json.loads(json.dumps(options.as_dict()))) == options
    assert RunOptions.from_dict(yaml.safe_load(yaml.safe_dump(options.as_dict()))) == options


def test_yaml_may_write_lists_and_pairs_as_the_command_line_does(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "models: [base, s2]\ntasks: gsm8k, coin_flip\ninclude-path: ./mine\n"
        "sampling: temperature=0.5,top_k=3\ntrain_args: {epochs: 2}\nlimit: 7\nrevision:\n"
    )
    options = parsed("--config", str(file))
    assert (options.models, options.tasks, options.include_path) == (
        "base,s2",
        ("gsm8k", "coin_flip"),
        ("./mine",),
    )
    assert (options.sampling, options.train_args) == ({"temperature": 0.5, "top_k": 3}, {"epochs": 2})
    assert (options.limit, options.revision) == (7, None)


def test_the_command_line_wins_over_yaml(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("limit: 7\nseed: 3\nmargin: 2\n")
    options = parsed("--config", str(file), "--limit", "9", "--seed", "0")
    assert (options.limit, options.seed, options.margin) == (9, 0, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("limits: 3", "'limits' is not known"),
        ("limit: many", "--limit 'many': give a whole number"),
        ("limit: true", "--limit True: give a whole number"),
        ("limit: 2.5", "--limit 2.5: give a whole number"),
        ("margin: wide", "--margin 'wide': give a number"),
        ("fresh: maybe", "--fresh 'maybe': give true or false"),
        ("tasks: 3", "--tasks 3: give a list"),
        ("revision: 1.5", "--revision 1.5: give text"),
        ("sampling: [a]", "--sampling ['a']: give"),
        ("sampling: a", "--sampling a: write name=value"),
        ("- a\n- b", "one `option: value` a line"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_config_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        parsed("--config", str(file))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pairs_of_a_repeated_option_are_merged(tmp_path: Path) -> None:
    words = ["--sampling", "temperature=0.5,top_p=0.9", "--sampling", "top_p=0.8"]
    parser = run_parser("s2d-bench", "", "")
    assert parse_options(parser, words).sampling == {"temperature": 0.5, "top_p": 0.8}


def test_a_tilde_in_a_configuration_is_expanded_as_by_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows").mkdir()
    (tmp_path / "c.yaml").write_text("\ufeffdata: ~/rows\npretrained: tiny\n")
    options = parse_options(run_parser("s2d-bench", "", ""), ["--config", str(tmp_path / "c.yaml")])
    assert options.data == str(tmp_path / "rows")


def test_a_config_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        parsed("--config", str(tmp_path / "none.yaml"))


def test_the_default_of_data_depends_on_the_model() -> None:
    assert parsed().data == "embedded"
    assert parsed("--pretrained", "org/model").data == "hub"
    assert parsed("--pretrained", "org/model", "--data", "embedded").data == "embedded"
    assert parsed("--engine", "scripted", "--pretrained", "org/model").data == "embedded"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"limit": 0}, "--limit 0"),
        ({"seeds": 0}, "--seeds 0"),
        ({"distill_inputs": -1}, "--distill-inputs -1"),
        ({"samples": 0}, "--samples 0"),
        ({"margin": 0.0}, "--margin 0"),
        ({"margin": 100.0}, "--margin 100"),
        ({"data": "nowhere"}, "--data nowhere"),
        ({"engine": "warp"}, "--engine warp"),
        ({"preset": "article"}, "--preset article"),
        ({"sampling": {"heat": 1}}, "--sampling heat"),
        ({"sampling": {"temperature": "hot"}}, "--sampling temperature=hot"),
        ({"sampling": {"max_tokens": 0}}, "--sampling max_tokens=0"),
        ({"sampling": {"top_k": -1}}, "--sampling top_k=-1"),
    ],
)
def test_impossible_values_stop_a_run_before_it_starts(
    more: dict[str, Any], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = RunOptions(**{"output": "run", "engine": "scripted", **more})
    with pytest.raises(UserError) as caught:
        run(options, "command")
    assert named in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_options_that_change_no_call_may_differ_when_a_run_goes_on() -> None:
    compared = set(RunOptions().compared())
    views = {"prices", "margin", "interval"}
    assert set(NOT_COMPARED) == {"output", "fresh", "dry_run", "push_to_hub", "base_url", *views}
    assert compared == set(RunOptions().as_dict()) - NOT_COMPARED
    assert {"seed", "sampling", "limit", "models", "allow_overlap"} <= compared
