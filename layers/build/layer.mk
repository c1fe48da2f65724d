# Included by arm64/Makefile and x86_64/Makefile. sam runs `make build-<logical id of the layer>` in
# a copy of the layer's folder. It does not say for which architecture, so template.yml says it by
# its choice of Makefile (Metadata, ContextPath).
#
# Each layer's folder links to this one: `sam build --cached` builds a layer again when anything in
# its folder has changed, links followed.
#
# Lambda unzips a function and its layers into at most 262,144,000 bytes. A tenth stays free; the
# common layer may take 7.9 MB of the rest and a function 1 MB.
build-CommonLayer: LIMIT := 7900000
build-%: LIMIT := 227000000

build-%:
	python3.13 $(LAYER_BUILDER) --architecture $(ARCHITECTURE) --limit $(LIMIT) . $(ARTIFACTS_DIR)/python
