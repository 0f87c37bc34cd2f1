# Everything a developer or a first user needs. Wants GNU make and Python 3.11 or later with its venv module; the rest is
# installed into .venv, in the versions that constraints.txt names.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint style types contracts pages check docs bench build clean distclean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# The first is read by pip for the build's own requirements too; pip 25.3 and later want the second for these.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp holds the folder it was made in: an environment that was moved or copied is made anew.
PRODUCT := $(VENV)/.product
TOOLS := $(VENV)/.tools
ifneq ($(shell cat $(PRODUCT) 2>/dev/null),$(CURDIR))
.PHONY: $(PRODUCT)
endif

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(PRODUCT) ## three simulated nights with an attack in the third: detect it, write the report
	@$(BIN)/python -m tools.demo

test: lint check ## all quality gates, then the tests

lint: style types contracts pages ## style, types, import contracts, generated pages

style: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(TOOLS)
	$(BIN)/mypy

contracts: $(TOOLS)
	$(BIN)/lint-imports --no-logo

pages: $(TOOLS)
	$(BIN)/python -m tools.reference --check

check: $(TOOLS) ## the tests with branch coverage; ARGS="-k word" chooses some
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered $(ARGS)

docs: $(TOOLS) ## write docs/commands.md and docs/features.md from the code
	$(BIN)/python -m tools.reference

bench: $(PRODUCT) ## speed and memory of a generated night, as ratios; ARGS='--queries 1000000 --eighth'
	$(BIN)/python benchmarks/run.py $(ARGS)

build: $(TOOLS) ## the wheel and the source distribution, into dist/
	$(BIN)/python -m build

clean: ## remove what demo, tests and builds left; keep the environment
	rm -rf demo dist build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find detector tools tests migrations benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf $(VENV)

$(PRODUCT): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or later with venv was found;" \
		"on Debian: apt-get install python3-venv; or name one: make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@printf '%s\n' '$(CURDIR)' > $@

$(TOOLS): $(PRODUCT)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
