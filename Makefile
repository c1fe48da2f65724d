# Everything runs in environments that uv makes from uv.lock; uv itself is installed when missing.
#
#   make run [IMAGE=file or folder] [OUT=folder] [CRITERION=name] [STACK=name] [ARGS="--k-max 16"]
#   make test
#
# `make` alone lists the rest.

SHELL := bash
.DEFAULT_GOAL := help
COMMANDS := help run backfill invoke console stop test check lint lock events generate gallery pages
COMMANDS += build deploy delete release publish audit benchmark-reliability
.PHONY: $(COMMANDS)
export SAM_CLI_TELEMETRY := 0
# Containers like to set it; each process would then compile all that it imports, which takes longer
# than most of them run.
unexport PYTHONDONTWRITEBYTECODE
ENV := default
SYNCED := .venv/synced
# Half of that, which is enough to run the service.
READY := .venv/ready

# `uv --version`, for a command of that name may exist and not work.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/uv/bin/uv)
export PATH := $(CURDIR)/.venv/bin:$(abspath $(dir $(UV))):$(PATH)

# Of itself, make takes any variable, and any file for a goal: a slip would go unseen, and the sample
# photo be quantized in place of the image that was meant.
VARIABLES := IMAGE OUT CRITERION STACK ARGS PREFIX ENV PARAMETERS ARCHITECTURE FUNCTION TAG BUCKET
VARIABLES += ENGINE_PORT CONSOLE_PORT AWS_%
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(strip $(filter-out $(VARIABLES),$(GIVEN)))
ifneq ($(UNKNOWN),)
$(error $(UNKNOWN): no such variable; choose from $(filter-out %_%,$(VARIABLES)))
endif
# A dollar in a name is itself: make would expand it.
$(foreach name,$(GIVEN),$(eval export override $(name) := $$(value $(name))))
STRAY := $(filter-out $(COMMANDS) benchmark-% $(SYNCED) $(READY) .tools/uv/bin/uv,$(MAKECMDGOALS))
ifneq ($(STRAY),)
$(error $(STRAY): make knows no such command; an image is named so: make run IMAGE="$(STRAY)")
endif

help:  ## say what can be made
	@grep -E '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

run: $(READY)  ## quantize IMAGE on the local engine (or on STACK), results in OUT
	@$(if $(STACK),quantize --stack "$$STACK",.venv/bin/python -m emulator.quantize) $(if $(IMAGE),"$$IMAGE") $(if $(OUT),--out "$$OUT") \
	  $(if $(CRITERION),--criterion "$$CRITERION") $(ARGS)

backfill: $(READY)  ## quantize what is in the local engine's (or STACK's) input bucket under PREFIX
	@$(if $(STACK),quantize --stack "$$STACK",.venv/bin/python -m emulator.quantize) --bucket-prefix "$$PREFIX" $(ARGS)

console: $(READY)  ## show the local engine's executions in the browser, until Ctrl-C
	@.venv/bin/python -m emulator.console

stop: $(READY)  ## end the local engine and all its processes
	@python -m emulator.engine stop

# Three at once on two cores: the tests of the deployed stack mostly wait.
test: lint  ## lint, then every test, with the coverage of the core
	COVERAGE_CORE=sysmon pytest -n 3 --dist loadgroup --cov --cov-report=term

check: lint  ## lint, then the tests that need no engine, no build and no browser
	pytest -m "not slow" -n 2 --dist loadgroup --hypothesis-profile quick

lint: $(SYNCED)  ## ruff, mypy, the import rules, and the linters of template and state machine
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	sam validate --lint --region us-east-1
	@# statelint knows neither substitutions, nor variables, nor two fields that came after it.
	for machine in statemachine/*.yaml; do \
	  statelint --yaml --eval-jsonata "$$(sed -E "s/.\{% .map_concurrency %\}./25/; s/[$$]\{TimeLimit\}/210/; \
	    s/[$$]\{MapConcurrency\}/25/; s/[$$]\{ItemReader\}/{Resource: 'arn:aws:states:::s3:getObject'}/; \
	    /^ +Label:/d; /^ +WriterConfig:/,+2d" $$machine)" || exit; done

lock: $(SYNCED)  ## bring uv.lock and the layers' requirements up to pyproject.toml
	uv lock
	layers/export-requirements

# One list, so that what is built for a processor is deployed for the same.
TO_AWS = --config-env $(ENV) $(PARAMETERS) $(if $(ARCHITECTURE),Architecture=$(ARCHITECTURE))

build: $(SYNCED)  ## build for AWS, for ARCHITECTURE (arm64 or x86_64)
	python -m tools.deploy --build-only $(TO_AWS)

benchmark-reliability: $(SYNCED)  ## fuzz the decoding, let every call of S3 fail, upload 200 at once
	uv run --quiet --frozen --group benchmarks python -m benchmarks.reliability $(ARGS)

benchmark-%: $(SYNCED)  ## print how render, peers, pipeline, k_selection, ... compare (ARGS=--help)
	uv run --quiet --frozen --group benchmarks python -m benchmarks.$* $(ARGS)

audit: $(UV)  ## hold every locked dependency against the known vulnerabilities (asks osv.dev)
	uv audit --frozen --preview-features audit-command

deploy: $(SYNCED)  ## build for AWS and deploy there, as samconfig.toml says for ENV
	python -m tools.deploy $(TO_AWS)

delete: $(SYNCED)  ## delete the stack on AWS, but neither the uploads nor the results
	python -m tools.delete --config-env $(ENV)

release: $(SYNCED)  ## build wheel and notes of TAG into dist/
	@python -m tools.release "$$TAG"

publish: $(SYNCED)  ## publish the application to the Serverless Application Repository by BUCKET
	python -m tools.deploy --build-only Architecture=arm64
	sam package --template-file .aws-sam/arm64/build/packed.json \
	  --s3-bucket "$$BUCKET" --output-template-file .aws-sam/packaged.yaml
	sam publish --template .aws-sam/packaged.yaml

events: $(SYNCED)  ## record events/ and env.json from the newest execution on the local engine
	python -m tools.events

invoke: $(SYNCED)  ## run FUNCTION in a container with its recorded event, against the local engine
	@.venv/bin/python -m emulator.invoke $(FUNCTION)

gallery: $(SYNCED)  ## make docs/gallery and README's pictures anew
	uv run --quiet --frozen --group benchmarks python -m tools.gallery

pages: $(SYNCED)  ## write the gallery with its reports into pages/, to publish as it is
	uv run --quiet --frozen --group benchmarks python -m tools.pages

generate: $(SYNCED)  ## write schemas/, the machine's diagram and what the docs repeat of the code
	python -m tools.generate

# The stamp, not the folder: a sync that was cut short leaves a folder too.
$(SYNCED): uv.lock pyproject.toml | $(UV)
	uv sync --quiet --frozen
	@touch $(SYNCED)

# sam's linter and what only the linter needs. Without them a sixth less is installed.
NOT_TO_RUN := cfn-lint sympy mpmath networkx
$(READY): uv.lock pyproject.toml | $(UV)
	uv sync --quiet --frozen --inexact --no-default-groups --group local \
	  $(addprefix --no-install-package ,$(NOT_TO_RUN))
	@touch $(READY)

# With the system's pip, if there is one: to install another takes twice as long. Of two commands at
# once the second one waits. The lock is the folder's.
.tools/uv/bin/uv:
	@mkdir -p .tools
	flock .tools sh -ec 'test -x $@ && exit; python=python3; python3 -m pip --version >/dev/null 2>&1 \
	  || { python3 -m venv .tools/pip; python=.tools/pip/bin/python; }; \
	  PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore $$python -m pip install \
	  --quiet --disable-pip-version-check --upgrade --target .tools/uv uv==0.13.9'
