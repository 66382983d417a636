# make run   serves the demo and says where
# make test  everything that CI runs
#
# Needs Go and Node; the race detector needs a C compiler, the browser tests
# Chromium. What the tests use beyond that (sqlite3, python3) is found when it is
# there; `make tools` installs all of it on Debian.

GO      ?= go
BIN     := bin/tidemark
SEED    ?= 1
STEPS   ?= 400
REPLICAS ?= 3
RUNS    ?= 1
FUZZTIME ?= 20s

.PHONY: run build page test needs fmt fmt-check lint gen gen-check js js-check size js-unit e2e unit sim planted fuzz bench bench-browser soak tools clean

run: build
	$(BIN) demo

build: page
	$(GO) build -o $(BIN) ./cmd/tidemark

# The demo's page, which the binary carries.
PAGE := internal/page/dist
page: js
	cd js && npm run --silent build
	find $(PAGE) -mindepth 1 ! -name .gitignore -delete
	cp -R js/demo/dist/. $(PAGE)/

# The packages of the npm workspace, as the lockfile pins them.
js: js/node_modules/.package-lock.json

js/node_modules/.package-lock.json: js/package-lock.json
	@command -v npm >/dev/null || { echo "not installed: node and npm, version 20 or newer (Debian: apt-get install nodejs npm; macOS: brew install node)"; exit 1; }
	cd js && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The order is from cheap to dear, so that a slip shows early. The test runners'
# own summary lines come last.
test: needs fmt-check gen-check lint js-check size planted unit js-unit e2e

fmt:
	gofmt -w $$(git ls-files '*.go')
	cd js && npm run --silent format

fmt-check:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi

# The linter is pinned in a module of its own, so that its dependencies stay out of ours.
LINTER := .tools/golangci-lint

$(LINTER): tools/go.mod
	cd tools && $(GO) build -o ../$(LINTER) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: $(LINTER)
	$(LINTER) run

gen:
	$(GO) generate ./...

GENERATED := codes.go js/client/src/codes.ts
gen-check:
	@rm -rf .before; for f in $(GENERATED); do mkdir -p .before/$$(dirname $$f) && cp $$f .before/$$f || exit 1; done; \
	$(GO) generate ./... || exit 1; \
	for f in $(GENERATED); do cmp -s $$f .before/$$f || { echo "$$f changed (commit what make gen writes)"; rm -rf .before; exit 1; }; done; rm -rf .before

# Formatting, lint and types of the TypeScript.
js-check: js
	cd js && npm run --silent lint && npm run --silent types

# How large the packages are. What builds them builds the page as well, for all of make test.
size: page
	cd js && npm run --silent size

js-unit: js
	cd js && npm run --silent unit

# Real browsers against the real binary.
e2e: build
	cd js && npm run --silent e2e

bench-browser: build
	cd js && npm run --silent bench:browser

# Every test runs with the race detector but those of internal/e2e, which only
# start programs. It slows them down: so what tries many cases tries few of them
# there, and all without it. SQLite, which is Go here, is left out of it: a
# connection belongs to one goroutine, and internal/lite tests that sharing one is
# detected all the same. The linter has vetted everything by now.
RACE := -race '-gcflags=github.com/ncruces/go-sqlite3-wasm/...=-race=false'
MANY := ./internal/capture ./internal/e2e ./internal/hub ./internal/replica ./internal/sim ./internal/twin
unit: js
	$(GO) test -vet=off -p 4 -timeout 20m $(MANY)
	all=$$($(GO) list ./...) || exit 1; \
	$(GO) test -vet=off $(RACE) -short -p 4 -parallel 8 -timeout 20m $$(echo "$$all" | grep -v /internal/e2e$$)

sim:
	$(GO) test ./internal/sim -run 'TestSim$$' -count=1 -v -sim.seed=$(SEED) -sim.steps=$(STEPS) -sim.replicas=$(REPLICAS) -sim.runs=$(RUNS)

# The simulator must catch every deliberate fault of internal/planted.
planted:
	$(GO) test -tags planted -timeout 10m ./internal/sim -run 'TestPlanted'

fuzz:
	@for target in .:FuzzParseKeyID ./internal/lite:FuzzQuote ./internal/schema:FuzzDecode ./internal/literal:FuzzRead ./internal/wire:FuzzDecodeUp \
		./internal/wire:FuzzDecodeDown ./internal/wire:FuzzDecodeChanges ./internal/wire:FuzzDecodeValues ./internal/wire:FuzzDecodeOutcome \
		./internal/schema:FuzzTokens ./internal/splice:FuzzParseEdit ./internal/splice:FuzzParseBody \
		./internal/merge:FuzzEdits ./internal/merge:FuzzIntents ./internal/merge:FuzzTrees ./internal/policy:FuzzParse ./internal/policy:FuzzScopes; do \
		$(GO) test $${target%%:*} -run '^$$' -fuzz "^$${target##*:}$$" -fuzztime $(FUZZTIME) || exit 1; done

# Figures are ratios against plain SQLite or a bare loop in the same run.
bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s ./internal/capture ./internal/wire ./internal/splice ./internal/merge ./internal/digest ./internal/guards ./internal/token ./internal/presence ./internal/hub ./store/sqlite ./internal/replica ./server ./client ./bench

soak: js
	$(GO) test ./internal/e2e -run 'TestTorture$$' -count=1 -timeout 1h -e2e.seed=$(SEED) -e2e.transactions=20000
	$(GO) test ./internal/twin -run 'TestTwins$$' -count=1 -timeout 1h -twin.seed=$(SEED) -twin.steps=200 -twin.time=30m
	$(GO) test ./internal/sim -run 'TestSim$$' -count=1 -timeout 4h -sim.seed=$(SEED) -sim.steps=1000 -sim.replicas=5 -sim.runs=2000

# The race detector needs a C compiler; sqlite3 and python3 write into replicas in
# the tests, as any user's tools would; Chromium shows the pages. CI installs what is missing.
tools:
	apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev sqlite3 python3 chromium fonts-dejavu-core

needs:
	@missing=; for tool in cc sqlite3 python3 chromium; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ] && [ "$$CI" = true ]; then exec $(MAKE) tools; fi; \
	case "$$missing" in \
	*\ cc*) echo "the race detector needs a C compiler: make tools (Debian, as root) or xcode-select --install (macOS)"; exit 1;; \
	?*) echo "not installed:$$missing; tests that use them are skipped (Debian: make tools)";; \
	esac

clean:
	rm -rf bin
