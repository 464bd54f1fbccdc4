# What one does with this project. `make` alone lists it.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint check bench clean ruff format mypy imports

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv, with all that tests and checks need (nothing outside this folder)
	@scripts/setup dev

demo: ## a push that trains a model, from nothing, in under a minute; KEEP=1 leaves it running
	@scripts/demo

test: ## all tests, also those with a real Docker engine; ARGS='-k notes' for a part
	@scripts/test $(ARGS)

lint: ruff format mypy imports ## ruff, mypy and import-linter

ruff: setup
	$(BIN)/ruff check

format: setup
	$(BIN)/ruff format --check

mypy: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

check: lint test ## lint and test: what CI runs

bench: setup ## the measurements of benchmarks/, as a table
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove what the targets above made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist .demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@! docker image inspect windlass-demo:1 >/dev/null 2>&1 || docker rmi windlass-demo:1
