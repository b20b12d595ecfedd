"""The engines as they are listed: what an entry names is there, and the command checks arguments with it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from test_end_to_end import last_line, run_command

from harness.engines import KINDS
from harness.engines.base import Engine
from harness.engines.vllm import install
from harness.errors import UserError


@pytest.mark.parametrize("name", KINDS)
def test_what_an_entry_names_is_there(name: str) -> None:
    """Entries name modules as text, so that a heavy one is imported only if it is used."""
    kind = KINDS[name]
    assert issubclass(getattr(import_module(kind.module), kind.class_name), Engine)
    with pytest.raises(UserError, match=r"nosuch|vLLM is not installed"):
        kind.check({"nosuch": 1})


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--engine-args", "max_num_seqs=8"]])
def test_a_command_without_vllm_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr(install, "is_installed", lambda: False)
    done = run_command(tmp_path, ["--engine", "vllm", "--tasks", "coin_flip", *more])
    assert done.returncode == 2 and "--engine vllm: vLLM is not installed; " in done.stderr
    assert last_line(done)["status"] == "bad_input"
    assert not list(tmp_path.glob("runs/*"))
