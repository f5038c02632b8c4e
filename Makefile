# `make help` lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOOL      := go tool -modfile=tools/go.mod
FUZZTIME  ?= 10s
BENCHTIME ?= 1s
PKG       ?= ./...

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## the demo: gateway, console, shop and simulator in one process
	go run ./cmd/signal demo

.PHONY: build
build: ## the program, as ./signal
	CGO_ENABLED=0 go build -trimpath -o signal ./cmd/signal

.PHONY: test
test: ## all tests; those that need a browser skip where there is none
	go test $(PKG)

.PHONY: race
race: ## all tests under the race detector
	go test -race $(PKG)

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

.PHONY: e2e
e2e: ## the long tests: the program in a browser, killed at each step, under load
	go test -tags soak -timeout 20m $(PKG)

.PHONY: pictures
pictures: ## the pictures of README and docs, from the running demo in Chromium
	mkdir -p docs/pictures
	SIGNAL_PICTURES=$(CURDIR)/docs/pictures go test ./cmd/signal -run TestMainJobInABrowser -count=1

.PHONY: lint
lint: ## go vet and golangci-lint, pinned in tools/go.mod
	go vet $(PKG)
	$(TOOL) golangci-lint run $(PKG)

.PHONY: bench
bench: ## the benchmarks of the hot paths
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PKG)

.PHONY: gen
gen: ## what is generated: pages, the collector
	$(TOOL) templ generate -path console/web -log-level error
	go generate $(PKG)

.PHONY: verify
verify: ## fails when generated files are stale or a file is not gofmt'ed
	@.ci/verify
