# A thin alias of dev.py, for machines that have make.
PYTHON ?= python3

.PHONY: setup test lint demo
setup test lint demo:
	$(PYTHON) dev.py $@
