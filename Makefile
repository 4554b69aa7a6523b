# Every command of the project for people and for CI. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := build camera runtime dev

.PHONY: help install install-dev lock

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

lock:  ## Renew the lock files (names, versions and hashes only)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --extra dev -o locks/dev.txt pyproject.toml
