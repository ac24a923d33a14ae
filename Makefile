# Everything below makes its own .venv from hashed pins. Only python3 (3.11 to 3.13) with pip is assumed.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
STAMP   = $(VENV)/.installed
PYTEST  = $(BIN)/python -m pytest
# One more than there are cores: many tests wait for real time, sockets and processes.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-alone test-long test-pooled bench bench-brief check format openapi docs docs-tables pins clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/develop.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/develop.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## make .venv

demo: $(STAMP) ## watch the product work, in under a minute
	@$(BIN)/evse-status demo

serve: $(STAMP) ## run the service on an embedded database in this folder
	@$(BIN)/evse-status serve

test: $(STAMP) ## every test but the long soaks; ARGS="tests/unit -k stock" for some of them
	$(PYTEST) -n $(WORKERS) -m "not long" $(ARGS)

test-alone: $(STAMP) ## the failed tests of the last run again, one at a time on a machine that does nothing else
	$(BIN)/python -m tests.alone

test-long: $(STAMP) ## the long soaks
	$(PYTEST) -m long

test-pooled: $(STAMP) ## the tests on PostgreSQL, through a proxy that pools transactions
	$(PYTEST) -n auto -m "not long" -k "not sqlite" --pooled tests/integration tests/e2e

bench: $(STAMP) ## measure the speed beside what this machine can do and beside others; ARGS="--only 1,4"
	@$(BIN)/python -m benchmarks $(ARGS)

bench-brief: $(STAMP) ## run a little of each benchmark to see that all of it works, 2 to 4 minutes; no figure is kept
	@$(BIN)/python -m benchmarks --brief $(ARGS)

check: $(STAMP) ## what CI checks: style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(STAMP) ## write openapi/openapi.json anew
	$(BIN)/evse-status openapi > openapi/openapi.json

docs: $(STAMP) ## the documentation as a site, in build/site
	@$(BIN)/python -m tests.documentation.site build

docs-tables: $(STAMP) ## write the tables of the documentation anew, from the code
	$(BIN)/python -m tests.documentation.tables
	$(BIN)/python -m tests.operations_tables

pins: ## compile requirements/*.in into hashed pins (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links requirements/runtime.in -o requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links -c requirements/runtime.txt requirements/develop.in -o requirements/develop.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links requirements/build.in -o requirements/build.txt

clean: ## throw away what was made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
