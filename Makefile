# Everything that people and CI run. A fresh machine needs Python 3.11, 3.12 or 3.13, and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_OPTIONS ?=

.PHONY: help fuzz venv demo test postgresql scaled-out lint types audit check requirements sbom bench bench-venv bench-batch bench-mailbox bench-register bench-register-postgresql season interop clean

help:  ## Show what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: $(BIN)/.installed  ## Make the virtual environment.

$(BIN)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip uv
	# uv takes seconds where pip takes a minute; only pip knows a mirror that is named in pip's own settings.
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]' \
		|| $(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: venv  ## Send a real message through all parties and show the way it took.
	$(BIN)/mm-soap demo

test: venv  ## Run the tests; those that need a program that is missing are skipped.
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

postgresql: venv  ## Run the tests beside a PostgreSQL of their own, which is gone afterwards.
	tests/postgresql.sh $(BIN)/python -m pytest $(PYTEST_OPTIONS)

# Each has servers of its own; the first two kill PostgreSQL and RabbitMQ, so nothing else may use them meanwhile.
SCALED_OUT_TESTS ?= $(foreach each,exactly_once spool chain operators_misbehave crash notifications channels season,tests/e2e/test_$(each).py)

scaled-out: venv  ## Run the tests from outside with workers, beside a PostgreSQL and a RabbitMQ of their own.
	MM_SOAP_TEST_ENGINE=celery tests/rabbitmq.sh tests/postgresql.sh $(BIN)/python -m pytest $(PYTEST_OPTIONS) $(SCALED_OUT_TESTS)

N ?= 10000

season: venv  ## Let a batch of N rows go through everything that goes wrong, with workers, and balance the books.
	MM_SOAP_TEST_SEASON_MESSAGES=$(N) MM_SOAP_TEST_ENGINE=celery tests/rabbitmq.sh tests/postgresql.sh \
	  $(BIN)/python -m pytest $(PYTEST_OPTIONS) tests/e2e/test_season.py

lint: venv  ## Check style, docstrings of public names, and the layout.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv  ## Check the types, strictly.
	$(BIN)/mypy

audit: venv  ## Look for known weaknesses in the pinned packages; says so where pypi.org cannot be asked.
	$(BIN)/python requirements/audit.py

check: lint types test audit  ## All of it, as CI does.

requirements: venv  ## Pin what a deployment installs, with hashes; UPGRADE=--upgrade takes newer versions.
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(UPGRADE) --no-strip-extras \
		--extra celery --extra pkcs11 --extra postgresql --extra s3 --custom-compile-command "make requirements" \
		--output-file requirements/deploy.txt setup.cfg

sbom: venv  ## Write dist/sbom.json: what a deployment consists of, as CycloneDX.
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements --output-reproducible --output-format JSON --output-file dist/sbom.json \
		requirements/deploy.txt

# Measured with the system's Python where it will do: it is built with optimisations, and pyenv's mostly is not.
BENCH_PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))
BENCH_VENV ?= .venv-bench
BENCH := $(BENCH_VENV)/bin

bench-venv: $(BENCH)/.installed  ## Make the virtual environment of the benchmarks, with BENCH_PYTHON.

$(BENCH)/.installed: setup.cfg pyproject.toml | venv
	$(BIN)/uv venv --quiet --clear --python $(BENCH_PYTHON) $(BENCH_VENV)
	$(BIN)/uv pip install --quiet --python $(BENCH)/python --editable '.[dev]' \
		|| $(BIN)/python -m pip --python $(BENCH)/python install --quiet --editable '.[dev]'
	touch $@

bench: bench-venv  ## Measure the chain beside the least work it could cost.
	$(BENCH)/python -m benchmarks

FUZZ_SECONDS ?= 600
fuzz: venv  ## Fuzz the parser and the shell, FUZZ_SECONDS for each target; crashes go to build/fuzz.
	for target in xml encodings shell user_signature; do \
	  $(BIN)/python -m tests.fuzz.run $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

interop: venv  ## Install, build and run every client of clients/ and every guide, and write docs/interop.md.
	$(BIN)/python -m interop --install

bench-register: bench-venv  ## Measure the register with ten million accounts; takes some five minutes and 2 GB of disk.
	$(BENCH)/python -m benchmarks.register

# What it needs to hold the index of ten million accounts; docs/how-to/run-one-party.md advises it.
bench-register-postgresql: bench-venv  ## The same on a PostgreSQL of its own; takes some eight minutes and 6 GB of disk.
	POSTGRESQL_SETTINGS="-c shared_buffers=2GB" POSTGRESQL_HUGE_PAGES=1100 tests/postgresql.sh sh -c \
	  '$(BENCH)/python -m benchmarks.register --database "$$MM_SOAP_TEST_POSTGRESQL"'

bench-batch: bench-venv  ## Measure the memory of a batch of 1000, 10 000 and 100 000 rows; takes half an hour.
	$(BENCH)/python -m benchmarks.batch

bench-mailbox: bench-venv  ## Measure a mailbox with 20 000 messages, and deliveries while 200 people read; takes some six minutes.
	$(BENCH)/python -m benchmarks.mailbox
	$(BENCH)/python -m benchmarks.readers

clean:  ## Remove what was built.
	rm -rf $(VENV) $(BENCH_VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
