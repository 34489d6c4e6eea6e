# A thin alias of dev.py, for machines that have make.
PYTHON ?= python3

.PHONY: setup test slow every versions lint demo
setup test slow every versions lint demo:
	$(PYTHON) dev.py $@ $(ARGS)
