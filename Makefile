# `make` prints what there is. Every target makes .venv first if it is missing; nothing but Python and the
# package registries is needed.
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
.DEFAULT_GOAL := help
.PHONY: help setup demo up test soak lint bench screenshots clean

help: ## print this
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON): \
	install python3 and python3-venv (Debian, Ubuntu: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) deploy/check_machine.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(PYTHON) -I -S deploy/relative_path.py $(VENV)
	touch $@

setup: $(READY) ## make .venv with everything in it

demo: $(READY) ## a made-up world through a real hub, at a speed one can watch (DURATION=30 ends it after 30 s)
	$(BIN)/unbind-hub demo $(if $(DURATION),--duration $(DURATION))

up: $(READY) ## a hub on this machine, until Ctrl-C
	$(BIN)/unbind-hub up

test: $(READY) ## every test, long suites in their short form
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist loadfile

soak: $(READY) ## the long suites in full: kills, crowds, mutants
	$(BIN)/python -m pytest -m soak -s

lint: $(READY) ## ruff and mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY) ## figures, printed and in bench-results.json
	$(BIN)/python -m tests.bench

screenshots: $(READY) ## pictures of the dashboard into deploy/screenshots (URL=... TOKEN=... of a running hub)
	$(BIN)/python -m tests.dashboard.screenshots $(if $(URL),--url $(URL) --token $(TOKEN))

clean: ## remove .venv and local data
	rm -rf $(VENV) .data
