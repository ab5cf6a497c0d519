# The only vocabulary of this project: people, hooks and CI call the same words.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Landed and its tests start many processes; without kept bytecode each compiles hundreds of modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run cases up test proof check format schema messages bench chaos kills mutation screenshots docs lock clean
.DEFAULT_GOAL := help

help: ## show these words
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Landed needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

install: $(READY) ## set up .venv with the pinned packages

run: $(READY) ## play the flagship case: three iterations, five stores to three hundred
	$(BIN)/landed play configs/replenishment/charter.yaml --decisions configs/replenishment/decisions.yaml

cases: $(READY) ## play the other shipped cases: leaner shelves in 60 stores, quicker first response in 24 teams
	$(BIN)/landed play configs/turnover/charter.yaml --decisions configs/turnover/decisions.yaml
	$(BIN)/landed play configs/service_desk/charter.yaml --decisions configs/service_desk/decisions.yaml

up: $(READY) ## start the team stack on this machine and keep it healthy (Ctrl-C stops it)
	$(BIN)/landed up

test: $(READY) ## run the tests; a few minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not proof'

proof: $(READY) ## run the long proofs: processes killed, servers away, statistics in hundreds of worlds
	$(BIN)/python -m pytest -n 2 --dist loadfile -m proof

check: $(READY) ## style, types, borders between rooms, charters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/landed check configs/replenishment/charter.yaml
	$(BIN)/landed check configs/vn2/charter.yaml
	$(BIN)/landed check configs/vn2/charter-service.yaml
	$(BIN)/landed check configs/service_desk/charter.yaml
	$(BIN)/landed check configs/turnover/charter.yaml

format: $(READY) ## put the code in its usual shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY) ## write configs/charter.schema.json anew from the charter's types
	$(BIN)/landed schema --out configs/charter.schema.json

messages: $(READY) ## find the sentences to translate, update and compile the catalogues
	$(BIN)/python -m pipeline.language.catalogue

chaos: $(READY) ## kill parts of the stack at random and hold the record to account
	PYTHONPATH=. $(BIN)/python -m tests.orchestration.chaos --write docs/reliability.md

kills: $(READY) ## kill iterations, sign-offs, feedback flows, exports and the stack at every step; takes an hour or two
	$(BIN)/python -m tests.faults.killing --instants 200 --stride 4 --write docs/reliability.md
	$(BIN)/python -m tests.faults.felling --write docs/reliability.md

mutation: $(READY) ## spoil the deciding rooms' code in hundreds of ways and see whether a test notices; an hour
	nice -n 19 $(BIN)/python -m tests.faults.mutation --size 440 --floor 90 --write docs/reliability.md

bench: $(READY) ## measure speed and size, as ratios side by side; ONLY="features contract" for some of it
	PYTHONPATH=. $(BIN)/python tests/bench/bench.py $(addprefix --only ,$(ONLY))

screenshots: $(READY) ## take the README's pictures of the review site anew; needs a Chromium on this machine
	$(BIN)/python -m tests.web.screenshots docs/images

docs: $(READY) ## write the pages of reference anew and build the documentation into site/
	$(BIN)/python -m pipeline.cli.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --clean

lock: $(READY) ## resolve the pinned packages anew (needs uv on the PATH)
	uv pip compile pyproject.toml --extra dev --extra docs --extra postgres --extra s3 --extra dask --universal --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 --constraint constraints.txt --output-file constraints.txt

clean: ## remove everything that was generated: .venv, data, reports, caches
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist site
	find data reports -mindepth 1 ! -name README.md -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
