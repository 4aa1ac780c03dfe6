# Postern: make help

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 5s
TESTFLAGS   ?=
# SQLite translated from C keeps to memory of its own: the race detector finds
# nothing there, and makes it four times slower. No more than that one package:
# generic code that others compile without the detector would be linked for all.
RACE        := -race -gcflags=modernc.org/sqlite/lib=-race=false

.PHONY: help run build test lint fuzz bench fleet microbench prepare

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the development server on http://127.0.0.1:8000
	$(GO) run ./cmd/postern dev

build: ## build the static binary ./postern
	CGO_ENABLED=0 $(GO) build -trimpath -o postern ./cmd/postern

test: prepare ## run every test, with the race detector
	$(GO) test -run TestEveryHashThatDjangoMadeVerifies ./internal/password # skipped under the race detector, which would stretch it to minutes
	$(GO) test $(RACE) $(TESTFLAGS) -timeout 30m ./...

lint: ## gofmt, go vet and staticcheck, on what the tests compile: nothing is compiled twice
	@out="$$(gofmt -l $$(git ls-files '*.go'))"; test -z "$$out" || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }
	$(GO) vet $(RACE) ./...
	@tools="$$(mktemp -d)" && trap 'rm -rf "$$tools"' EXIT && \
	GOBIN="$$tools" $(GO) install $(STATICCHECK) && GOFLAGS="$(RACE)" "$$tools/staticcheck" ./...

fuzz: ## run each fuzz target for FUZZTIME (5s)
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" ./scripts/fuzz

bench: build ## compare the binary with its baselines, write docs/benchmarks.md (BENCHFLAGS=-help tells more)
	@./scripts/prepare servers
	@programs="$$(mktemp -d)" && trap 'rm -rf "$$programs"' EXIT && \
	CGO_ENABLED=0 $(GO) build -trimpath -o "$$programs/" ./bench ./bench/empty ./bench/hash && \
	"$$programs/bench" -postern ./postern -out docs $(BENCHFLAGS)

fleet: ## simulate many nodes and plan for them, write the tables of docs/scaling.md
	$(GO) run ./bench/fleet -write docs/scaling.md

microbench: ## run the Go benchmarks of every room
	$(GO) test -run '^$$' -bench . -benchmem ./...

prepare: # what the tests need beside Go: a C compiler for the race detector
	@./scripts/prepare
