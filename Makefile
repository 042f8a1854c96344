# The one door: every command of the project, the same here and in CI.
# Settings come from the environment or .env: DATABASE_URL names the target database.

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
export Q SEED ARGS CATEGORY TITLE TAGS

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(MAKEFILE_LIST))

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' \
	| while IFS='|' read -r command what; do printf '%-18s %s\n' "$$command" "$$what"; done

setup: .venv/.installed  ## install what running needs into .venv
dev-setup: .venv/.installed-dev  ## install what tests and linters need, too

.venv/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv"
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

fixtures: setup  ## compile seeds/ into api/fixtures/seed_traces.json
	@$(RUN) tools.build_fixtures $$ARGS

new: dev-setup  ## start a seed: asks for CATEGORY, TITLE and TAGS unless they are given
	@$(RUN) tools.new_seed $$ARGS

check: dev-setup  ## check the seeds against every rule, all or SEED=path
	@$(RUN) tools.check $$ARGS -- $$SEED

hooks:  ## check changed seeds before every commit
	@git config core.hooksPath .githooks

seed: setup  ## compile, migrate the embedded database, import (DATABASE_URL: into that target)
	@$(RUN) tools.build_fixtures
	@$(RUN) tools.import_seeds $$ARGS

migrate: setup  ## bring the target's tables up to date
	@$(RUN) app.migrate

embed: setup  ## compute the embeddings that are missing
	@$(RUN) app.worker.embedding_worker --drain

search: setup  ## search the traces: make search Q="react hooks useState"
	@$(RUN) app.search_cli -- "$$Q"

serve: dev-setup  ## serve pages and API on http://127.0.0.1:8000, with the seeds as they are on disk
	@$(RUN) tools.serve $$ARGS

prove-setup: setup  ## install what proofs run on into .proofs
	@$(RUN) tools.prove --setup

prove-images: prove-setup  ## have the Docker base images that proofs build on
	@$(RUN) tools.prove --images

prove-machine:  ## make a Debian machine ready for every proof: packages, Docker engine, images
	@tools/proofs/machine.sh
	@$(MAKE) --no-print-directory prove-images

pins:  ## pin the newest versions of what proofs run on
	@tools/proofs/renew-pins.sh tools/proofs

constraints:  ## pin the newest versions of what the project itself is made of
	@tools/proofs/renew-pins.sh .

prove: dev-setup prove-setup  ## run the proofs, all or SEED=path (a file or a folder)
	@$(RUN) tools.prove $$ARGS -- $$SEED

test: dev-setup  ## run the tests
	@$(BIN)/pytest -n auto --dist loadfile $$ARGS

eval: dev-setup  ## measure how often search finds the right trace first
	@$(RUN) evaluation $$ARGS

bench: dev-setup  ## measure build, import, embedding and search against named rivals
	@$(RUN) bench $$ARGS

lint: dev-setup  ## check format, style, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: dev-setup  ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## remove what was generated: environments, caches, the embedded database
	rm -rf .venv .data .cache .proofs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
