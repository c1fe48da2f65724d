# Everything runs in environments that uv makes from uv.lock; uv itself is installed when missing.
#
#   make run [IMAGE=file or folder] [OUT=folder] [CRITERION=name] [STACK=name]
#   make test

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run stop test lint lock
export SAM_CLI_TELEMETRY := 0

# `uv --version`, for a command of that name may exist and not work.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/uv/bin/uv)
export PATH := $(CURDIR)/$(dir $(UV)):$(PATH)

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

run: .venv  ## quantize IMAGE on the local engine (or on STACK), results in OUT
	@.venv/bin/quantize $(if $(IMAGE),"$$IMAGE") $(if $(OUT),--out "$$OUT") \
	  $(if $(CRITERION),--criterion "$$CRITERION") $(if $(STACK),--stack "$$STACK")

stop: .venv  ## end the local engine and all its processes
	@.venv/bin/python -m local.engine stop

test: lint  ## lint, then every test
	.venv/bin/pytest

lint: .venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/sam validate --lint --region us-east-1

lock: .venv  ## bring uv.lock and the layers' requirements up to pyproject.toml
	uv lock
	layers/export-requirements

.venv: uv.lock pyproject.toml | $(UV)
	uv sync --quiet --frozen
	@touch .venv

.tools/uv/bin/uv:
	python3 -m venv .tools/uv
	.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
