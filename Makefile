# `make help` lists what there is. Every target that runs something of ours installs what it needs first.
.DEFAULT_GOAL := help
.SUFFIXES:
SHELL := /bin/sh

# py-solc-x and brownie find the compiler here instead of downloading one.
export SOLCX_BINARY_PATH := $(CURDIR)/scripts/solc
PY := .venv/bin/python
NPX := node_modules/.bin
SOLIDITY := 'contracts/**/*.sol'

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  %-17s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## Check the prerequisites and install everything into .venv and node_modules
	@scripts/setup

.PHONY: demo
demo: setup ## Run the main job on a local Ganache: QR codes, payments, a busy day, proven books
	@$(PY) scripts/demo.py

.PHONY: test
test: ## Run every test: contracts on Anvil and on Ganache, invariants, SDK with both web3, end to end
	@scripts/setup tests
	@$(PY) scripts/test.py

.PHONY: check
check: setup ## Formatting, lint, types, artifacts and generated documents; changes nothing
	@$(PY) scripts/check.py

.PHONY: format
format: setup ## Format Python and Solidity
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format .
	@$(NPX)/prettier --log-level warn --write $(SOLIDITY)

.PHONY: artifacts
artifacts: setup ## Compile the contracts; write what ships in the package and the pages made from it
	@$(PY) scripts/artifacts.py
	@$(PY) scripts/async_client.py
	@$(PY) scripts/errors_doc.py
	@$(PY) scripts/tables.py

.PHONY: coverage
coverage: ## Branch coverage of the SDK, under build/coverage; `make mutants` is that of the contracts
	@scripts/setup tests
	@$(PY) scripts/test.py --coverage

SEED ?= 1
RUNS ?= 1
NODE ?= anvil
.PHONY: chaos
chaos: ## Seeded faults on real nodes: SEED=n RUNS=n NODE=anvil or ganache
	@scripts/setup tests
	@$(PY) -m tests.chaos --seed $(SEED) --runs $(RUNS) --node $(NODE)

.PHONY: mutants
mutants: setup ## Mutation tests over the contracts
	@$(PY) scripts/mutants.py

.PHONY: bench-gas
bench-gas: setup ## Measure the gas of every verb into build/bench/gas.json
	@$(PY) tests/bench/gas.py

.PHONY: bench-throughput
bench-throughput: setup ## Measure transfers per second of several clients into build/bench/throughput.json
	@$(PY) tests/bench/throughput.py

.PHONY: bench-growth
bench-growth: setup ## Measure cost and memory from a thousand payments to a million into build/bench/growth.json
	@$(PY) tests/bench/growth.py

.PHONY: devnet
devnet: setup ## Start a local chain with everything deployed, until Ctrl-C
	@$(PY) scripts/devnet.py

.PHONY: build
build: setup ## Build the source distribution and the wheel into dist/
	@$(PY) -m build --no-isolation --outdir dist .

.PHONY: lock
lock: ## Renew the lock files after changing a dependency (needs uv)
	@scripts/lock

.PHONY: clean
clean: ## Remove what was built; .venv and node_modules stay
	@rm -rf build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
