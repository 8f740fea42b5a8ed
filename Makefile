# make run    the main job, on real data           make test      the tests
# make check  lint, types, import contracts, tests make test-all  also what is marked long (nightly)
# make bench  measurements against peers          make docs      the documentation site, in site/
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
# Compiled once and kept: every test process, and every process that a test begins, would compile anew.
unexport PYTHONDONTWRITEBYTECODE

# make readme the README's verdict and pictures, from a run
.PHONY: run test test-all check lint types contracts bench docs readme clean install

install: $(STAMP)

# qpth's metadata predates today's setuptools and pins numpy<2, which it does not need: installed alone, built with an older setuptools.
$(STAMP): pyproject.toml constraints.txt build-constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	PIP_CONSTRAINT=build-constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'qpth>=0.0.18'
	$(BIN)/python -m compileall -q barriers lem_safe
	touch $(STAMP)

run: $(STAMP)
	$(BIN)/lem-safe run impossible_tumours

test: $(STAMP)
	$(BIN)/python tests/gate.py $(GATE)

test-all: $(STAMP)
	$(BIN)/python tests/gate.py --long $(GATE)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

check: lint types contracts test

bench: $(STAMP)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.quality --table

docs: $(STAMP)
	$(BIN)/python -m documentation

readme: $(STAMP)
	$(BIN)/python -m benchmarks.readme

clean:
	rm -rf $(VENV) runs build site .pytest_cache .mypy_cache .ruff_cache
