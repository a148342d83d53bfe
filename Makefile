PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: venv test
venv: $(BIN)/.installed

$(BIN)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

test: venv
	$(BIN)/pytest
