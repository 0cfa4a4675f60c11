# Every target is one line over pip or the console script; Windows users type the same lines (docs/setup.md).
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/.installed
SERVER_READY := .venv/.installed-server
TEST_READY := .venv/.installed-test

.PHONY: demo ui live up down check fix test-fast test record soak soak-inputs soak-live soak-trading audit install clean

SOAK := pairs_platform_tests/soak
SOAK_INPUTS := $(SOAK)/test_inputs.py $(SOAK)/test_vendor_replies.py $(SOAK)/test_real_prices.py
SOAK_TRADING := $(SOAK)/test_killed_desk.py $(SOAK)/test_chaos.py
PROFILE = $(if $(SOURCE),--source $(SOURCE)) $(if $(DATA),--data "$(DATA)") $(if $(FREQUENCY),--frequency $(FREQUENCY))

demo: $(READY)
	$(BIN)/pairs-platform demo $(PROFILE) $(if $(SESSION),--session $(SESSION)) $(if $(SECTOR),--sector "$(SECTOR)")

ui: $(READY)
	$(BIN)/pairs-platform ui $(PROFILE)

live: $(READY)
	$(BIN)/pairs-platform live $(PROFILE) $(if $(MODE),--mode $(MODE)) $(if $(SESSION),--session $(SESSION)) --speed $(or $(SPEED),20)

up: $(SERVER_READY)
	$(BIN)/pairs-platform up

down: $(READY)
	$(BIN)/pairs-platform down

check: $(TEST_READY)
	$(BIN)/python -m pairs_platform_tests check

fix: $(TEST_READY)
	$(BIN)/python -m pairs_platform_tests fix

test-fast: $(TEST_READY)
	$(BIN)/python -m pairs_platform_tests fast

test: $(TEST_READY)
	$(BIN)/python -m pairs_platform_tests

record: $(TEST_READY)
	$(BIN)/python -m pairs_platform_tests record

soak: $(TEST_READY)
	$(BIN)/python -m pytest $(SOAK)/test_daily.py

soak-inputs: $(TEST_READY)
	$(BIN)/python -m pytest $(SOAK_INPUTS)

soak-live: $(TEST_READY)
	$(BIN)/python -m pytest $(SOAK) --ignore $(SOAK)/test_daily.py $(addprefix --ignore ,$(SOAK_INPUTS) $(SOAK_TRADING))

soak-trading: $(TEST_READY)
	$(BIN)/python -m pytest $(SOAK_TRADING)

audit:
	$(PYTHON) -m venv .venv/audit
	.venv/audit/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/audit/$(notdir $(BIN))/pip-audit --strict --requirement constraints.txt --disable-pip --no-deps

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(BIN)/python -c "open('$(READY)', 'w').close()"

$(SERVER_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[server]"
	$(BIN)/python -c "open('$(SERVER_READY)', 'w').close()"

$(TEST_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	$(BIN)/python -c "open('$(TEST_READY)', 'w').close()"

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(path, ignore_errors=True) for path in ('.venv', '.state')]"
