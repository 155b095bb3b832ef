# make       builds the environment and runs the main job
# make test  passes the tests; make test-slow those that run the workflow, R and a browser
# make docs  builds the documentation site
# make slurm adds what a run on a cluster with Slurm needs
# make peers compares pooling with five other tools
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin

.PHONY: all env test lint docs slurm peers lock readme benchmark clean

all: env
	@$(BIN)/snakemake

env: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("reweigh needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

test: env
	$(PYTEST) -m "not slow" $(FLAGS)

test-slow: env
	$(PYTEST) -m slow $(FLAGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# The documentation site, work/site/index.html, strict. Its tools come into the environment by this target alone.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/site/mkdocs.yml --site-dir "$(abspath work/site)"

$(VENV)/.docs: $(VENV)/.ready docs/site/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement docs/site/requirements.lock
	@touch $@

# What a run on a cluster with Slurm needs more. It comes into the environment by this target alone, for each start of
# Snakemake takes a third of a second longer with it.
slurm: $(VENV)/.slurm

$(VENV)/.slurm: $(VENV)/.ready profiles/slurm/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement profiles/slurm/requirements.lock
	@touch $@

# Ours and five peers on the same data, with CORPUS=FILE on a file of data rows of Cochrane reviews, too. The two that
# are used for nothing else have an environment of their own.
PEERS := work/peers-venv

peers: $(VENV)/.ready $(PEERS)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/peers.py $(CORPUS)

$(PEERS)/.ready: benchmarks/peers-requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Needs uv, and the environment. Writes the locks and, from the first, the conda environment.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras --python-version 3.11 --extra dev --extra workflow --extra formats --extra archive pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras --python-version 3.11 --constraints requirements.lock docs/site/requirements.in -o docs/site/requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras --python-version 3.11 --constraints requirements.lock profiles/slurm/requirements.in -o profiles/slurm/requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-strip-extras --python-version 3.11 --constraints requirements.lock benchmarks/peers-requirements.in -o benchmarks/peers-requirements.txt
	$(BIN)/python .ci/environment.py > .environment && mv .environment environment.yml

# results/README.md, from the schemas of the tables.
readme: env
	$(BIN)/python .ci/results_readme.py > .readme && mv .readme results/README.md

benchmark: env $(PEERS)/.ready
	for one in benchmarks/*.py; do $(BIN)/python $$one; done

clean:
	rm -rf work logs .snakemake
	find results -mindepth 1 ! -name README.md -delete
