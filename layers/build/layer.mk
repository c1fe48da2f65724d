# Included by arm64/Makefile and x86_64/Makefile. sam runs `make build-<logical id of the layer>` in
# a copy of the layer's folder. It does not say for which architecture, so template.yml says it by
# its choice of Makefile (Metadata, ContextPath).
#
# Each layer's folder links to this one: `sam build --cached` builds a layer again when anything in
# its folder has changed, links followed.

build-%:
	python3.13 $(BUILDER) layer --architecture $(ARCHITECTURE) --layer $* . $(ARTIFACTS_DIR)/python
