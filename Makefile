# `make demo` and `make test` do all their own set-up: they need Python 3 with venv, make and the package index.

UV_VERSION := 0.13.9
UV := .uv/bin/uv
READY := .venv/.ready
# Python 3.13: on the path, else kept by pyenv, else fetched by uv.
PYTHON313 = $(shell for p in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python3.13; do \
	"$$p" -c '' 2>/dev/null && echo "$$p" && exit 0; done; echo 3.13)
# Every test that starts a worker would compile the whole app again.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(UV) run --frozen --no-sync

.PHONY: help demo test check bench chaos soak format generate requirements clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Rehearse on a local Azure: drifted AI resources in, fixed and recorded out
	@$(RUN) airlock rehearse --mode enforce

test: check ## Format, lint, types, import contracts, and all tests
	@rm -f .coverage .coverage.*
	$(RUN) coverage run -m pytest
	@$(RUN) coverage combine --quiet
	$(RUN) coverage report

check: $(READY) node_modules/.ready
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	$(RUN) lint-imports

bench: $(READY) ## Measure, print, and write benchmarks/results.json
	@$(RUN) python -m benchmarks

chaos: $(READY) ## Break everything everywhere, and check that nothing is lost (takes its time)
	@$(RUN) python -m tests.chaos

soak: $(READY) ## 20,000 events at full speed: nothing lost, memory flat (five minutes)
	@$(RUN) python -m benchmarks.soak

format: $(READY) ## Format and mend what ruff can mend
	$(RUN) ruff format
	$(RUN) ruff check --fix

generate: $(READY) ## Write docs/reference.md and infra/generated/ from the code
	$(RUN) python -m cli.reference
	$(RUN) python -m cli.infra

requirements: $(READY) ## Export what is deployed from uv.lock
	$(UV) export --quiet --frozen --no-dev --no-default-groups --no-emit-project --format requirements-txt -o requirements.txt

clean: ## Remove everything that make put here
	rm -rf .venv .uv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* rehearsal

$(UV):
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): uv.lock pyproject.toml | $(UV)
	$(UV) sync --quiet --frozen --compile-bytecode --python "$(PYTHON313)"
	@touch $@

# Azurite proves the local Table and Queue services; without Node its tests say that they are skipped.
node_modules/.ready: package-lock.json
	@mkdir -p node_modules
	@if command -v npm >/dev/null 2>&1; then npm ci --silent --no-audit --no-fund || echo "npm could not install Azurite; its tests will be skipped"; \
	else echo "Node is not here; the tests against Azurite will be skipped"; fi
	@mkdir -p node_modules && touch $@
