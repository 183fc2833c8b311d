# make demo · make test · make lint · make docs · make bench: each sets up what it needs in .venv and installs nothing twice.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# A changed list of versions or packages sets up again; nothing else does.
READY := $(VENV)/.ready
THREADS ?= 2

.PHONY: setup demo test lint docs bench clean

setup: $(READY)

$(READY): requirements.txt setup.py
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@# FastReID pins torch 1.13.1, which no resolver accepts beside torch 2, and gradio wants pillow below 13.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps fastreid==1.4.0 gradio==6.31.0
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

demo: $(READY)
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python projects/WCVL/train_net.py \
		--config-file projects/WCVL/configs/Demo/wcvl_r18.yml OUTPUT_DIR logs/demo
	@echo "Every command of the pages runs in this environment: source $(VENV)/bin/activate"

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

docs: $(READY)
	$(BIN)/python docs/make_configuration.py
	$(BIN)/python docs/make_commands.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site: build/site/index.html"

bench: $(READY)
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/reranking.py
	$(BIN)/python benchmarks/reranking.py --large
	$(BIN)/python benchmarks/processes.py
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python docs/figures/scaling.py

clean:
	rm -rf $(VENV) build/site logs
