# Everything that is run on this project. Each target sets up what it needs in .venv; `make` alone lists them.
# What is installed is rebuilt when the content of its sources changes, never by the clock.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_ARGS ?=
VENV := .venv
LOWER := .venv-lower
BIN := $(VENV)/bin
LOG := build/log
RUN := $(BIN)/python -P
# Tests on each processor; what a test shares with others of its file is made by one of them, as far as that goes.
PYTEST := -m pytest -n auto --maxprocesses 8 --dist worksteal
CARGO := $(shell command -v cargo 2>/dev/null)
CRATE := --manifest-path core/Cargo.toml
# One interpreter for all builds of the core: cargo rebuilds everything when this changes.
PYO3_PYTHON ?= $(shell $(PYTHON) -c 'import sys; print(sys._base_executable)' 2>/dev/null)
export PYO3_PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Whoever develops with a Rust toolchain wants to know when the core doesn't build; `make demo` falls back instead.
DEDUP_REQUIRE_CORE ?= $(if $(CARGO),1,0)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F '|' '{printf "%-16s %s\n", $$1, $$2}'

demo: $(if $(wildcard $(VENV)/developed),$(VENV)/developed,$(VENV)/installed) ## install as a user would and scan seeds/
	@$(show-kernel)
	@echo 'to have dedup in this shell: . $(BIN)/activate'
	@echo '$$ dedup scan seeds'
	@$(BIN)/dedup scan seeds

test: $(VENV)/developed ## run the tests, on each kernel that is installed
	@kernels=reference; $(RUN) -c 'import dedup._core' 2>/dev/null && kernels='native reference' || $(show-kernel); \
	status=0; chosen='not stress'; none=0; \
	for kernel in $$kernels; do \
		echo "== tests on the $$kernel kernel"; \
		DEDUP_KERNEL=$$kernel $(RUN) $(PYTEST) -m "$$chosen" $(PYTEST_ARGS) || [ $$? = $$none ] || status=1; \
		chosen='not stress and not once'; none=5; \
	done; exit $$status

stress: $(VENV)/developed ## run the long tests, with many more examples (takes long)
	@HYPOTHESIS_PROFILE=stress $(RUN) $(PYTEST) -m 'stress or not once' $(PYTEST_ARGS)

lint: $(VENV)/developed ## check style, types, floors and the Rust core
	@status=0; check() { echo "$$*" | sed 's,$(RUN) -m ,,; s,$(BIN)/,,'; $(call quietly,lint,"$$@") || status=1; }; \
	check $(RUN) -m ruff check .; \
	check $(RUN) -m ruff format --check .; \
	check $(RUN) -m mypy --strict dedup $(wildcard tests/typing); \
	check $(BIN)/lint-imports; \
	if [ -n '$(CARGO)' ]; then \
		check cargo fmt $(CRATE) --check; \
		check cargo fmt --manifest-path core/fuzz/Cargo.toml --check; \
		check cargo clippy --locked $(CRATE) --all-targets -- -D warnings; \
		check cargo clippy --locked $(CRATE) --all-targets --features python -- -D warnings; \
		check cargo test --locked $(CRATE); \
	else \
		echo 'cargo is not on PATH: the Rust core was not checked'; [ "$$CI" != true ] || status=1; \
	fi; exit $$status

test-lower: $(LOWER)/ready ## run the fast tests with the oldest libraries that pyproject.toml allows
	@$(call step,lower-build,building a wheel and installing dedup with the oldest build tools allowed,\
		$(LOWER)/bin/python -m pip wheel --verbose --no-build-isolation --no-deps --wheel-dir build/lower . && \
		$(LOWER)/bin/python -m pip install --verbose --no-build-isolation --no-deps --editable .)
	@rm -rf build/lib* build/bdist*
	@$(LOWER)/bin/python -P $(PYTEST) -m 'not slow and not stress and not once' $(PYTEST_ARGS)

accept: $(VENV)/developed ## take the pages, transcripts and documented output of today for right (look at the change)
	@$(BIN)/python tests/test_golden.py
	@$(BIN)/python tests/test_docs.py

fuzz: $(VENV)/fuzzing ## fuzz the readers and the core, guided by coverage, FUZZ_SECONDS (60) for each target
	@$(RUN) tools/fuzz.py --seconds $(FUZZ_SECONDS) $(FUZZ_ARGS)

bench: $(VENV)/developed ## measure speed beside the peers, growth, hard shapes (BENCH_ARGS=--full: 25 minutes)
	@$(RUN) benchmarks/run.py $(BENCH_ARGS)

clean: ## remove everything that was built or cached
	@rm -rf $(VENV) $(LOWER) build dist neardup.egg-info core/target core/fuzz/target dedup/_core*.so dedup/_core*.pyd
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/.hypothesis .import_linter_cache
	@find dedup tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------------------------------

# $(call quietly,NAME,COMMAND): run a command, and show what it printed only if it fails.
quietly = mkdir -p $(LOG); { $(2); } > $(LOG)/$(1).log 2>&1 || \
	{ cat $(LOG)/$(1).log >&2; echo 'failed: $(1)' >&2; false; }

# $(call step,NAME,WORDS,COMMAND): the same, after a line that says what is being done.
step = echo '$(2) ...'; $(call quietly,$(1),$(3))

# $(call remember,COMMANDS): keep what they print in the target, and touch it only when that is something new.
remember = { $(1); } > $@.new && if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# $(call contents,FILES AND FOLDERS): a checksum for every file.
contents = find $(1) \( -name target -o -name __pycache__ -o -name '*.so' -o -name '*.pyd' \) -prune \
	-o -type f -exec cksum {} + | LC_ALL=C sort

show-kernel = if $(RUN) -c 'import dedup._core' 2>/dev/null; then echo 'kernel: native (the Rust core)'; \
	elif [ -n '$(CARGO)' ]; then echo 'kernel: reference; the Rust core did not build, $(LOG)/install.log says why'; \
	else echo 'kernel: reference; there is no Rust toolchain on PATH (same results, slower)'; fi

need-python = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo 'dedup needs Python 3.11 or newer, and $(PYTHON) is not; say make PYTHON=...' >&2; exit 1; }

this-python = echo '$(CURDIR)'; $(PYTHON) -c 'import sys; print(sys.base_prefix, *sys.version_info[:2])'

# A virtual environment can't be moved, and is for one Python: it is made anew when either changes.
$(VENV)/made: FORCE
	@$(need-python)
	@this="$$($(this-python))"; [ "$$this" = "$$(cat $@ 2>/dev/null)" ] || { \
		$(call step,venv,making $(VENV),rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)) && \
		echo "$$this" > $@; }

$(VENV)/state-needs: FORCE | $(VENV)/made
	@$(call remember,$(call contents,pyproject.toml))

$(VENV)/state-core: FORCE | $(VENV)/made
	@$(call remember,$(call contents,core setup.py pyproject.toml dedup/_version.py); \
		$(if $(CARGO),cargo --version,echo no cargo); echo 'required: $(DEDUP_REQUIRE_CORE)')

$(VENV)/state-package: FORCE | $(VENV)/made
	@$(call remember,$(call contents,dedup README.md))

$(VENV)/needs: $(VENV)/made $(VENV)/state-needs
	@$(BIN)/python tools/lowest.py --as-written run build dev > $(VENV)/requirements.txt
	@$(call step,needs,installing libraries and tools,$(BIN)/python -m pip install -r $(VENV)/requirements.txt)
	@touch $@

# For development: the sources are used where they are, the core is built beside them.
$(VENV)/developed: $(VENV)/needs $(VENV)/state-core
	@$(call step,install,$(if $(CARGO),building the Rust core and ,)installing dedup,\
		DEDUP_REQUIRE_CORE=$(DEDUP_REQUIRE_CORE) \
		$(BIN)/python -m pip install --verbose --no-build-isolation --no-deps --editable .)
	@rm -f $(VENV)/installed
	@touch $@

# atheris has no wheel for some versions of Python: then its targets are left out, and that is said.
$(VENV)/fuzzing: $(VENV)/developed
	@$(BIN)/python tools/lowest.py --as-written fuzz > $(VENV)/fuzz.txt
	@$(call step,fuzz-needs,installing atheris,$(BIN)/python -m pip install --only-binary :all: -r $(VENV)/fuzz.txt) || true
	@touch $@

# For use: a copy, built and installed as pip does it anywhere.
$(VENV)/installed: $(VENV)/made $(VENV)/state-needs $(VENV)/state-core $(VENV)/state-package
	@$(call step,install,$(if $(CARGO),building the Rust core and ,)installing dedup with its libraries,\
		DEDUP_REQUIRE_CORE=0 $(BIN)/python -m pip install --verbose .)
	@rm -rf build/lib* build/bdist* $(VENV)/developed
	@touch $@

$(LOWER)/ready: FORCE
	@$(need-python)
	@this="$$($(this-python); $(call contents,pyproject.toml))"; [ "$$this" = "$$(cat $@ 2>/dev/null)" ] || { \
		$(call step,lower-venv,making $(LOWER) with the oldest libraries allowed,\
			rm -rf $(LOWER) && $(PYTHON) -m venv $(LOWER) && \
			$(PYTHON) tools/lowest.py run build html pdf > $(LOWER)/lowest.txt && \
			$(PYTHON) tools/lowest.py --as-written test > $(LOWER)/test.txt && \
			$(LOWER)/bin/python -m pip install -r $(LOWER)/lowest.txt -r $(LOWER)/test.txt) && \
		echo "$$this" > $@; }

FORCE:

.DELETE_ON_ERROR:
.PHONY: help demo test stress lint test-lower accept fuzz bench clean FORCE
