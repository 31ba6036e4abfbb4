# Tokenlight: `make demo` opens the app, `make test` runs every test. Both may be run again at any time.
PORT ?= 7860
VENV := .venv
RUN := $(VENV)/bin/python

# The first interpreter on the machine that is 3.11 or newer and can make environments. Override: make demo PYTHON=...
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3 python; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$p"; break; }; done)

# An empty file in .venv tells what was installed there; its name changes when the requirements do.
RUNTIME := $(VENV)/.runtime-$(shell cksum < requirements.txt | tr ' ' '-')
TOOLS := $(VENV)/.tools-$(shell cat requirements.txt pyproject.toml | cksum | tr ' ' '-')

# Part of both, not of making the environment: an interrupted upgrade would leave a pip that knows no --group.
UPGRADE_PIP = $(RUN) -m pip install --quiet --upgrade "pip>=25.1"

.DEFAULT_GOAL := help
.PHONY: help demo test lint format screenshots clean

help:  ## List what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(RUNTIME)  ## Open the app on http://127.0.0.1:7860 (PORT=... for another)
	$(RUN) app.py --port $(PORT)

# In two processes, each with whole files, the longest first: the browser's tests, which are one process's.
test: $(TOOLS)  ## Run every test (ARGS="-k name" for some of them)
	$(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(TOOLS)  ## Check style, layers (who may import whom) and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports
	@find ui -name "*.pyi" -delete  # written by Gradio beside our components; a type checker would read them instead of the code
	$(RUN) -m mypy

format: $(TOOLS)  ## Rewrite the code in the house style
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

screenshots: $(TOOLS)  ## Take the README's pictures of the page (needs Chromium)
	$(RUN) -m tests.browser.screenshots

clean:  ## Remove the environment
	rm -rf $(VENV)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Tokenlight needs Python 3.11 or newer with venv (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): | $(VENV)/bin/python
	@echo "Installing what the app needs; the first time this takes some minutes."
	$(UPGRADE_PIP)
	$(RUN) -m pip install --quiet --requirement requirements.txt
	@rm -f $(VENV)/.runtime-*
	@touch $@

$(TOOLS): $(RUNTIME)
	$(UPGRADE_PIP)
	$(RUN) -m pip install --quiet --requirement requirements.txt --group test
	@rm -f $(VENV)/.tools-*
	@touch $@
