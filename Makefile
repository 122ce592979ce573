# The one door. `make run` and `make test` need nothing done before; everything else stands beside them.

# The first interpreter that is new enough; `make setup PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/.set-up
# More arguments for pytest: make test ARGS="-k intake -x"
ARGS ?=
# Where `make demo` leaves its database, workbook and notes.
DIR ?= demo
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
LOCK_OPTIONS := pyproject.toml --group dev --generate-hashes --no-emit-index-url --universal --python-version 3.11

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled files are kept, whatever the machine's habit: dozens of processes are started, each would compile again.
export PYTHONDONTWRITEBYTECODE :=

.NOTPARALLEL:
.PHONY: help setup system system-test run demo test test-slow check bench pictures docs lock

help:
	@echo "make run        set up, make a made-up county, serve pages and JSON at http://127.0.0.1:8000"
	@echo "make demo       the main job without a server; results in DIR=$(DIR)"
	@echo "make test       set up, run every test on SQLite and on PostgreSQL"
	@echo "make test-slow  the long tests"
	@echo "make check      format, lint, types, import contracts, architecture, migrations, generated documents"
	@echo "make bench      measure, write docs/benchmarks.md"
	@echo "make pictures   take the pictures of the pages again, docs/pictures"
	@echo "make docs       write the generated documents again"
	@echo "make lock       resolve the dependencies again, write requirements.lock"
	@echo "make setup      system packages and .venv only"

setup: system $(STAMP)

system:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; }
	@PYTHON="$(PYTHON)" .ci/system-packages run

system-test: system
	@PYTHON="$(PYTHON)" .ci/system-packages test

# Only what the lock file names, each file checked by its hash; the package itself without asking anybody.
$(STAMP): requirements.lock pyproject.toml
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { rm -rf .venv; "$(PYTHON)" -m venv .venv; }
	@echo "Installing the Python packages of requirements.lock into .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --no-input --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-input --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@$(BIN)/xinqiao serve --demo

demo: setup
	@$(BIN)/xinqiao demo --dir "$(DIR)"

# Both runs are finished before the answer is given. The second run takes those tests that use a database:
# what the others show cannot depend on the engine.
test: setup system-test
	@failed=0; \
	echo "== Tests, SQLite"; \
	XINQIAO_TEST_DATABASE=sqlite $(PYTEST) -m "not slow" $(ARGS) || failed=1; \
	echo "== Tests, PostgreSQL"; \
	XINQIAO_TEST_DATABASE=postgresql $(PYTEST) -m "not slow" --only-database $(ARGS) || failed=1; \
	exit $$failed

test-slow: setup system-test
	@failed=0; \
	XINQIAO_TEST_DATABASE=sqlite $(PYTEST) -m slow $(ARGS) || failed=1; \
	XINQIAO_TEST_DATABASE=postgresql $(PYTEST) -m slow --only-database $(ARGS) || failed=1; \
	exit $$failed

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m api.docs --check
	@XINQIAO_TEST_DATABASE=sqlite $(BIN)/python -m pytest -q tests/architecture

bench: setup system-test
	@$(BIN)/python -m tests.bench

# The made-up county on a fixed day, so that a picture changes only when its page does.
pictures: setup system-test
	@$(BIN)/python -m tests.browser.pictures

docs: setup
	@$(BIN)/python -m api.docs

lock:
	@venv=$$(mktemp -d) && trap 'rm -rf "$$venv"' EXIT && "$(PYTHON)" -m venv "$$venv" \
		&& "$$venv/bin/python" -m pip install --quiet uv \
		&& "$$venv/bin/uv" pip compile $(LOCK_OPTIONS) -q -o requirements.lock
