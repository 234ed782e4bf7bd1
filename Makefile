# `make test` and `make demo` start from nothing: they need Python 3.11 or newer, and no server.
# Another interpreter: make test PYTHON=/path/to/python. More arguments: make test ARGS="-k spread".

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Many tests wait for workers, so more of them than there are cores run side by side.
JOBS ?= 4
INSTALL = ./scripts/make-venv.sh $(VENV) -c constraints.txt -e '.[embedded,speedups]'
GROUPS := test lint browser docs bench release postgres-server mariadb old-redis
SOURCES := django_agenda tests $(wildcard example_project benchmarks)
export UV_PYTHON_DOWNLOADS = never
# Without bytecode each of the many processes that tests start would compile Django anew, for 2 s.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-postgres test-mariadb chaos browser lint format types check ci bench messages docs build lock clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.installed-test  ## start a shop with workers and a flood of tasks; prints where its admin is
	@$(BIN)/python example_project/manage.py agenda_demo $(ARGS)

test: $(VENV)/.installed-test  ## run the tests on SQLite and a private Redis
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-all: $(VENV)/.installed-test  ## run the slow tests and those that kill servers as well
	@$(BIN)/python -m pytest -n $(JOBS) -m "not browser" $(ARGS)

test-postgres: $(VENV)/.installed-test $(VENV)/.installed-postgres-server  ## run the tests on a private PostgreSQL
	@AGENDA_TEST_DB=postgres $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-mariadb: $(VENV)/.installed-test $(VENV)/.installed-mariadb  ## run the tests on a private MariaDB (must be installed)
	@AGENDA_TEST_DB=mariadb $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

chaos: $(VENV)/.installed-test $(VENV)/.installed-postgres-server  ## run 100 000 executions under 1000 faults, and write docs/reliability.md
	@$(BIN)/python -m tests.chaos series $(ARGS)

browser: $(VENV)/.installed-test $(VENV)/.installed-browser  ## run the tests that drive Chromium (must be installed)
	@$(BIN)/python -m pytest -m browser $(ARGS)

lint: $(VENV)/.installed-test $(VENV)/.installed-lint  ## check style, architecture, dependencies and migrations
	@$(BIN)/ruff check --output-format concise .
	@$(BIN)/ruff format --check --output-format concise .
	@$(BIN)/lint-imports
	@$(BIN)/deptry .
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m django makemigrations --check --dry-run

format: $(VENV)/.installed-lint  ## put the code into the one style
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(VENV)/.installed-test $(VENV)/.installed-lint $(VENV)/.installed-browser  ## check the types
	@$(BIN)/mypy $(ARGS)

check: lint types  ## everything that a change must pass, but the slow cells
	@$(MAKE) --no-print-directory test ARGS="--cov --cov-report=term"

ci:  ## everything, in every cell that this machine can offer
	@bash .ci/run

bench: $(VENV)/.installed-test $(VENV)/.installed-bench  ## measure, side by side with others
	@$(BIN)/python -m benchmarks.engine $(ARGS)

messages: $(VENV)/.installed-test  ## bring the translations up to date; lists what is not translated
	@$(BIN)/python scripts/messages.py $(ARGS)

docs: $(VENV)/.installed-test $(VENV)/.installed-docs  ## build the documentation
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html $(ARGS)

build: $(VENV)/.installed-release  ## build the wheel and the source archive, and check what they say
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/python -m twine check --strict dist/*

lock: $(VENV)/.installed-test  ## write constraints.txt anew; LOCK=--upgrade takes the newest of everything
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
		--all-extras $(GROUPS:%=--group %) $(LOCK) pyproject.toml --output-file constraints.txt

clean:  ## remove the environments and everything that was made
	@rm -rf $(VENV) .venvs build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache htmlcov
	@rm -f .coverage .coverage.*

$(VENV)/.installed-test: pyproject.toml constraints.txt scripts/make-venv.sh
	@$(INSTALL) --group test
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed-test
	@$(INSTALL) --group $*
	@touch $@
