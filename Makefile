# Leadline's one-word commands. `make help` lists them; `make ask` and `make test` need nothing before.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

Q ?=
DOCS ?= examples/corpus
export Q DOCS

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help ask test check soak bench bench-gate docs dist format lock clean servers

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ask: $(VENV)/base.stamp ## Set up and research two questions over examples/corpus; or Q="..." DOCS=FOLDER
	@BIN=$(BIN) scripts/ask

test: $(VENV)/dev.stamp servers ## Set up, install the servers the tests need, and run every test but the soak
	$(PYTEST) tests -m "not soak"

check: $(VENV)/dev.stamp ## Format, lint, types, import rules, dead code, dependencies, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/vulture
	$(BIN)/deptry src
	$(PYTEST) $(wildcard tests/unit tests/contract) -m "not (server or slow or soak)"

soak: $(VENV)/dev.stamp servers ## The long tests: crash tables, load, images, real model servers
	@scripts/install-test-servers tests/servers-soak.tsv
	@scripts/install-model-servers
	$(PYTEST) tests -m soak --timeout 1800

bench: $(VENV)/dev.stamp ## Measure, side by side with the comparison
	@for file in $(filter-out benchmarks/gate.py benchmarks/_%,$(wildcard benchmarks/*.py)); do \
		echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

bench-gate: $(VENV)/dev.stamp ## Measure, and fail where a ratio is 1.5 times worse than the recorded one
	$(BIN)/python benchmarks/gate.py

docs: $(VENV)/dev.stamp ## Build the documentation as a site into build/docs, and fail on what leads nowhere
	$(BIN)/mkdocs build --strict

dist: $(VENV)/dev.stamp ## Build and check the wheel, its bill of materials and licences in dist; TAG=v1.2.3 for a release
	$(BIN)/python scripts/release_check.py $(if $(TAG),--tag "$(TAG)")
	$(BIN)/python scripts/sbom.py

format: $(VENV)/dev.stamp ## Format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/dev.stamp ## Write requirements/*.lock anew from pyproject.toml
	BIN=$(BIN) scripts/lock

clean: ## Remove the environment, builds and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

servers:
	@scripts/install-test-servers

# ------------------------------------------------------------------------------------- environment

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Leadline needs Python 3.11 or newer; choose one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "No virtual environment; on Debian install it with: apt-get install python3-venv" >&2; \
			rm -rf $(VENV); exit 1; }

$(VENV)/base.stamp: requirements/base.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "Installing Leadline into $(VENV) ..." >&2
	@$(PIP) install -r requirements/base.lock -r requirements/build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/base.stamp
	@echo "Installing the development tools into $(VENV) ..." >&2
	@$(PIP) install --use-pep517 -r requirements/dev.lock
	@touch $@
