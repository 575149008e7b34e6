# Everything a newcomer needs; `make` alone lists it.
PYTHON ?= $(shell python3.11 -c 'import sys; print(sys.executable)' 2>/dev/null || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Rewritten when requirements.txt is newer: a second `make run` installs nothing and starts at once.
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test lint bench pack clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; found: $$($(PYTHON) --version 2>&1). Set PYTHON=/path/to/python3.11."; exit 2; }
	@echo "Installing requirements.txt into $(VENV) (a few minutes; only now and when it changes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $(STAMP)

run: $(STAMP) ## Start the study app with the embedded models on http://localhost:8501
	$(BIN)/python -m study_app serve $(ARGS)

# Files side by side, one a core: each test keeps to one thread, so that they do not get into each other's way.
test: $(STAMP) ## Run the tests (ARGS="-k photo" picks some, ARGS="-n 0 --pdb" one after another)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## Measure first words, four pictures and memory beside a plain diffusers loop
	$(BIN)/python -m benchmarks.generation $(ARGS)

pack: $(STAMP) ## Train the embedded pack of small models on drawn skin (hours on one core)
	$(BIN)/python -m pipeline train pack $(ARGS)

clean: ## Remove the virtual environment and the tools' caches (never data/)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
