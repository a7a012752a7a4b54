# `make` or `make help` lists the targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: setup demo up bench bench-report dashboard-picture chaos test lint types imports audit-dependencies pytest lock clean help

setup: ## install what is missing: .venv from the lock, RabbitMQ, wrk and Prometheus from the system's packages
	@deploy/local/setup.sh

demo: setup ## run the whole pipeline against the simulator and check that no event was lost
	@$(BIN)/python -m deploy.local demo

up: setup ## run the whole pipeline and stay up until Ctrl-C
	@$(BIN)/python -m deploy.local up

bench: setup ## measure the pipeline, into .run/bench.json (QUICK=1: roughly, in about two minutes; ONLY=analytics: that part)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY) --output .run/bench-$(ONLY).json)

bench-report: setup ## put the figures of the last whole make bench, and pictures of them, into docs/
	@$(BIN)/python -m benchmarks.report

dashboard-picture: setup ## draw docs/operations/dashboard.png from a real run
	@$(BIN)/python -m tests.support.draw_dashboard

chaos: setup ## break everything that can break, and account for every callback, into .run/chaos.json (QUICK=1: a few faults)
	@$(if $(QUICK),,$(BIN)/pytest --quiet -m long)
	@$(BIN)/python -m tests.chaos $(if $(QUICK),--quick)

test: setup lint types imports audit-dependencies pytest ## everything below, as CI does it

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

imports: setup ## who may import whom
	$(BIN)/lint-imports

audit-dependencies: setup ## ask an advisory service for known vulnerabilities of what we depend on, where one can be reached
	@$(BIN)/python -m deploy.local.dependencies

# In the order of the files: otherwise those with few tests, which are the slow ones, come last and wait for each other.
# Three at a time on two cores, because they wait for services and processes a third of the time.
pytest: setup ## all tests
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lock: ## resolve the dependencies again, into the lock files
	@command -v uv >/dev/null || { python3 -m venv .run/uv && .run/uv/bin/pip install --quiet uv; }
	PATH="$$PWD/.run/uv/bin:$$PATH" uv pip compile --quiet pyproject.toml --all-extras --group dev --generate-hashes --universal \
		--python-version 3.11 --no-header --output-file requirements-dev.lock
	PATH="$$PWD/.run/uv/bin:$$PATH" uv pip compile --quiet pyproject.toml --all-extras --generate-hashes --universal \
		--python-version 3.11 --no-header --constraints requirements-dev.lock --output-file requirements.lock
	@# Its head, a comment, stays.
	PATH="$$PWD/.run/uv/bin:$$PATH"; { sed '/^[^#]/,$$d' deploy/build-requirements.lock; \
		echo hatchling | uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header \
		--no-annotate -; } > .run/build.lock && mv .run/build.lock deploy/build-requirements.lock
	@if grep -n '://' requirements.lock requirements-dev.lock deploy/build-requirements.lock; then echo "a lock must name no address" >&2; exit 1; fi

clean: ## remove what the other targets have made
	rm -rf .venv .run dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
