# Everything that is built, run and tested; `make` alone lists it. Each target does its own set-up.

PORT       ?= 6379
DELIVERIES ?=
KEEP       ?=
COUNT      ?=
FILTER     ?=
JOBS       ?=
SERVER     ?=
TAG        ?=
PROFILE    ?=
DEB_IMAGE  ?=

MODULE      := $(CURDIR)/target/release/libworkgate.so
WORKER      := $(CURDIR)/target/release/workgate
# What is measured and handed out, by a slower build. In a folder of its own: the profile is called like the folder that
# the archives go to.
DIST_MODULE := $(CURDIR)/target/dist-build/dist/libworkgate.so
DIST_NOOP   := $(CURDIR)/target/dist-build/dist/examples/libnoop.so
# The development build, with the test commands: demo and tests share it, so that a newcomer builds once.
TEST_MODULE := $(CURDIR)/target/debug/libworkgate.so
DEMO        := $(CURDIR)/target/debug/workgate-demo
DEMO_WORKER := $(CURDIR)/target/debug/workgate

# The plugin of the engine's command line, or the older program.
COMPOSE      = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) --project-name workgate

.DEFAULT_GOAL := help
# Targets use the processors by themselves; run side by side, set-up and builds would only wait for each other.
.NOTPARALLEL:
.PHONY: help setup build dev-build dist-module dist-noop run demo dist test-deb test test-blackbox test-module test-matrix reliability test-soak image up down test-docker bench bench-scaling bench-stampede bench-tenants bench-waiters bench-worker bench-guard bench-accept bench-breakdown fixtures reference screenshots check-so lint fmt clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## find what this machine lacks (libclang, a server) and install it
	@scripts/setup

build: setup ## build the module and the worker, in release mode
	cargo build --locked --release --features otlp --lib --bins

# The example makes Cargo choose the same features of the dependencies as it does for the tests.
dev-build: setup
	cargo build --locked --all-features --lib --bins --example noop

# Guided by a profile; PROFILE=no leaves it out, in half the time.
dist-module: setup
	@scripts/build-dist $(if $(filter no,$(PROFILE)),--plain)

dist-noop: setup
	@scripts/build-dist --noop $(if $(filter no,$(PROFILE)),--plain)

run: build ## start a server with the module in the foreground (PORT=6379), its data in run/
	@mkdir -p run
	@server="$$(scripts/servers path)" && echo "$$server on 127.0.0.1:$(PORT), Ctrl-C stops it" && \
	exec "$$server" --bind 127.0.0.1 --port $(PORT) --dir run --appendonly yes --loadmodule $(MODULE)

demo: dev-build ## webhooks through limits, idempotency, queue, worker and cache (DELIVERIES=file.ndjson, COUNT=n, KEEP=1 leaves it up)
	@server="$$(scripts/servers path)" && \
	exec $(DEMO) --server "$$server" --module $(TEST_MODULE) --worker $(DEMO_WORKER) \
		$(if $(DELIVERIES),--deliveries "$(DELIVERIES)") $(if $(COUNT),--count $(COUNT)) $(if $(KEEP),--keep)

dist: build dist-module ## pack a release into target/dist: tar archive, symbols, Debian package, sums (TAG=v0.1.0 checks the version)
	@scripts/check-so $(DIST_MODULE)
	@TAG="$(TAG)" scripts/dist $(DIST_MODULE) $(WORKER)

test-deb: ## install the Debian package of `make dist` on a bare Debian 12, and use it (DEB_IMAGE=debian:12 in a container)
	@scripts/test-deb $(if $(DEB_IMAGE),--image $(DEB_IMAGE)) target/dist/workgate_*_$$(dpkg --print-architecture).deb

test: dev-build ## unit, property and black-box tests on the machine's own server
	@scripts/check-so $(TEST_MODULE)
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests

test-blackbox: dev-build ## black-box tests whose name holds FILTER (FILTER=ratelimit::)
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --black-box $(FILTER)

test-module: dev-build

test-matrix: test-module ## the black-box tests on every server that can be had, Redis 7.0 to 8.6 and Valkey 8.0 to 9 (SERVER=name)
	@scripts/setup --matrix
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --matrix $(SERVER)

image: build dist-module ## build the images workgate/server, workgate/worker and workgate/module (SERVER=redis-8, redis-7.0, valkey-9)
	@scripts/build-images $(DIST_MODULE) $(WORKER) $(or $(SERVER),redis-8)

up: image ## start a server and a worker in containers, as compose.yaml says (SERVER=…)
	$(COMPOSE) up --detach

down: ## stop them; the data stays in the volume
	$(COMPOSE) down

# With the development build, which CI has at this point: how an image works does not depend on the optimisation.
test-docker: dev-build ## test the images, and the module on servers in containers (SERVER=redis-8, redis-7.0, valkey-9; default all)
	@scripts/test-docker $(TEST_MODULE) $(DEMO_WORKER) $(SERVER)

bench: dist-noop bench-stampede ## measure the commands beside their peers; writes docs/benchmarks/performance.md, stampede.md and docs/images/cost.svg (10 minutes)
	@server="$$(scripts/servers path)" || exit 1; \
	newer="$$(scripts/servers path valkey-9)" || echo "bench: no second server"; \
	peers="$$(scripts/peers)" || echo "bench: peers could not be fetched"; \
	cargo bench --locked --bench peers -- --server "$$server" $${newer:+--second-server "$$newer"} \
		--module $(DIST_MODULE) --noop $(DIST_NOOP) --report docs/benchmarks/performance.md $${peers:+--peers "$$peers"} && \
	scripts/cost-chart

bench-scaling: dist-module ## the cost of each verb from 1,000 to 10 million jobs (JOBS=n); writes docs/benchmarks/scaling.md (10 minutes, 8 GB)
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench scaling -- --server "$$server" --module $(DIST_MODULE) --report docs/benchmarks/scaling.md \
		$(if $(JOBS),--jobs $(JOBS))

bench-stampede: dist-module ## 10,000 readers of one cold key beside XREAD, and memory a key; writes docs/benchmarks/stampede.md
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench stampede -- --server "$$server" --module $(DIST_MODULE) --report docs/benchmarks/stampede.md

bench-tenants: dist-module ## a tenant with a million waiting jobs (JOBS=n) beside 1,000 quiet ones; writes docs/benchmarks/tenants.md
	@server="$$(scripts/servers path)" && \
	cargo bench --locked --bench tenants -- --server "$$server" --module $(DIST_MODULE) --report docs/benchmarks/tenants.md \
		$(if $(JOBS),--jobs $(JOBS))

bench-waiters: dist-module ## 10,000 clients at 8 places of RATELIMIT.ACQUIRE on three servers; writes docs/benchmarks/waiters.md
	@server="$$(scripts/servers path)" && \
	others="" && for name in redis-8 valkey-9; do \
		path="$$(scripts/servers path $$name)" && others="$$others --other-server $$path" || echo "bench: no $$name"; \
	done; \
	cargo bench --locked --features worker --bench waiters -- --server "$$server" --module $(DIST_MODULE) --report docs/benchmarks/waiters.md $$others

# The server is the newest, as one of the rivals needs it.
bench-worker: dist-module ## a million jobs through the worker beside INCR and the workers of others, and how soon it has one; writes docs/benchmarks/worker.md (5 minutes)
	@server="$$(scripts/servers path redis-experimental)" || server="$$(scripts/servers path)" || exit 1; \
	rivals="$$(scripts/peers rivals)" || echo "bench: the rivals' workers could not be built"; \
	python=""; for name in bullmq arq saq; do \
		folder="$$(scripts/python-clients $$name)" && python="$$python --python-rival $$name=$$folder" || echo "bench: no $$name for Python"; \
	done; \
	cargo bench --locked --features null-handler --bench worker -- --server "$$server" --module $(DIST_MODULE) \
		--report docs/benchmarks/worker.md $${rivals:+--rivals "$$rivals"} $$python $(if $(JOBS),--jobs $(JOBS))

bench-guard: dist-module ## count the commands' instructions under callgrind on three servers and compare with benches/instructions
	@scripts/guard-instructions $(DIST_MODULE)

bench-accept: dist-module ## count them and write benches/instructions
	@scripts/guard-instructions $(DIST_MODULE) --accept

bench-breakdown: dist-module ## name the instructions of the measured commands one by one; writes docs/benchmarks/instructions.md
	@profiles="$$(mktemp -d)" && server="$$(scripts/servers path)" && \
	cargo bench --locked --bench peers -- --server "$$server" --module $(DIST_MODULE) --instructions --profiles "$$profiles" && \
	scripts/instruction-breakdown "$$profiles" && rm -r "$$profiles"

reliability: test-module ## run the tests of docs/reliability.md on three servers, and write their figures into it
	@scripts/setup --matrix
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --reliability

test-soak: test-module ## the same tests for about an hour, with new seeds (WORKGATE_SOAK=10)
	@scripts/setup --matrix
	@WORKGATE_MODULE=$(TEST_MODULE) scripts/run-tests --soak

fixtures: dev-build ## write files of this version into tests/fixtures, where later versions must load them
	@WORKGATE_MODULE=$(TEST_MODULE) WORKGATE_FIXTURE="$(CURDIR)/tests/fixtures/$$(git describe --always)" \
		cargo test --locked --all-features --test blackbox write_the_fixture_of_this_version -- --ignored

reference: dev-build ## write docs/reference from what a server says of the commands
	@WORKGATE_MODULE=$(TEST_MODULE) WORKGATE_SERVER="$$(scripts/servers path valkey-9)" \
		cargo test --locked --all-features --test docs write_the_reference -- --ignored

screenshots: dev-build ## write docs/images: the dashboard in a headless Chromium, after an hour of traffic in a minute
	@scripts/screenshots

check-so: build
	@scripts/check-so $(MODULE)

lint: setup ## formatting, clippy, .github, and shellcheck where it is installed
	cargo fmt --check
	cargo clippy --locked --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features --document-private-items --lib
	@scripts/lint-workflows
	@if command -v shellcheck >/dev/null; then shellcheck $(filter-out %.toml,$(wildcard scripts/* docker/*.sh docker/workgate-*)) .ci/run packaging/deb/postinst packaging/deb/prerm; \
	else echo "lint: no shellcheck here, the scripts were not looked at"; fi

fmt: ## format the Rust code
	cargo fmt

clean: ## remove what was built (target/); the data of `make run` stays in run/
	cargo clean
