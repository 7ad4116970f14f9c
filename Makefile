# make demo    fit, flatten and report on a photograph        make test    everything that CI checks
# make build   the operator library, in place                 make wheel   the wheel, proven in a clean environment
# make format  rewrite sources in the project's style         make bench   a few benchmarks of every operator
# make wheel-proof   the wheel once more, with other Pythons and another PyTorch
# make sanitize      the CPU kernels under sanitizers, the emulated CUDA kernels under a race detector too
# make fuzz          10,000 damaged files of every model format, read under limits of memory and time; with
#                    TMPDIR=/dev/shm several times as fast as on a disk
# Each does its own set-up: a virtual environment in .venv with the versions of constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt
SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h' -o -name '*.cu')
LIBRARY := stn3dmm_cuda/_cpu.abi3.so
EMULATOR := $(shell find tests/emulator -name '*.cpp' -o -name '*.h' -o -name '*.cu')

.PHONY: demo test sanitize sanitize-cpu sanitize-emulated fuzz build lint format bench wheel wheel-proof clean
.DELETE_ON_ERROR:

demo: build
	$(BIN)/stn3dmm demo --output demo-report

# A backend that quietly stayed away would take its proof along.
test: export STN3DMM_REQUIRE_BACKENDS ?= cpu,emulated
test: lint
	$(BIN)/python -m pytest

sanitize: sanitize-cpu sanitize-emulated

# AddressSanitizer must find libstdc++ loaded before it, or it cannot pass exceptions on; it writes to the real stderr.
SANITIZED = LD_PRELOAD="$(foreach name,asan stdc++,$(shell g++ -print-file-name=lib$(name).so))" \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    $(abspath $(BIN))/python

# The CPU kernels under AddressSanitizer and UndefinedBehaviorSanitizer, with every instruction set up to this machine's
# best. Python looks for packages in the folder where it starts, and so finds the sanitized one.
sanitize-cpu: $(VENV)/developed
	rm -rf build/sanitized/lib
	STN3DMM_SANITIZE=address STN3DMM_WITH_CUDA=0 $(BIN)/python setup.py --quiet build
	cd build/sanitized/lib && export STN3DMM_SANITIZE=address STN3DMM_REQUIRE_BACKENDS=cpu && \
	    best=$$(STN3DMM_CPU_INSTRUCTIONS= $(SANITIZED) -c \
	        'import stn3dmm_cuda; print(stn3dmm_cuda.cpu_instruction_set())') && \
	    for instructions in baseline avx2 avx512; do \
	        echo "$$instructions, of the instruction sets up to $$best" && \
	        STN3DMM_CPU_INSTRUCTIONS=$$instructions $(SANITIZED) -m pytest --capture=sys -k cpu $(CURDIR)/tests \
	            || exit 1; \
	        test $$instructions != $$best || break; \
	    done

# The emulated kernels under the race detector, then under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize-emulated: export STN3DMM_REQUIRE_BACKENDS = emulated
sanitize-emulated: $(VENV)/developed $(LIBRARY)
	STN3DMM_EMULATOR=race $(BIN)/python -m pytest -k emulated tests
	STN3DMM_EMULATOR=address $(SANITIZED) -m pytest --capture=sys -k emulated tests

fuzz: $(VENV)/developed $(LIBRARY)
	$(BIN)/python -m tests.stn3dmm.formats.fuzz

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
	$(BIN)/python -m benchmarks --quick

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

SITE := import sysconfig; print(sysconfig.get_path("purelib"))

# The package in place (sources are used where they are, and `stn3dmm` is a command) and what it needs to run.
# From the folder above, a clone called stn3dmm_cuda looks like a package without a file, and Python asks setuptools'
# finder of editable packages only after it. A package on Python's path, which the .pth file extends, goes before both.
$(VENV)/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) torch numpy setuptools wheel ninja
	$(INSTALL) --no-build-isolation --editable .
	printf '%s\n' '$(CURDIR)' '$(CURDIR)/python' > "$$($(BIN)/python -c '$(SITE)')/stn3dmm_sources.pth"
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
