# Two commands do everything on a machine with python3 (3.11 or newer) and make:
#   make run     sets up .venv and runs the main job on the shipped sample; the results are in out/
#   make test    sets up .venv and passes all tests
# Set-up happens again only when pyproject.toml or constraints.txt changed, or when the folder was moved.

PYTHON ?= python3
FILES ?= $(wildcard data/sample/*.root)
OUT ?= out
JOBS ?= auto
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PYTEST := -m pytest -n $(JOBS) --maxprocesses 8 --dist loadfile

# An environment knows its packages; what the shell of a user adds (another ROOT, `pip install --user`) stays out of it.
unexport PYTHONPATH PYTHONHOME
export PIP_USER := 0
export PYTHONNOUSERSITE := 1

# An environment does not survive a move of its folder.
ifneq ($(wildcard .venv/location),)
ifneq ($(shell cat .venv/location),$(CURDIR))
$(info .venv was made in another folder; it is made again)
$(shell rm -rf .venv)
endif
endif

.PHONY: help run test lint docs check-pins smoke newest oldest dist clean

help:
	@sed -n 's/^#   make/make/p' Makefile
	@echo 'make lint        ruff, mypy and the workflows alone'
	@echo 'make docs        the documentation, in docs/_build'
	@echo 'make check-pins  resolves constraints.txt for every supported Python, without installing'
	@echo 'make smoke       PYTHON=...: installs from the pins in a fresh environment, compares the sample bit for bit; PACKAGE=dist/...'
	@echo 'make newest      PYTHON=...: passes all tests with the newest release of every dependency'
	@echo 'make oldest      PYTHON=...: passes all tests with the oldest releases that pyproject.toml allows'
	@echo 'make dist        wheel and source distribution, in dist/'
	@echo 'make clean       remove out/, caches and environments'

run: .venv/installed
	$(BIN)/python -m na64mu run $(FILES) -o $(OUT)

test: lint
	$(BIN)/python $(PYTEST)

docs: .venv/installed-test
	$(BIN)/python -m sphinx -W --keep-going docs docs/_build

lint: .venv/installed-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

check-pins: .venv/installed-test
	$(BIN)/python .ci/check_pins.py

smoke:
	$(PYTHON) .ci/smoke.py $(PACKAGE)

newest oldest: .venv/installed-test
	$(BIN)/python .ci/resolved_environment.py $@ "$(PYTHON)" .venv-$@
	.venv-$@/bin/python $(PYTEST)

dist: .venv/installed-test
	$(BIN)/python -m uv build --quiet --out-dir dist

.venv/bin/python:
	@$(PYTHON) .ci/make_environment.py .venv
	@printf '%s' '$(CURDIR)' > .venv/location

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -c constraints.txt -e .
	@touch $@

.venv/installed-test: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -c constraints.txt -e '.[test]'
	@touch .venv/installed $@

clean:
	rm -rf .venv .venv-newest .venv-oldest .smoke out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/na64mu.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
