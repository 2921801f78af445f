# `make` or `make help` lists what there is.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.run: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(VENV)/.run $@

install: $(VENV)/.run ## cdi-sync in an environment of its own (VENV=.venv)
dev: $(VENV)/.dev ## the same, with what tests and linters need

run: $(VENV)/.run ## one pass over this machine's devices into ./run/cdi (ARGS="--spec-dir DIR ...")
	@$(BIN)/cdi-sync --once --spec-dir run/cdi $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(VENV)/.dev ## everything; as root also with real devices, udevd, containerd and podman
	$(BIN)/python -m tests.real.provision
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev ## what it costs here, as a table (ARGS="--output json", ARGS=--quick)
	@$(BIN)/python -m tests.bench $(ARGS)

schema: $(VENV)/.dev ## make what is made from schemas/ and from the configuration's model anew
	$(BIN)/python -m tests.cdi.generate
	$(BIN)/python -m agent.config.reference docs/configuration.md

soak: $(VENV)/.dev ## as root: churn and trouble for the real agent (ARGS="--minutes 60 --seed 7")
	@$(BIN)/python -m tests.real.provision
	@$(BIN)/python -m tests.campaign $(ARGS)

fuzz: $(VENV)/.dev ## mutated inputs for every parser (ARGS="--count 60000", ARGS="spec --seed 7")
	@$(BIN)/python -m tests.fuzz $(ARGS)

kubelet: $(VENV)/.dev ## as root: a standalone node with your KUBELET=PATH (CONTAINERD=PATH), until Ctrl-C
	@$(BIN)/python -m tests.real.provision
	@$(BIN)/python -m tests.contrib kubelet "$(KUBELET)" $(if $(CONTAINERD),--containerd "$(CONTAINERD)")

deploy: $(VENV)/.dev ## a static pod on that node, and what it got (POD=contrib/kubelet/pod.yaml)
	@$(BIN)/python -m tests.contrib deploy $(POD)

clean: ## remove what the targets above made
	rm -rf $(VENV) .cache run .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help install dev run lint test bench schema soak fuzz kubelet deploy clean
