# make sweep      a first sweep on real digits    make test       the tests
# make check      format, lint, types, imports    make bench      speed against rivals
# make simulate N=2000   sweeps under simulated faults, each from a seed
# make faults N=100      the same on real processes
# make cluster-up, cluster-sweep, cluster-down   a Ray cluster in containers, a sweep on it, its end
# make test-cluster      tests on such a cluster   (COMPOSE="docker compose", unless you name another)
# make docs       the documentation               make linkcheck  its links to other places
# make test-pages   the documentation's commands, pasted and run: ten minutes
# make install    install, and nothing else       make clean      remove the virtual environment
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SPEC ?= quickstart

unexport PYTHONDONTWRITEBYTECODE

.PHONY: install sweep test test-pages simulate faults cluster-up cluster-sweep cluster-down \
	test-cluster check bench docs linkcheck reproduce-report clean

install: $(VENV)/installed

sweep: $(VENV)/installed
	@$(BIN)/sweeps run $(SPEC)

# Tests of a file share fixtures, so they stay in one process. In order: the last files are short.
# One process more than cores: tests of sweeps wait for processes of their own most of the time.
# A thread that waits for another one lets go of its core, for the other one may need it.
test: $(VENV)/installed
	@OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n $$(($$(nproc) + 1)) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

N ?= 200
simulate: $(VENV)/installed
	@$(BIN)/python tests/simulation/simulated_sweep.py --seeds $(N)

faults: $(VENV)/installed
	@$(BIN)/python tests/faults/random_faults.py --faults $(N)

COMPOSE ?= docker compose
COMPOSE_WAIT ?= --wait # podman-compose has no such option
CLUSTER := $(COMPOSE) -f docker/compose.yaml

cluster-up:
	@$(CLUSTER) up -d --build $(COMPOSE_WAIT)

cluster-sweep:
	@$(CLUSTER) exec head sweeps run $(SPEC) --address auto

cluster-down:
	@$(CLUSTER) down

test-cluster: $(VENV)/installed
	@SWEEPS_TEST_CONTAINERS="$(COMPOSE)" $(BIN)/pytest tests/cluster/test_containers.py

check: $(VENV)/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed
	@$(BIN)/python tests/benchmarks/speed.py
	@$(BIN)/python tests/benchmarks/gpu.py
	@$(BIN)/python tests/benchmarks/speed_table.py

# Blocks of the tutorial and the how-to guides, pasted into a shell: they run real sweeps.
test-pages: $(VENV)/installed
	@SWEEPS_PAGES=1 $(BIN)/pytest tests/docs/test_pages_run.py tests/docs/test_slurm.py

docs: $(VENV)/installed
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

linkcheck: $(VENV)/installed
	@$(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/linkcheck

reproduce-report: $(VENV)/installed
	@$(BIN)/python -m reproduction.page

clean:
	rm -rf $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV): about 7 GB, most of it PyTorch with CUDA. Nothing is"
	@echo "installed elsewhere. pip shows its progress; the download takes the longest."
	@$(PYTHON) -m venv $(VENV)
# Not compiled: Python compiles what it imports, when it first does, which is a small part of it.
# So it has to be allowed to keep that, or each start would compile PyTorch anew.
	@$(BIN)/pip install --disable-pip-version-check --no-compile -c constraints.txt -e ".[dev]"
	@touch $@
	@echo "Installed. The first start takes some seconds longer than later ones."
