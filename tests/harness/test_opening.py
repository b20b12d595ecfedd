"""How a run that ends early is told: stopped by a signal, or failed, whatever a library made of the error."""

from __future__ import annotations

import pytest

from harness.engines.hf.load import loading
from harness.errors import RunError, UserError
from harness.models.source import ModelSource
from harness.opening import _is_stop


def _raised_from(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_a_signal_is_found_under_the_errors_that_libraries_make_of_it() -> None:
    assert _is_stop(KeyboardInterrupt())
    assert _is_stop(_raised_from(ValueError("outer"), _raised_from(RuntimeError("inner"), SystemExit(143))))
    assert not _is_stop(_raised_from(ValueError("outer"), RuntimeError("inner")))
    assert not _is_stop(None)


@pytest.mark.timeout(10)
def test_a_chain_of_errors_with_a_circle_has_an_end() -> None:
    itself = ValueError("raised from itself")
    assert not _is_stop(_raised_from(itself, itself))
    first, second = ValueError("first"), ValueError("second")
    _raised_from(first, _raised_from(second, first))
    assert not _is_stop(first)


@pytest.mark.parametrize("kind", [UserError, RunError])
def test_our_own_error_passes_through_loading_without_becoming_its_own_cause(kind: type[Exception]) -> None:
    source = ModelSource("m", "m")
    with pytest.raises(kind) as caught, loading(source), loading(source):
        raise kind("one line")
    assert caught.value.__cause__ is None


def test_an_error_of_a_library_becomes_one_line_that_names_the_model() -> None:
    source = ModelSource("m", "m")
    said = "^--pretrained m could not be loaded: no such layer "
    with pytest.raises(UserError, match=said) as caught, loading(source), loading(source):
        raise RuntimeError("no such layer\nand a trace of it")
    assert isinstance(caught.value.__cause__, RuntimeError)
