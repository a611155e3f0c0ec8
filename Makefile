# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.ready
export TUTELAGE_CACHE ?= $(CURDIR)/.cache/tutelage
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1

.PHONY: help setup browser demo test test-slow bars check format lock clean

help:
	@echo "make demo       set up, teach an ImageNet network to read handwriting, show the result"
	@echo "make test       set up, run the tests"
	@echo "make check      format, lint, strict types, import contract, docs (under 30 s)"
	@echo "make test-slow  tests that take minutes"
	@echo "make bars       measure every bar, resumably"

setup: $(STAMP)

# One locked set, with hashes: requirements.lock pins it, `make lock` renews it.
$(STAMP): requirements.lock pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 setup"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv==0.13.9"
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --compile-bytecode --require-hashes -r requirements.lock
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# Pages are tested in a real browser, Debian's.
browser:
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 \
		|| { echo "The tests of the pages need chromium: sudo apt-get install chromium"; exit 1; }

demo: setup
	@$(PY) tools/demo.py

test: setup browser
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: setup browser
	@$(PY) -m pytest -m slow

bars: setup
	@$(PY) benchmarks/bars.py

check: setup
	@$(VENV)/bin/ruff format --check --quiet src tests benchmarks tools
	@$(VENV)/bin/ruff check --quiet src tests benchmarks tools
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache >/dev/null || $(VENV)/bin/lint-imports
	@$(PY) tools/check_docs.py

format: setup
	@$(VENV)/bin/ruff format --quiet src tests benchmarks tools
	@$(VENV)/bin/ruff check --quiet --fix src tests benchmarks tools

lock:
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml tools/build.in -o requirements.lock

clean:
	rm -rf $(VENV) .cache runs
