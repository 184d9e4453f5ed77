# Every target sets up what it needs, once: a virtual environment in .venv, from hash-locked requirements.
#   make PYTHON=python3.12 setup             choose the interpreter
#   make test PYTEST_ARGS='-k soql -x'       hand options to pytest
#   make lock UV_LOCK_ARGS=--upgrade         move to the newest releases that pyproject.toml allows

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
READY := $(VENV)/.core
PYAIRBYTE := .venv-pyairbyte
# Tests wait for servers and processes about half of their time.
PYTEST_JOBS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
PYTEST_ARGS ?=
UV_LOCK_ARGS ?=
SECONDS ?= 60
SANDBOX_CONFIG ?= secrets/config.json
IMAGE ?= airbyte/source-salesforce-bulk:dev
export VENV PYTHON IMAGE BASE_IMAGE PLATFORM

# uv: trust the machine's certificates (as pip does), and never fetch an interpreter.
export UV_SYSTEM_CERTS ?= 1
export UV_PYTHON_DOWNLOADS ?= never

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(STAMP): pyproject.toml requirements/dev.txt requirements/setup.txt .ci/setup
	@.ci/setup
	@touch $@

# With the native page core, where it can be built; see .ci/core.
$(READY): $(STAMP) $(shell find core -maxdepth 1 -type f) $(wildcard core/src/*) requirements/core.txt .ci/core
	@.ci/core offer
	@touch $@

.PHONY: setup
setup: $(READY) ## Set up .venv (the other targets do it by themselves)

.PHONY: demo
demo: $(READY) ## Show two reads of a simulated org; the second reads only changed rows
	@$(BIN)/python -m integration_tests.demo

.PHONY: test
test: $(READY) ## Run all tests
	@$(BIN)/python -m pytest -n $(PYTEST_JOBS) --dist worksteal $(PYTEST_ARGS)
	@$(if $(PYTEST_ARGS),,$(MAKE) --no-print-directory test-exact)

READING := integration_tests/test_read.py integration_tests/test_incremental.py integration_tests/test_export.py
.PHONY: test-exact
test-exact: $(READY) ## Run the tests that read whole objects once more, without the native page core
	@if $(BIN)/python -c 'import salesforce_bulk_core' 2>/dev/null; then \
		SALESFORCE_BULK_CORE=off $(BIN)/python -m pytest -q -n $(PYTEST_JOBS) --dist worksteal $(READING); \
	else echo "test-exact: the core is not installed, so no test has used it"; fi

.PHONY: test-pythons
test-pythons: ## Run all tests on each supported Python on this machine (PYTHONS='3.12 3.13')
	@.ci/test-pythons $(PYTHONS)

.PHONY: mutants
mutants: $(READY) ## Break each important rule once and check that its test fails (WORD=soql for some)
	@$(BIN)/python -m unit_tests.mutants $(WORD)

.PHONY: fuzz
fuzz: $(READY) ## Feed random bytes to the parsers of pages, responses, states and registries (SECONDS=60)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m unit_tests.fuzz --seconds $(SECONDS)

.PHONY: sandbox-test
sandbox-test: $(STAMP) ## Check, discover, read and export a real sandbox org (docs/sandbox.md)
	@test -s $(SANDBOX_CONFIG) || { echo "sandbox-test: $(SANDBOX_CONFIG), the configuration of a sandbox org, is missing;" \
		"docs/sandbox.md says what it contains" >&2; exit 2; }
	@SANDBOX_CONFIG=$(SANDBOX_CONFIG) $(BIN)/python -m pytest -n 0 -m sandbox integration_tests/test_sandbox.py $(PYTEST_ARGS)

.PHONY: image
image: $(STAMP) ## Build the container image with docker or podman (PLATFORM=linux/amd64, BASE_IMAGE=NAME)
	@.ci/image

.PHONY: image-test
image-test: $(STAMP) image ## Run every protocol command in the container, and stop a read
	@$(BIN)/python -m pytest $(PYTEST_ARGS) integration_tests/image_checks.py

.PHONY: pyairbyte-test
pyairbyte-test: $(STAMP) $(PYAIRBYTE)/.set-up ## Let PyAirbyte read a simulated org into DuckDB, twice
	@PYAIRBYTE_PYTHON=$(PYAIRBYTE)/bin/python $(BIN)/python -m pytest $(PYTEST_ARGS) integration_tests/pyairbyte_checks.py

.PHONY: jinjava-test
jinjava-test: $(STAMP) ## Render the Authenticate button with Jinjava itself, as the platform does (Java, Maven)
	@JINJAVA_FETCH_SECONDS=600 $(BIN)/python -m pytest -n 0 -rs $(PYTEST_ARGS) integration_tests/test_jinjava.py | \
		tee /dev/stderr | grep -q ' 1 passed'

$(PYAIRBYTE)/.set-up: requirements/pyairbyte.txt .ci/setup
	@VENV=$(PYAIRBYTE) LOCK=requirements/pyairbyte.txt .ci/setup
	@touch $@

KILLS ?= 200
.PHONY: kill-test
kill-test: $(READY) ## Kill reads and exports into tables KILLS times each (SEED=n repeats one); an hour
	@KILLS=$(KILLS) SEED=$(SEED) $(BIN)/python -m pytest -n 2 -rP integration_tests/test_kills.py integration_tests/test_table_kills.py \
		$(PYTEST_ARGS)

.PHONY: soak
soak: $(READY) ## Let an org live 30 days (DAYS=n, SEED=n) and compare the destination with it each day
	@SOAK_DAYS=$(or $(DAYS),30) SOAK_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -n 2 --timeout 7200 integration_tests/test_soak.py $(PYTEST_ARGS)

.PHONY: check
check: $(STAMP) ## Lint, formatting, strict types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: format
format: $(STAMP) ## Format the code and fix what can be fixed safely
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: core
core: $(STAMP) ## Build the native page core and install it in .venv (needs cargo)
	@.ci/core install
	@touch $(READY)

.PHONY: core-test
core-test: ## Check the native page core: formatting, clippy, tests
	@cd core && cargo fmt --check && cargo fmt --check --manifest-path fuzz/Cargo.toml
	@cd core && cargo clippy --quiet --locked --all-targets --features python -- -D warnings
	@cd core && cargo test --quiet --locked

.PHONY: core-mutants
core-mutants: $(STAMP) ## The same as mutants for the native page core (WORD=gzip for some)
	@$(BIN)/python -m unit_tests.mutants.core $(WORD)

.PHONY: core-wheel
core-wheel: $(STAMP) ## Put a wheel of the native page core into dist/ (TARGET=aarch64-unknown-linux-gnu)
	@.ci/core wheel

.PHONY: certify-fargate
certify-fargate: $(READY) ## Certify exports on Fargate without an AWS account (LEGS='template task' for some)
	@$(BIN)/python -m integration_tests.certify_fargate $(LEGS)

.PHONY: certify-glue
certify-glue: $(READY) ## Certify backfills on Glue 5.0, 5.1 and 6.0 without an AWS account (LEGS='template spark-6.0' for some)
	@$(BIN)/python -m integration_tests.certify_glue $(LEGS)

.PHONY: certify-tables
certify-tables: $(READY) ## Certify Iceberg tables with an S3, catalogs and readers of others (LEGS='glue seaweed duckdb')
	@$(BIN)/python -m integration_tests.certify_tables $(LEGS)

.PHONY: release-check
release-check: $(READY) ## Build what a release publishes, install it and use it (LEGS='versions build install')
	@$(BIN)/python -m integration_tests.release_check $(LEGS)

.PHONY: glue-wheels
glue-wheels: $(STAMP) ## Build the zip that an AWS Glue job installs (dist/*.gluewheels.zip)
	@$(BIN)/python deploy/glue/build_wheels.py

# No registry host and no path of this machine may get into these files.
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version $(LEAST_PYTHON) --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UV_LOCK_ARGS)
LEAST_PYTHON = 3.11

# Packages that Glue has, and those that come with them: not shipped (see deploy/glue/requirements.in).
GLUE_HAS = boto3 botocore certifi charset-normalizer fsspec idna jmespath numpy pyarrow pyparsing python-dateutil requests s3transfer six \
	tenacity tzdata urllib3

.PHONY: lock
lock: $(STAMP) ## Write requirements/*.txt from pyproject.toml
	@test -x $(BIN)/uv || { echo "make lock needs uv, which set-up could not install" >&2; exit 1; }
	$(UV_COMPILE) pyproject.toml -o requirements/connector.txt
	$(UV_COMPILE) pyproject.toml --extra export --extra tables -c requirements/connector.txt -o requirements/export.txt
	$(UV_COMPILE) pyproject.toml --extra export --extra tables --extra dev -c requirements/export.txt -o requirements/dev.txt
	$(UV_COMPILE) requirements/setup.in -o requirements/setup.txt
	$(UV_COMPILE) requirements/pyairbyte.in -o requirements/pyairbyte.txt
	$(UV_COMPILE) requirements/fuzz.in -o requirements/fuzz.txt
	$(UV_COMPILE) requirements/tables.in -o requirements/tables.txt
	$(UV_COMPILE) requirements/core.in -o requirements/core.txt
	$(UV_COMPILE) requirements/core-wheel.in -c requirements/core.txt -o requirements/core-wheel.txt
	$(UV_COMPILE) requirements/glue.in -c deploy/glue/constraints-5.1.txt -o requirements/glue.txt
	$(UV_COMPILE) requirements/glue50.in -c deploy/glue/constraints-5.0.txt -o requirements/glue50.txt
	$(MAKE) --no-print-directory requirements/glue60.txt LEAST_PYTHON=3.13
	$(UV_COMPILE) deploy/glue/requirements.in -c deploy/glue/constraints-5.0.txt -o deploy/glue/requirements.txt \
		--python-platform x86_64-manylinux_2_28 --no-universal $(addprefix --no-emit-package ,$(GLUE_HAS))

.PHONY: requirements/glue60.txt
requirements/glue60.txt: requirements/glue60.in
	$(UV_COMPILE) $< -c deploy/glue/constraints-6.0.txt -o $@

# Everyone reads the same pages of a simulated org, in turn. The peer is installed as it is published, beside our code.
ROWS ?= 1000000
PEER_ROWS ?= 200000
ROUNDS ?= 3
PEER := build/peer

$(PEER)/.set-up:
	@$(BIN)/python -m venv $(PEER)
	@$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check airbyte-source-salesforce==2.10.3
	@touch $@

# The first release, from this repository's own history, in an environment of its own.
FIRST := build/first-release

$(FIRST)/.set-up:
	@rm -rf $(FIRST) && mkdir -p $(FIRST)
	@git archive 59ab2d2 | tar -x -C $(FIRST)
	@env -u VENV -u LOCK $(MAKE) --no-print-directory -C $(FIRST) VENV=.venv setup
	@$(BIN)/python -m compileall -q $(FIRST)/.venv/lib/python3*/site-packages $(FIRST)/source_salesforce_bulk || true
	@touch $@

.PHONY: upgrade-test
upgrade-test: $(READY) ## Let 0.1.0, built from the git history, and this release continue each other's work
	@git cat-file -e '59ab2d2^{commit}' 2>/dev/null || \
		{ echo "upgrade-test: 0.1.0 is commit 59ab2d2, which this clone lacks: run git fetch --unshallow" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(FIRST)/.set-up || \
		{ echo "upgrade-test: the environment of 0.1.0 could not be built; the lines above say why" >&2; exit 1; }
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS) integration_tests/upgrade_checks.py

# Salesforce's CLI, in a release that runs on Node 20. Without npm it is left out.
SF := build/sf

$(SF)/.set-up:
	@mkdir -p $(SF)
	@echo '{"private":true,"dependencies":{"@salesforce/cli":"2.129.8"},"overrides":{"undici":"7.16.0"}}' > $(SF)/package.json
	@npm install --silent --no-audit --no-fund --prefix $(SF) || echo "bench: sf could not be installed, and is left out"
	@touch $@

WRITERS := build/writers

$(WRITERS)/.set-up:
	@$(BIN)/python -m venv $(WRITERS)
	@$(WRITERS)/bin/python -m pip install --quiet --disable-pip-version-check deltalake==1.2.1 pyarrow
	@touch $@

.PHONY: bench
bench: $(READY) $(PEER)/.set-up $(FIRST)/.set-up $(SF)/.set-up $(WRITERS)/.set-up ## Compare its speed with other connectors on the same pages (ROWS=1000000; minutes)
	@$(BIN)/python -m benchmarks --rows $(ROWS) --peer-rows $(PEER_ROWS) --rounds $(ROUNDS) --keep

.PHONY: bench-overlap
bench-overlap: $(READY) ## Measure concurrency: jobs, pages, describes, a stuck job
	@$(BIN)/python -m benchmarks.overlap

.PHONY: clean
clean: ## Remove everything that make created, including .venv
	rm -rf $(VENV) $(VENV)-3.* $(PYAIRBYTE) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
