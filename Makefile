# Everything that is built, run and tested; `make` alone lists it. Each target does its own set-up.

PORT       ?= 6379
DELIVERIES ?=
COUNT      ?=
JOBS       ?=
IMAGE      ?= valkey/valkey:8
TAG        ?=
DEB_IMAGE  ?=

MODULE      := $(CURDIR)/target/release/libworkgate.so
NOOP        := $(CURDIR)/target/release/examples/libnoop.so
WORKER      := $(CURDIR)/target/release/workgate
DEMO        := $(CURDIR)/target/release/workgate-demo
# The test commands are in a build of their own, so that they never stand where the release is.
TEST_MODULE := $(CURDIR)/target/test-module/debug/libworkgate.so

.DEFAULT_GOAL := help
# Targets use the processors by themselves; run side by side, set-up and builds would only wait for each other.
.NOTPARALLEL:
.PHONY: help setup build module worker run demo dist test-deb test test-module test-matrix test-docker bench bench-growth bench-crowd bench-guard bench-accept check-so lint fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## find what this machine lacks (libclang, a server) and install it
	@scripts/setup

build: module worker ## build the module, the worker and the demo, in release mode

module: setup
	cargo build --locked --release --lib

# By a profile of its own: with the feature on, Cargo would rebuild the module each time the two take turns.
worker: setup
	cargo build --locked --profile worker --bins --features worker
	@mkdir -p target/release
	@ln -f target/worker/workgate target/worker/workgate-demo target/release/

run: module ## start a server with the module in the foreground (PORT=6379), its data in run/
	@mkdir -p run
	@server="$$(scripts/servers path)" && echo "$$server on 127.0.0.1:$(PORT), Ctrl-C stops it" && \
	exec "$$server" --bind 127.0.0.1 --port $(PORT) --dir run --appendonly yes --loadmodule $(MODULE)

demo: build ## webhooks through limits, idempotency, queue, worker and cache (DELIVERIES=file.ndjson, COUNT=n)
	@server="$$(scripts/servers path)" && \
	exec $(DEMO) --server "$$server" --module $(MODULE) --worker $(WORKER) \
		$(if $(DELIVERIES),--deliveries "$(DELIVERIES)") $(if $(COUNT),--count $(COUNT))

# In a folder of its own: its profile is called like the folder that the archives go to.
DIST_MODULE := $(CURDIR)/target/dist-build/dist/libworkgate.so

dist: worker ## pack a release into target/dist: tar archive, symbols, Debian package, sums (TAG=v0.1.0 checks the version)
	cargo build --locked --profile dist --lib --target-dir target/dist-build
	@scripts/check-so $(DIST_MODULE)
	@TAG="$(TAG)" scripts/dist $(DIST_MODULE) $(WORKER)

test-deb: ## install the Debian package of `make dist` on a bare Debian 12, and use it (DEB_IMAGE=debian:12 in a container)
	@scripts/test-deb $(if $(DEB_IMAGE),--image $(DEB_IMAGE)) target/dist/workgate_*_$$(dpkg --print-architecture).deb

test: build test-module check-so ## unit, property and black-box tests on the machine's own server
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests

test-module: setup
	cargo build --locked --lib --features test-commands --target-dir target/test-module

test-matrix: test-module ## the black-box tests on every server there is: this machine's own, Redis 8, Valkey 8 and 9
	@scripts/setup --matrix
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --matrix

test-docker: test-module ## the black-box tests on a server in a container (IMAGE=valkey/valkey:8)
	@if ! docker info >/dev/null 2>&1; then \
		echo "test-docker: skipped, no container engine answers"; \
	else \
		WORKGATE_SERVER=docker:$(IMAGE) WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --black-box; \
	fi

bench: module bench-crowd ## measure the commands beside their peers; writes docs/performance.md and docs/crowd.md (10 minutes)
	cargo build --locked --release --example noop
	@server="$$(scripts/servers path)" || exit 1; \
	newer="$$(scripts/servers path valkey-9)" || echo "bench: no second server"; \
	peers="$$(scripts/peers)" || echo "bench: peers could not be fetched"; \
	cargo bench --locked --bench peers -- --server "$$server" $${newer:+--second-server "$$newer"} \
		--module $(MODULE) --noop $(NOOP) --report docs/performance.md $${peers:+--peers "$$peers"}

bench-growth: module ## the cost of each verb from 1,000 to 10 million jobs (JOBS=n); writes docs/growth.md (10 minutes, 8 GB)
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench growth -- --server "$$server" --module $(MODULE) --report docs/growth.md \
		$(if $(JOBS),--jobs $(JOBS))

bench-crowd: module ## 10,000 readers of one cold key beside XREAD, and memory a key; writes docs/crowd.md
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench crowd -- --server "$$server" --module $(MODULE) --report docs/crowd.md

bench-guard: module ## count the commands' instructions under callgrind and compare with benches/guard.txt
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench peers -- --server "$$server" --module $(MODULE) --instructions --guard benches/guard.txt

bench-accept: module ## count them and write benches/guard.txt
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench peers -- --server "$$server" --module $(MODULE) --instructions --guard benches/guard.txt --accept

check-so: module
	@scripts/check-so $(MODULE)

lint: setup ## formatting, clippy, .github, and shellcheck where it is installed
	cargo fmt --check
	cargo clippy --locked --all-targets --all-features -- -D warnings
	@scripts/lint-workflows
	@if command -v shellcheck >/dev/null; then shellcheck $(filter-out %.toml,$(wildcard scripts/*)) .ci/run packaging/deb/postinst packaging/deb/prerm; \
	else echo "lint: no shellcheck here, the scripts were not looked at"; fi

fmt: ## format the Rust code
	cargo fmt

clean: ## remove what was built (target/); the data of `make run` stays in run/
	cargo clean
