"""Settings of a training: defaults, what is refused and how it is named, what a checkpoint's key holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.training.accelerate_config import SHIPPED, launch_command, launch_file, machines
from distill.training.settings import (
    DEFAULTS,
    SETTINGS,
    identity,
    in_effect,
    settings_help,
    training_settings,
)
from harness.errors import UserError


def test_defaults_are_those_that_the_published_numbers_were_made_with() -> None:
    first = {"epochs": 4, "learning_rate": 4e-4, "batch": 8, "rank": 16, "alpha": 32, "dropout": 0.0}
    rest = {"warmup": 0.1, "weight_decay": 0.0, "tuning": "lora", "validation": 0.0, "stop_on": "none"}
    settings = training_settings()
    assert {**settings, **first, **rest} == settings == DEFAULTS


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"speed": 9}, "speed: not known: there are epochs, learning_rate"),
        ({"epochs": "many"}, "epochs=many: give a number above 0"),
        ({"epochs": 0}, "epochs=0: give a number above 0"),
        ({"epochs": float("nan")}, "epochs=nan: give a number"),
        ({"epochs": True}, "epochs=true: give a number"),
        ({"learning_rate": -1e-4}, "learning_rate=-0.0001: give a number above 0"),
        ({"learning_rate": float("inf")}, "learning_rate=inf: give a number"),
        ({"batch": 0}, "batch=0: give a whole number of at least 1"),
        ({"batch": 2.5}, "batch=2.5: give a whole number of at least 1"),
        ({"rank": 0}, "rank=0: give a whole number"),
        ({"alpha": 0.5}, "alpha=0.5: give a whole number"),
        ({"dropout": 1}, "dropout=1: give a number of at least 0 and below 1"),
        ({"warmup": -1}, "warmup=-1: give a number of at least 0"),
        ({"weight_decay": "x"}, "weight_decay=x: give a number"),
        ({"tuning": "qlora"}, "tuning=qlora: give lora or full"),
        ({"max_steps": -5}, "max_steps=-5: give a whole number of at least 0"),
        ({"max_steps": 1.5}, "max_steps=1.5: give a whole number"),
        ({"validation": 1.0}, "validation=1.0: give a number of at least 0 and below 1"),
        ({"stop_on": "accuracy"}, "stop_on=accuracy: give none or answer or loss"),
        ({"stop_on": "answer"}, "stop_on=answer: nothing is held out to evaluate; add validation=0.1"),
        ({"patience": 0}, "patience=0: give a whole number of at least 1"),
        ({"save_steps": -1}, "save_steps=-1: give a whole number"),
        ({"max_length": "long"}, "max_length=long: give a whole number"),
        ({"gradient_checkpointing": 1}, "gradient_checkpointing=1: give true or false"),
        ({"gradient_accumulation": 0}, "gradient_accumulation=0: give a whole number"),
        ({"gradient_accumulation": 3}, "batch=8: give a multiple of gradient_accumulation=3"),
        ({"launch": "slurm"}, "launch=slurm: no such file; give ddp, fsdp or a file"),
        ({"launch": 2}, "launch=2: give a name or a file"),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_one_line_that_names_it(given: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError) as caught:
        training_settings(given)
    assert f"--train-args {named}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_later_layer_wins_and_full_tuning_has_a_rate_of_its_own() -> None:
    assert training_settings({"epochs": 2}, {"epochs": 3})["epochs"] == 3
    assert training_settings({"tuning": "full"})["learning_rate"] == 2e-5
    assert training_settings({"tuning": "full", "learning_rate": 1e-3})["learning_rate"] == 1e-3
    assert training_settings({"tuning": "full"}, {"tuning": "lora"})["learning_rate"] == 4e-4


def test_settings_that_do_not_change_what_is_learnt_are_not_in_the_key() -> None:
    plain = identity(training_settings())
    only_how = {"gradient_checkpointing": True, "gradient_accumulation": 2, "launch": "ddp"}
    assert identity(training_settings(only_how, {"save_steps": 5, "patience": 9})) == plain
    for changed in ({"epochs": 2}, {"tuning": "full"}, {"max_length": 99}, {"validation": 0.1}):
        assert identity(training_settings(changed)) != plain
    stopping = {"validation": 0.1, "stop_on": "loss"}
    assert identity(training_settings(stopping)) != identity(training_settings(stopping, {"save_steps": 5}))


def test_every_setting_has_a_line_of_help() -> None:
    lines = settings_help().splitlines()
    assert [line.split(" ")[0] for line in lines] == list(SETTINGS)
    assert "gradient_checkpointing (false): " in settings_help()


def test_a_launch_is_a_shipped_configuration_or_a_users_own(tmp_path: Path) -> None:
    assert launch_file("fsdp") == SHIPPED / "fsdp.yaml"
    assert machines("fsdp") == machines("ddp") == 1
    command = launch_command("ddp", Path("jobs.json"), devices=4)
    assert command[-3:] == ["-m", "distill.training.parent", "jobs.json"]
    assert command[command.index("--num_processes") + 1] == "4"
    own = tmp_path / "cluster.yaml"
    own.write_text("distributed_type: FSDP\nnum_machines: 2\nnum_processes: 16\n")
    assert machines(str(own)) == 2
    assert "--num_processes" not in launch_command(str(own), Path("jobs.json"), devices=8)
    own.write_text("just words")
    with pytest.raises(UserError, match="a configuration file of accelerate"):
        machines(str(own))


@pytest.mark.parametrize("name", ["ddp", "fsdp"])
def test_accelerate_reads_the_shipped_configurations(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(SHIPPED / f"{name}.yaml"))
    assert str(config.distributed_type).endswith({"ddp": "MULTI_GPU", "fsdp": "FSDP"}[name])
    assert config.num_processes == -1


def test_a_record_shows_what_a_training_uses() -> None:
    lora = in_effect(training_settings())
    assert (lora["rank"], lora["alpha"], lora["epochs"]) == (16, 32, 4)
    assert not {"patience", "stop_on", "shortest", "stages"} & lora.keys()
    full = in_effect(training_settings({"tuning": "full", "max_steps": 9}))
    assert not {"rank", "alpha", "epochs"} & full.keys() and full["learning_rate"] == 2e-5
    held = in_effect(training_settings({"validation": 0.1, "stop_on": "loss"}), ("stages",))
    assert {"patience", "stop_on", "stages"} <= held.keys() and "shortest" not in held
