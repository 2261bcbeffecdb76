# `make` alone lists the targets. Each creates the virtual environment that it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo
BENCH := .bench

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest days lint format accept pictures docs site bench fuzz mutants clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(VENV)/installed ## Plan, apply and plan again on the embedded Pipes
	@PATH="$(CURDIR)/$(BIN):$$PATH" DEMO="$(DEMO)" sh examples/demo.sh

test: $(VENV)/installed ## The whole suite
	rm -f .days
	RECONCILER_NOTE_DAYS="$(CURDIR)/.days" $(BIN)/python -m pytest -n auto

days: $(VENV)/installed ## What could feel the day, on four other days; SHARE=1 for the part that CI runs
	$(BIN)/python tests/shifted.py --noted .days $(if $(SHARE),--share)

lint: $(VENV)/installed ## Style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/installed ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

accept: $(VENV)/installed ## Rewrite what the tests expect; read the diff before you commit it
	RECONCILER_ACCEPT=1 $(BIN)/python -m pytest -n auto tests/plan tests/report tests/test_docs.py

pictures: $(VENV)/installed ## Draw the pictures of the README and the docs again
	$(BIN)/python docs/pictures/make.py

docs: $(VENV)/installed ## Rewrite outputs and generated parts in README and docs
	RECONCILER_ACCEPT=1 $(BIN)/python -m pytest tests/test_docs.py

site: $(VENV)/installed ## Build the docs as a site that needs no network, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

$(BENCH)/tried:
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check 'octodns>=1.10' || echo "octoDNS could not be installed"
	@touch $@

bench: $(VENV)/installed $(BENCH)/tried ## All benchmarks, with octoDNS and Terraform if available, pasted into the docs; twenty minutes
	$(BIN)/python benchmarks/paste.py

fuzz: $(VENV)/installed ## Mutate what the command reads for a minute; SECONDS=600 for longer, SEED=N for other cases
	$(BIN)/python tests/hostile/fuzz.py $(or $(SECONDS),60) $(or $(SEED),0)

# every dependency at the lower bound that pyproject.toml names; those of the dependencies are the newest that fit
.lowest/installed: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv .lowest
	.lowest/bin/python tests/lowest.py .lowest
	.lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint .lowest/constraints.txt --requirement .lowest/tools.txt --editable '.[sandbox,html]'
	@touch $@

test-lowest: .lowest/installed ## The whole suite with every dependency at its lower bound
	.lowest/bin/python -m pytest -n auto

.mutants/installed:
	$(PYTHON) -m venv .mutants/venv
	.mutants/venv/bin/python -m pip install --quiet --disable-pip-version-check 'cosmic-ray>=8.4'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .mutants/coverage 'coverage>=7.6'
	@touch $@

mutants: $(VENV)/installed .mutants/installed ## Mistakes in plans, safeguards, policies and the lock file that no test notices; hours, or SAMPLE=150 SEED=N
	PYTHONPATH="$(CURDIR)/.mutants/coverage" $(BIN)/python tests/mutants.py .mutants/venv/bin/python "$(SAMPLE)" "$(or $(SEED),0)"

clean: ## Remove what the targets created
	rm -rf $(VENV) .lowest .mutants $(DEMO) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .days .days.? dist build site
