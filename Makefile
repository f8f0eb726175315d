# `make help` lists the commands.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One thing at a time: tests and benchmarks start processes and want the cores.
.NOTPARALLEL:

GO ?= go
# Narrow the Go commands with PKGS=./record/..., say.
PKGS ?= ./...
FUZZTIME ?= 10s
BENCHTIME ?= 1s

# golangci-lint is built from the Go module proxy: some minutes the first time.
GOLANGCI_VERSION := v2.15.0
GOLANGCI := .bin/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

# The Python of the tests is the one of .venv.
# The limit is for one package, on a machine that is busy with other work, too.
GO_TEST := PATH="$(CURDIR)/.venv/bin:$$PATH" $(GO) test -timeout=30m
SCRIPTS := .ci/run $(wildcard scripts/*.sh examples/*/*.sh)

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: deps
deps: ## Get what the tests need: .venv, python3, redis-server, node, chromium (says what it installs)
	@bash scripts/deps.sh

.PHONY: test
test: deps ## Run the tests
	$(GO_TEST) $(PKGS)

.PHONY: race
race: deps ## Run the tests with the race detector, in random order
	$(GO_TEST) -race -short -shuffle=on $(PKGS)

.PHONY: fuzz
fuzz: deps ## Run each fuzz test for FUZZTIME=10s
	PATH="$(CURDIR)/.venv/bin:$$PATH" GO="$(GO)" FUZZTIME="$(FUZZTIME)" bash scripts/fuzz.sh $(PKGS)

.PHONY: bench
bench: deps ## Run the benchmarks, each for BENCHTIME=1s
	$(GO_TEST) -run='^$$' -bench=. -benchmem -benchtime="$(BENCHTIME)" $(PKGS)

.PHONY: smoke
smoke: deps ## Run a short comparison with the command, end to end
	out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; \
	$(GO) run ./cmd/compare --model=all --jobs=50 --rounds=2 --out="$$out/smoke"; \
	test -s "$$out/smoke/records.jsonl"; \
	test -s "$$out/smoke/summary.json"

.PHONY: lint
lint: deps $(GOLANGCI) ## Check without running: format, vet, lint, imports, go.mod, Python, shell, TypeScript
	$(GOLANGCI) config verify
	$(GOLANGCI) fmt --diff
	$(GO) vet $(PKGS)
	$(GOLANGCI) run $(PKGS)
	$(GO) mod tidy -diff
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	for script in $(SCRIPTS); do bash -n "$$script"; done
	cd web && npm run --silent check
	GO="$(GO)" bash scripts/web.sh check

# The seeds of the fuzz tests, and what fuzzing once found, run with the tests.
.PHONY: check
check: lint ## Everything that CI runs
	$(GO) build -o /dev/null $(PKGS)
	GOARCH=arm64 $(GO) build -o /dev/null $(PKGS)
	bash scripts/deps_test.sh
	$(MAKE) bench BENCHTIME=1x
	$(MAKE) smoke
	$(MAKE) race
	$(GO_TEST) -shuffle=on $(PKGS)

.PHONY: web
web: deps ## Build what report.html has embedded, of web/ and cmd/whatif
	GO="$(GO)" bash scripts/web.sh

.PHONY: fmt
fmt: deps $(GOLANGCI) ## Format the Go and Python code
	$(GOLANGCI) fmt
	.venv/bin/ruff format .

.PHONY: clean
clean: ## Remove what these commands made; results of comparisons stay
	rm -rf .bin .venv .mypy_cache .ruff_cache web/node_modules compare

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION)"
	GOBIN="$(CURDIR)/$(@D)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
