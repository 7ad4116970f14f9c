# make demo    fit, flatten and report on a photograph        make test    everything that CI checks
# make build   the operator library, in place                 make wheel   the wheel, proven in a clean environment
# make format  rewrite sources in the project's style         make bench   the benchmarks of the operators
# make wheel-proof   the wheel once more, with other Pythons and another PyTorch
# make sanitize      the emulated CUDA kernels under a race detector and sanitizers
# Each does its own set-up: a virtual environment in .venv with the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt
SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h' -o -name '*.cu')
LIBRARY := stn3dmm_cuda/_cpu.abi3.so
EMULATOR := $(shell find tests/emulator -name '*.cpp' -o -name '*.h' -o -name '*.cu')

.PHONY: demo test sanitize build lint format bench wheel wheel-proof clean
.DELETE_ON_ERROR:

demo: build
	$(BIN)/stn3dmm demo --output demo-report

# A backend that quietly stayed away would take its proof along.
test: export STN3DMM_REQUIRE_BACKENDS ?= cpu,emulated
test: lint
	$(BIN)/python -m pytest

# The emulated kernels under the race detector, then under AddressSanitizer and UndefinedBehaviorSanitizer.
# AddressSanitizer must find libstdc++ loaded before it, or it cannot pass exceptions on; it writes to the real stderr.
sanitize: export STN3DMM_REQUIRE_BACKENDS = emulated
sanitize: $(VENV)/developed $(LIBRARY)
	STN3DMM_EMULATOR=race $(BIN)/python -m pytest -k emulated tests
	STN3DMM_EMULATOR=address LD_PRELOAD="$(foreach name,asan stdc++,$(shell g++ -print-file-name=lib$(name).so))" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    $(BIN)/python -m pytest --capture=sys -k emulated tests

build: $(LIBRARY)

lint: $(VENV)/developed $(LIBRARY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(SOURCES) $(EMULATOR)

format: $(VENV)/developed
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(SOURCES) $(EMULATOR)

bench: build
	$(BIN)/python -m benchmarks.bench_warp
	$(BIN)/python -m benchmarks.bench_visibility
	$(BIN)/python -m benchmarks.bench_synthetic

# For every architecture that wheels serve; STN3DMM_WITH_CUDA=0 makes a wheel for the CPU alone.
wheel: export STN3DMM_WITH_CUDA ?= 1
wheel: export STN3DMM_CUDA_ARCHITECTURES = wheel
wheel: $(VENV)/installed
	rm -rf dist build/lib.*
	PIP_CONSTRAINT=constraints.txt $(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(BIN)/python tests/prove_wheel.py --folder build/wheel-proof --constraints constraints.txt dist/*.whl $(PYTHON)

# PYTHONS="PATH ..." names the interpreters, else every other one that is found; TORCH is what pip shall install.
wheel-proof: $(VENV)/installed
	$(BIN)/python tests/prove_wheel.py --folder build/wheel-proof --torch $(or $(TORCH),torch) dist/*.whl $(PYTHONS)

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

# The settings are recorded where they change, so that the libraries are built again.
SETTINGS := STN3DMM_WITH_CUDA=$(STN3DMM_WITH_CUDA) STN3DMM_CUDA_ARCHITECTURES=$(STN3DMM_CUDA_ARCHITECTURES)
ifneq ($(SETTINGS),$(shell cat build/settings 2>/dev/null))
$(shell mkdir -p build && echo '$(SETTINGS)' > build/settings)
endif

$(LIBRARY): $(VENV)/installed setup.py csrc/build_cuda.py $(SOURCES) build/settings
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

clean:
	rm -rf build dist demo-report *.egg-info stn3dmm_cuda/_*.so $(VENV)
