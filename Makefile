# make demo    fit, flatten and report on a photograph        make test    everything that CI checks
# make build   the operator library, in place                 make wheel   the wheel, proven in a clean environment
# make format  rewrite sources in the project's style         make bench   the benchmarks of the operators
# Each does its own set-up: a virtual environment in .venv with the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt
SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h' -o -name '*.cu')
LIBRARY := stn3dmm_cuda/_cpu.abi3.so

.PHONY: demo test build lint format bench wheel clean
.DELETE_ON_ERROR:

demo: build
	$(BIN)/stn3dmm demo --output demo-report

test: lint
	$(BIN)/python -m pytest

build: $(LIBRARY)

lint: $(VENV)/developed $(LIBRARY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(SOURCES)

format: $(VENV)/developed
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(SOURCES)

bench: build
	$(BIN)/python -m benchmarks.bench_warp
	$(BIN)/python -m benchmarks.bench_visibility

wheel: $(VENV)/installed
	rm -rf dist build/wheel-proof
	PIP_CONSTRAINT=constraints.txt $(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(PYTHON) -m venv build/wheel-proof
	PIP_CONSTRAINT=constraints.txt build/wheel-proof/bin/python -m pip --disable-pip-version-check install --quiet \
	    dist/*.whl pytest hypothesis
	cd build/wheel-proof && bin/python -m pytest -q --import-mode=importlib -p no:cacheprovider \
	    $(foreach room,pose project sample visibility warp,$(CURDIR)/tests/test_$(room).py)
	cd build/wheel-proof && bin/stn3dmm doctor

# The package in place (sources are used where they are, and `stn3dmm` is a command) and what it needs to run.
$(VENV)/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) torch numpy setuptools wheel ninja
	$(INSTALL) --no-build-isolation --editable .
	touch $@

# What the tests, the linters and the formatters need besides.
$(VENV)/developed: $(VENV)/installed
	$(INSTALL) --no-build-isolation --editable '.[dev]'
	touch $@

$(LIBRARY): $(VENV)/installed setup.py $(SOURCES)
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

clean:
	rm -rf build dist demo-report *.egg-info $(LIBRARY) $(VENV)
