# What can be done here, by name. Needed: Python 3.11 or newer, make, a package index.
# ARGS is handed on: make serve ARGS=--demo, make test ARGS="tests/core -x".

.DEFAULT_GOAL := help
.PHONY: help serve test check prove bench lock clean

ARGS =
WORKERS = 2
BIN = .venv/bin
CODE = src tests tools benchmarks
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(ARGS)

help: ## list these targets
	@sed -n 's/^\([a-z]*\): *## */  make \1 - /p' Makefile

serve: ## install what is needed to run, then run `oneflow serve`
	@sh tools/venv.sh serve
	@$(BIN)/oneflow serve $(ARGS)

test: ## run the whole suite
	@sh tools/venv.sh dev
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: ## format, lint, types, imports, dependencies, locks, prices, docs, tree, secrets
	@sh tools/venv.sh dev
	@sh tools/check.sh

prove: ## run the long proofs
	@sh tools/venv.sh dev
	@$(BIN)/pytest -m prove -n $(WORKERS) --timeout 3600 $(ARGS)

bench: ## measure speed, memory and start
	@sh tools/venv.sh dev
	@$(BIN)/python -m benchmarks.run $(ARGS)

lock: ## write the locks anew from pyproject.toml (ARGS=--upgrade for the newest versions)
	@sh tools/venv.sh dev
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) --group build --constraint requirements.txt --output-file requirements-build.txt
	@$(COMPILE) pyproject.toml --group dev --constraint requirements.txt --constraint requirements-build.txt --output-file requirements-dev.txt

clean: ## remove .venv, caches and builds
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find $(CODE) -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
