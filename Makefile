.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test test-learning lint format bench bench-envs bench-logs bench-robot docs clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Make .venv with everything needed to train and develop

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
		echo "simshift needs Python 3.11; found: $$("$(PYTHON)" --version 2>&1 || echo none). Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train,dev]"
	@touch $@

demo: $(READY)  ## Train, adapt, export and run the servo arm, end to end
	$(BIN)/simshift demo

test: $(READY)  ## Run the fast tests
	$(BIN)/python -m pytest -n 2 -q -m "not learning and not slow"

test-learning: $(READY)  ## Run the tests that train, each beside its negative control
	$(BIN)/python -m pytest -q -m learning

lint: $(READY)  ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Apply the formatter and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## Run the main benchmark and write its results file
	$(BIN)/python -m benchmarks.main_job

bench-envs: $(READY)  ## Measure every robot's environment; PEERS=python of a venv with other libraries
	$(BIN)/python -m benchmarks.envs $(if $(PEERS),--peers $(PEERS))

bench-logs: $(READY)  ## Hold a simulation against recordings of the real machine; SIMSHIFT_REAL_LOGS=their folder
	$(BIN)/python -m benchmarks.real_logs

bench-robot: $(READY)  ## Measure what a bundle needs and does on the robot; RUN=, ROBUST= training runs of the servo arm
	$(BIN)/python -m benchmarks.on_robot --run $(RUN) --robust $(ROBUST)

docs: $(READY)  ## Regenerate docs/benchmarks.md and docs/headline.md from the results files
	$(BIN)/python -m benchmarks.page

clean:  ## Remove caches and build outputs (keeps .venv and runs)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
