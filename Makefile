# `make` prints what there is. Every target makes .venv first if it is missing. To run a hub, nothing but Python and the
# package registries is needed; what the tests fetch from Debian besides is in docs/contributing.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DURATION ?=
URL ?=
TOKEN ?=
WORLD ?=
# pip, Maven's cache and the browser keep files at home; who has none keeps them here.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.data/home
endif
UPGRADE ?=
# actionlint is a Go program, built where Go is there; where it cannot be had, lint goes on and says so.
ACTIONLINT_AT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
ACTIONLINT = if [ -x $(BIN)/actionlint ] || GOBIN=$(abspath $(BIN)) go install $(ACTIONLINT_AT) 2>/dev/null; \
	then $(BIN)/actionlint; else echo 'actionlint was not tried: it needs Go and its module proxy'; fi
.DEFAULT_GOAL := help
.PHONY: help setup demo up quick test soak durations lint bench screenshots dist constraints clean

help: ## print this
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml deploy/constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON): \
	install python3 and python3-venv (Debian, Ubuntu: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) deploy/check_machine.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r deploy/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(PYTHON) -I -S deploy/relative_path.py $(VENV)
	touch $@

setup: $(READY) ## make .venv with everything in it

demo: $(READY) ## a made-up world through a real hub, at a speed one can watch (DURATION=30 ends it after 30 s)
	$(BIN)/unbind-hub demo $(if $(DURATION),--duration $(DURATION))

up: $(READY) ## a hub on this machine, until Ctrl-C
	$(BIN)/unbind-hub up

quick: $(READY) ## in a minute, what a change of code breaks most often: tests that need no server at all
	$(BIN)/python -m pytest tests/unit tests/oracle $(wildcard tests/driver) -m "not broker and not database and not long and not soak" -n 2 -p no:schemathesis

test: $(READY) ## every test, long suites in their short form
	$(BIN)/python -m pytest -m "not soak" -n 2

soak: $(READY) ## the long suites in full: kills, crowds, mutants; properties with fresh examples
	$(BIN)/python -m pytest -m "soak or hypothesis" -s --hypothesis-profile=random

durations: $(READY) ## run every test and keep how long each file took, for the order of `make test`
	$(BIN)/python -m pytest -m "not soak" -n 2 --keep-durations

lint: $(READY) ## ruff, mypy strict, and what is unsafe or wrong in workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --quiet --no-progress --offline .github
	@$(ACTIONLINT)

bench: $(READY) ## figures, printed and in bench-results.json
	$(BIN)/python -m tests.bench

screenshots: $(READY) ## pictures of the dashboard into deploy/screenshots (URL=... TOKEN=... of a running hub)
	$(BIN)/python -m tests.dashboard.screenshots $(if $(URL),--url $(URL) --token $(TOKEN))

dist: $(READY) ## the wheel and the sdist, in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

constraints: ## work deploy/constraints.txt out anew from pyproject.toml (UPGRADE=1 for the newest versions)
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(VENV)/uv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make constraints' --quiet \
	  $(if $(UPGRADE),--upgrade) --output-file deploy/constraints.txt

clean: ## remove .venv and local data
	rm -rf $(VENV) .data
