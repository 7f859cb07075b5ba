# Two commands do everything on a machine with python3 (3.11 or newer) and make:
#   make run     sets up .venv and runs the main job on the shipped sample; the results are in out/
#   make test    sets up .venv and passes all tests
# Set-up happens again only when pyproject.toml or constraints.txt changed.

PYTHON ?= python3
FILES ?= $(wildcard data/sample/*.root)
OUT ?= out
JOBS ?= auto
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: help run test lint docs clean

help:
	@sed -n 's/^#   make/make/p' Makefile
	@echo 'make lint    ruff and mypy alone'
	@echo 'make docs    the documentation, in docs/_build'
	@echo 'make clean   remove out/, caches and .venv'

run: .venv/installed
	$(BIN)/na64mu run $(FILES) -o $(OUT)

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 --dist loadfile

docs: .venv/installed-test
	$(BIN)/sphinx-build -W --keep-going docs docs/_build

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "na64mu needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1): name a newer one with make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	@touch $@

.venv/installed-test: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e '.[test]'
	@touch .venv/installed $@

clean:
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/na64mu.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
