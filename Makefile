# The two commands of a new clone: `make lab` and `make test`.
.PHONY: lab drill drill-ci test check setup clean

KEEP ?=
REPEAT ?= 1

setup:
	@scripts/setup

lab: setup
	@.venv/bin/diversite lab show $(if $(KEEP),--keep)

drill: setup
	@.venv/bin/diversite drill --repeat $(REPEAT) $(if $(KEEP),--keep)

# One repetition of six faults on four sites, under six minutes on two cores; `make test` runs it as well.
drill-ci: setup
	@scripts/setup dev
	.venv/bin/pytest -q tests/drills/test_drill.py

test:
	@scripts/setup dev clouds accounts state report
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/pytest --durations=20

clean:
	@-.venv/bin/diversite lab down --all
	rm -rf .venv .tools build
