# The two commands of a new clone: `make lab` and `make test`.
.PHONY: lab test check setup clean

KEEP ?=

setup:
	@scripts/setup

lab: setup
	@.venv/bin/diversite lab show $(if $(KEEP),--keep)

test:
	@scripts/setup dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/pytest

clean:
	@-.venv/bin/diversite lab down --all
	rm -rf .venv .tools build
