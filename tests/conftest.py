"""Options and fixtures that all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.models.source import ModelSource

if TYPE_CHECKING:
    from forked import Commands
    from kill_fixtures import Undisturbed

    from harness.lm.tasks import TaskData


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", default="../shared/data", help="folder of public data; tests skip without it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of vLLM are skipped where it is not installed."""
    if util.find_spec("vllm") is None:
        for item in items:
            if item.get_closest_marker("vllm"):
                item.add_marker(pytest.mark.skip(reason="vLLM is not installed: make vllm"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases the long form of fuzzing tried."""
    from fuzzing import COUNTS, LONG

    if LONG and COUNTS:
        terminalreporter.section("cases tried")
        for name, count in COUNTS.items():
            terminalreporter.write_line(f"{count:>9,}  {name}")
        terminalreporter.write_line(f"{sum(COUNTS.values()):>9,}  together")


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of public data, which is not ours to ship."""
    folder = Path(str(request.config.getoption("--data")))
    if not folder.is_dir():
        pytest.skip(f"no public data in {folder}: name it with --data")
    return folder.resolve()


@pytest.fixture
def heard_interrupts() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where a shell started the tests in the background."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random two-layer Llama (tests/fixtures/tiny_models.py)."""
    from tiny_models import save_model

    return save_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_adapter(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Folder of a random LoRA adapter for `tiny_model`."""
    from tiny_models import save_adapter

    return save_adapter(tmp_path_factory.mktemp("tiny") / "adapter", tiny_model)


@pytest.fixture(scope="session")
def tiny_source(tiny_model: Path) -> ModelSource:
    """`tiny_model` as the engines take it, in float32: there batch composition cannot change a text."""
    return ModelSource("tiny-random", str(tiny_model), dtype="float32")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for converted weights and checkpoints."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("S2D_CACHE", str(folder))
    return folder


@pytest.fixture
def sums(tmp_path: Path) -> TaskData:
    """The task of sums that a user would write."""
    from run_fixtures import own_task, write_task

    return own_task(write_task(tmp_path / "tasks"))


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The command in processes of its own that may be killed (tests/fixtures/forked.py)."""
    from forked import Commands

    with Commands() as server:
        yield server


@pytest.fixture(scope="session")
def undisturbed(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The small run of tests/fixtures/kill_fixtures.py that nothing happened to."""
    from kill_fixtures import ARGUMENTS, Undisturbed

    return Undisturbed.of(commands, tmp_path_factory.mktemp("undisturbed"), ARGUMENTS)
