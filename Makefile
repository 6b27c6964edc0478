# Everything runs in .venv, set up when first needed and again when pyproject.toml changes.
# `make` alone lists the targets. `make PYTHON=python3.13 …` picks another interpreter.

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
PIP    := $(RUN) -m pip install --quiet --disable-pip-version-check
PYTEST := $(RUN) -m pytest --numprocesses auto

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check oracle gpu notebooks gallery bench page doctor clean

help:
	@echo "Glassgrad: the autograd engine you can see through"; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## train on real handwritten digits, draw the gradients
	@$(VENV)/bin/glassgrad demo

test: $(VENV)/.dev ## all tests that need neither PyTorch nor a GPU
	@$(PYTEST) --ignore=tests/oracle -m "not oracle and not gpu"

check: $(VENV)/.dev ## lint, types and tests: what a change must pass
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(PYTEST) --ignore=tests/oracle -m "not oracle and not gpu"

oracle: $(VENV)/.oracle ## compare values and gradients with PyTorch
	@GLASSGRAD_REQUIRE=oracle $(PYTEST) -m oracle

gpu: $(VENV)/.dev ## the tests that need a GPU (the first time: make gpu CUDA=12 or CUDA=13)
	$(if $(CUDA),@$(PIP) --editable '.[cuda$(CUDA)]')
	@$(RUN) -m pytest -m gpu

gallery: $(VENV)/.dev ## train every example to the end, and check what it must reach
	@$(RUN) -m nn.gallery

notebooks: $(VENV)/.dev ## execute every notebook in place
	@$(RUN) notebooks/execute.py

bench: $(VENV)/.bench ## measure beside the peers
	@$(RUN) -m benchmarks

page: ## build the interactive page again (needs Node 20)
	@cd autograd/view/page && npm ci --no-audit --no-fund --silent && npm run --silent check && npm run --silent build

doctor: $(VENV)/.demo ## what this machine has, and how to get what it lacks
	@$(VENV)/bin/glassgrad doctor

clean: ## remove .venv, caches and what the demo wrote
	rm -rf $(VENV) dist glassgrad-demo glassgrad-train .ci/logs .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find autograd nn backends tests -type d -name __pycache__ -prune -exec rm -rf {} +

# --- set-up: one stamp per set of extras; every set contains that of `demo` ------------------

$(VENV)/.demo:   EXTRAS := data,viz
$(VENV)/.dev:    EXTRAS := data,viz,dev
$(VENV)/.oracle: EXTRAS := data,viz,dev,oracle
$(VENV)/.bench:  EXTRAS := data,viz,bench

$(VENV)/.demo $(VENV)/.dev $(VENV)/.oracle $(VENV)/.bench: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing glassgrad[$(EXTRAS)] into $(VENV) (once; it can take some minutes)"
	@$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@ $(VENV)/.demo

# `venv` writes `bin/pip` after all that needs it, so a set-up that broke off is tried again.
$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "Glassgrad needs Python 3.11 or newer, \
	and there is no $(PYTHON) here. Name yours: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Glassgrad needs Python \
	3.11 or newer; $(PYTHON) is %d.%d. Name another: make PYTHON=python3.11" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) -m venv failed. On Debian and Ubuntu: \
	apt install python3-venv" >&2; exit 1; }
