# What one can do here; `make help` lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# make demo REPO=/any/git/repository TAGS="a b c" MINIONS=8 KEEP=1 WEB=1
REPO ?=
TAGS ?=
MINIONS ?= 5
KEEP ?=
WEB ?=

.PHONY: help demo demo-stop test unit components fault functional integration matrix lint format docs dist bench peers clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22
	@echo '  make demo REPO=/any/git/repository TAGS="a b c" MINIONS=8 KEEP=1 WEB=1'

# One environment for all; rebuilt when the dependencies may have changed.
$(READY): setup.cfg tools/venv
	@tools/venv $(VENV) $(PYTHON)
	@touch $@

demo: $(READY)  ## a real master and minions on this machine take two releases and refuse a broken one
	@$(BIN)/python -m demo --repo "$(REPO)" --tags "$(TAGS)" --minions "$(MINIONS)" $(if $(KEEP),--keep) $(if $(WEB),--web)

demo-stop: $(READY)  ## stop the fleet that `make demo KEEP=1` or `WEB=1` left up
	@$(BIN)/python -m demo --stop

test: programs lint docs unit components fault functional integration  ## everything

.PHONY: programs
programs:
	@tools/programs

# Tests start a few thousand Pythons: what one has compiled the next one reads.
export PYTHONDONTWRITEBYTECODE :=

# One process for each core: no test needs another one.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
# One more, where tests wait for other processes much of the time; with two for each core fleets begin to miss their moments.
WAITING := $(BIN)/python -m pytest --numprocesses $(shell expr 1 + $$(nproc))

# What each test of it needs is in its file; the rest are components.
unit: $(READY)  ## tests of the package: no Salt, less than three minutes
	$(PYTEST) -m "not component" tests/unit

components: $(READY)  ## the package with daemons, disks and programs of others
	$(WAITING) --dist worksteal -m component tests/unit

# SALTDEPLOY_ROUNDS=200 kills oftener, SALTDEPLOY_STRIDE=1 at every step, SALTDEPLOY_SEED=n as in the run that printed n.
fault: $(READY)  ## targets killed at random and step by step, a reader meanwhile, and properties at length
	$(PYTEST) tests/fault
	$(PYTEST) -m hypothesis --hypothesis-profile thorough tests/unit

# A file's tests stay together: most files have a set-up that takes as long as all of its tests.
functional: $(READY)  ## tests through Salt's loader
	$(WAITING) --dist loadfile tests/functional

# Tests with a mark xdist_group stay together: they share a fleet of their own.
integration: $(READY)  ## tests with a real master and real minions
	$(WAITING) --dist loadgroup tests/integration

# The Salts that people run, each in an environment of its own: make matrix SALTS=3006 TESTS=tests/integration/test_deploy.py
SALTS ?= 3006 3007 3008
TESTS ?= tests/integration

.PRECIOUS: .venv-%/.ready
.venv-%/.ready: setup.cfg tools/venv
	@tools/venv .venv-$* $(PYTHON) $*
	@touch $@

matrix: $(READY) $(SALTS:%=.venv-%/.ready)  ## the tests with a real fleet under each Salt, and a fleet of minions of all
	@mkdir -p build/matrix && rm -f build/matrix/*.xml
	$(foreach salt,$(SALTS),-.venv-$(salt)/bin/python -m pytest --numprocesses auto --dist worksteal \
		--junit-xml build/matrix/$(salt).xml $(TESTS) tests/matrix/test_salt_transports.py$(newline))
	-$(BIN)/python -m pytest --junit-xml build/matrix/mixed.xml tests/matrix
	@$(BIN)/python -m tools.matrix build/matrix docs/salts.md

# a line feed, which parts the commands of a foreach
define newline


endef

lint: $(READY)  ## style, types, who imports whom, house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=_utils $(BIN)/lint-imports --config setup.cfg
	$(BIN)/python tools/house_rules.py

format: $(READY)  ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## the pages and the reference of all functions as a site, in build/site; no link leads nowhere
	@$(BIN)/python -m tools.site.make build/site

dist: $(READY)  ## the wheel and the sdist, in dist/
	@rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

# make bench BENCH="compare transports" OPTIONS="--minions 10 --files 300000"; docs/bench.md names them all.
BENCH ?= goals
OPTIONS ?=
PROFILE ?=
bench: $(READY)  ## measure a fleet and its peers on this machine; PROFILE=1 shows where time goes
	$(BIN)/python -m bench $(if $(PROFILE),profile,$(BENCH)) $(OPTIONS)

peers:  ## install what `make bench` compares with (Debian, root)
	@tools/peers

clean:  ## remove all that make made
	rm -rf $(VENV) .venv-* build dist *.egg-info .cache .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
