# make sweep   a first sweep on real digits     make check   format, lint, types, who imports whom
# make test    the tests                        make bench   speed against rivals, with MNIST, CIFAR-10
# make docs    the documentation         make linkcheck    its links to other places
# make clean   remove the virtual environment
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SPEC ?= quickstart

.PHONY: sweep test check bench docs linkcheck reproduce-report clean

sweep: $(VENV)/installed
	@$(BIN)/sweeps run $(SPEC)

# Tests of a file share fixtures, so they stay in one process. In order: the last files are short.
test: $(VENV)/installed
	@$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed
	@$(BIN)/python tests/benchmarks/speed.py
	@$(BIN)/python tests/benchmarks/gpu.py
	@$(BIN)/python tests/benchmarks/speed_table.py

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
	@echo "Installing into $(VENV): a few minutes, about 7 GB with CUDA."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[dev]"
# Compiled as pip would, but on every core; some files are for other versions of Python.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@
