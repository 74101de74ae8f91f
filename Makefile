# Two commands do everything from nothing: `make demo` and `make test`.
VENV ?= .venv
BIN := $(VENV)/bin
# Builds wait for the network much of the time; a file's tests share their images and stay together, in their order.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check engine screenshots benchmark clean

demo: $(VENV)/installed engine      ## the main job on a sample repository, with real builds
	@$(BIN)/phasewise demo

test: $(VENV)/installed engine      ## all tests; those that build are skipped, and counted, without an engine
	@$(BIN)/python -m pytest $(PARALLEL)

check: $(VENV)/installed            ## format, lint, types, import contract, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	MYPYPATH=.typing $(BIN)/mypy -p phasewise.model -p phasewise.rules -p phasewise.migration -p phasewise.tui -p phasewise.cli
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PARALLEL)

engine:                             ## finds an engine or sets one up; without one the rest still runs
	@.ci/engine || test $$? -eq 4

screenshots: $(VENV)/installed engine ## the pictures of the README, from a real run of the demo
	$(BIN)/python screenshots/make.py

benchmark: $(VENV)/installed engine ## ratios against a peer, printed
	$(BIN)/python -m pytest tests/benchmarks -s -o python_files='bench_*.py'

clean:                              ## what `make` made here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/installed: pyproject.toml
	@.ci/python $(VENV)
