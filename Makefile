# Two commands are enough: `make run` and `make test`. Both set themselves up with python3 (3.11 or newer) alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
ROOM ?= all
FUZZ_SECONDS ?= 60
TEST_WORKERS ?= 3
# how pytest says that nothing was asked for: PYTEST_ARGS may name tests of one kind only
NO_TESTS := 5

.PHONY: setup setup-dev debian clients run test check bench fuzz soak lock clean

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Timeball needs Python 3.11 or newer: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv $(VENV)

# What compiled code is made of: a change of any of it throws the compiled code away, since its cache looks at one file alone.
KERNELS := $(shell find src -name 'kernels*.py') $(wildcard src/timeball/station/page/*.py src/timeball/station/serving/*.py)
$(VENV)/.run: requirements.lock pyproject.toml $(KERNELS) | $(BIN)/python
	$(PIP) install --quiet --require-hashes --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@find src -name '*.nb[ci]' -delete
	@echo "compiling the kernels once ..."
	$(BIN)/python -m timeball.station.warm
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

# The Debian packages that system tests use; elsewhere those tests are skipped, counted and named.
debian:
	@sh tests/debian-packages.sh

# Real clients that come by other ways than Debian's packages and the lock file.
clients: | $(BIN)/python
	@sh tests/clients/install.sh $(VENV)/clients

run: setup
	$(BIN)/timeball run

# What watches the time of a whole running station, and, with what processor time it leaves over, everything else.
IDLE := $(if $(shell command -v chrt),chrt --idle 0,nice -n 19)
BESIDE := $(VENV)/beside.log
test: setup-dev debian clients
	@echo "everything but whole stations runs beside them, by $(TEST_WORKERS) workers; what it says comes at the end"
	@$(IDLE) $(BIN)/python -m pytest -m "not stations" -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder \
	    $(PYTEST_ARGS) >$(BESIDE) 2>&1 & beside=$$!; \
	trap 'kill $$beside' INT TERM; \
	$(BIN)/python -m pytest -m stations $(PYTEST_ARGS); stations=$$?; \
	wait $$beside; others=$$?; cat $(BESIDE); \
	for code in $$stations $$others; do [ $$code = 0 ] || [ $$code = $(NO_TESTS) ] || exit $$code; done

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-dev
	$(BIN)/python -m bench $(if $(filter-out all,$(ROOM)),--room $(ROOM))

# atheris has no wheel for every Python: without it hypothesis drives the targets, and says so.
$(VENV)/.fuzz: requirements-fuzz.lock $(VENV)/.dev
	$(PIP) install --quiet --require-hashes --requirement requirements-fuzz.lock || echo "atheris does not install here"
	@touch $@

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

# Remakes the three lock files (needs uv); they carry hashes and name no index.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
lock:
	$(LOCK) --extra build --extra reports pyproject.toml --output-file requirements.lock
	$(LOCK) --extra build --extra reports --extra history --extra timestamps --extra test --extra check --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --extra build --extra fuzz --constraint requirements-dev.lock pyproject.toml --output-file requirements-fuzz.lock

# A day of serving on this machine: memory, descriptors, and served time against the page (SOAK_HOURS=0.1 for a look).
SOAK_HOURS ?= 24
soak: setup-dev
	$(BIN)/python -m bench.soak --hours $(SOAK_HOURS)

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
