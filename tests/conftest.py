"""Options and fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.models import ModelSource


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", default="../shared/data", help="folder of public data; tests skip without it")


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of public data, which is not ours to ship."""
    folder = Path(str(request.config.getoption("--data")))
    if not folder.is_dir():
        pytest.skip(f"no public data in {folder}: name it with --data")
    return folder.resolve()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random two-layer Llama (tests/tiny_models.py)."""
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
