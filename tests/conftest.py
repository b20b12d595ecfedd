"""Options and fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", default="../shared/data", help="folder of public data; tests skip without it")


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of public data, which is not ours to ship."""
    folder = Path(str(request.config.getoption("--data")))
    if not folder.is_dir():
        pytest.skip(f"no public data in {folder}: name it with --data")
    return folder.resolve()
