# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
#
# `make train` and `make test` need Python 3.9, 3.10 or 3.11 and the package
# index, and do the rest themselves: they make .venv and install into it what
# requirements.txt pins. The tests also need .venv-worker, a worker's environment
# without TFF.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.ONESHELL:
.PHONY: help train test setup worker lock clean

PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3.11 python3.10 python3.9 python3 python)

# Run, not just looked up: a version manager's shim may exist for a Python that
# does not. Debian ships Python without venv's ensurepip.
PROBE := import sys, importlib.util as util; \
  good = (3, 9) <= sys.version_info[:2] <= (3, 11); \
  venv = util.find_spec("ensurepip"); \
  print("wrong" if not good else "ready" if venv else "no-venv")

help:
	@echo "make train   train FedAvg and FedBAT on scikit-learn's digits, compare them"
	echo "make test    run the tests"
	echo "make worker  make .venv-worker, for workers on TensorFlow 2.20"
	echo "make clean   remove both environments and what tests and builds leave"
	echo "make lock    resolve requirements.txt anew (needs uv)"
	echo "PYTHON=...   the Python 3.9, 3.10 or 3.11 that a new .venv is made from"

train: setup
	@.venv/bin/python -m launchers.quickstart

test: setup worker
	@TFF_BINARY_WORKER_PYTHON=.venv-worker/bin/python .venv/bin/python -m pytest tests -q \
	  --numprocesses 2 --dist loadfile

setup:
	@$(call environment,.venv,requirements.txt)

worker:
	@$(call environment,.venv-worker,worker-requirements.txt)

# Makes environment $(1) with what $(2) pins. The copy of $(2) in $(1) says that
# make owns $(1), and, once it is equal to the original, that the installation
# was completed.
define environment
	fail() { echo "$$*" >&2; exit 1; }
	lock=$$(cat $(2))
	if [ "$$lock" = "$$(cat $(1)/$(2) 2>/dev/null)" ]; then
	  $(1)/bin/python -c "" 2>/dev/null \
	    || fail "$(1) is broken (its Python fails): 'make clean' removes it."
	  exit 0
	fi
	if [ -e $(1) ] && [ ! -e $(1)/$(2) ]; then
	  fail "$(1) was not made by make: move it away ('make clean' removes it)."
	fi
	for python in $(CANDIDATES); do
	  case $$("$$python" -c '$(PROBE)' 2>/dev/null) in
	    ready) break ;;
	    no-venv) no_venv=$$python ;;
	  esac
	  python=
	done
	if [ -z "$$python" ] && [ -n "$$no_venv" ]; then
	  fail "$$no_venv cannot make environments: install its venv module" \
	    "(Debian: apt install python3-venv) or name another with PYTHON=..."
	elif [ -z "$$python" ]; then
	  fail "Python 3.9, 3.10 or 3.11 is needed; none of these is one:" \
	    "$(CANDIDATES). Name one with PYTHON=..."
	fi
	echo "Setting up $(1) with $$python (a minute or two) ..."
	rm -rf $(1)
	mkdir $(1)
	touch $(1)/$(2)
	"$$python" -m venv $(1) || fail "$$python could not make $(1)."
	pip="$(1)/bin/python -m pip --disable-pip-version-check -qq install"
	# Older ones do not know the platform tag of TFF's wheel.
	$$pip "pip>=20.3" \
	  && $$pip --no-deps --only-binary :all: -r $(2) \
	  && $$pip --no-deps --no-build-isolation -e . \
	  || fail "Could not install $(2). It takes the package index and" \
	    "Linux on x86_64."
	cp $(2) $(1)/$(2)
endef

# Keeps the leading comment. The markers that pyproject.toml adds to every line
# go: on another machine pip then fails instead of installing nothing.
lock:
	@sed '/^#/!q' requirements.txt | grep '^#' > requirements.txt.new
	uv pip compile --universal --python-version 3.9 --override overrides.txt \
	  --extra tff --extra test --extra report --no-annotate --no-header \
	  --quiet setup.py > requirements.txt.lock
	sed -e "s/ and platform_machine == 'x86_64'//" \
	  -e "s/ and sys_platform == 'linux'//" \
	  -e "s/ and python_full_version < '3.12'//" \
	  -e "s/ ; python_full_version < '3.12'$$//" \
	  requirements.txt.lock >> requirements.txt.new
	mv requirements.txt.new requirements.txt
	rm requirements.txt.lock

clean:
	@rm -rf .venv .venv-worker .pytest_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
