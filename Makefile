# pve-multipath: build, tests and packaging. `make help` lists the targets.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# Where the crate perlmod comes from, for perl/binding/cargo.
export PERLMOD ?= stand-in
export PERLMOD_GIT PERLMOD_PATH CARGO_REGISTRY_DIR

# cargo's profile for the library that Perl loads.
PROFILE ?= release

DEPS ?= install
DESTDIR ?=
PREFIX ?= /usr

# The paths below count on cargo's own layout.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR

LIB := libpve_multipath_perl.so
BUILT_LIB := target/binding/$(PERLMOD)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/$(LIB)
PERL_LIB := target/perl/auto/$(LIB)
RUN_PERL := PERL5LIB='$(CURDIR)/target/perl:$(CURDIR)/perl'"$${PERL5LIB:+:$$PERL5LIB}"

CORE := --locked
FUZZ := --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz

.PHONY: help
help: ## this list
	@echo 'pve-multipath $(VERSION): make TARGET [VARIABLE=VALUE ...]'
	echo
	sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r t d; do
	    printf '  %-14s %s\n' "$$t" "$$d"
	done
	echo
	printf '  %-36s %s\n' \
	    'PERLMOD=stand-in|git|registry|path' 'where the crate perlmod comes from, see docs/perlmod.md' \
	    'PROFILE=release|dev' "cargo's profile of the library; dev is built in less than half the time" \
	    'TARGET=NAME, FUZZ_SECONDS=N' 'what to fuzz, and for how long' \
	    'DEPS=install|check' 'missing Debian packages: install as root (default), or only name them' \
	    'DESTDIR=DIR' 'root of an installation'

## What has to be on the machine

NEEDS.build := perl perl-headers cc rust $(if $(filter-out registry,$(PERLMOD)),certificates)
NEEDS.test := $(NEEDS.build) prove rustfmt clippy
NEEDS.bench := $(NEEDS.build) json-xs
NEEDS.valgrind := $(NEEDS.build) prove valgrind
NEEDS.deb := $(NEEDS.build) prove dpkg-buildpackage dh lintian
NEEDS.debian13 := debootstrap
NEEDS.vm := debootstrap prove

.PHONY: deps
deps: deps-test ## check what build and tests need, and install or name what is missing

deps-%:
	@tests/tools/check-deps '$(DEPS)' $(NEEDS.$*) >&2

## Building

.PHONY: build
build: deps-build ## the core, the binding and its shared library
	@mkdir -p '$(dir $(PERL_LIB))'
	exec 9>target/build.lock
	! command -v flock >/dev/null || flock -n 9 || { echo 'waiting for another make in this folder' >&2; flock 9; }
	perl/binding/cargo build --profile '$(PROFILE)' 9>&-
	# A rename, since a running perl may have the present one mapped.
	if ! cmp -s '$(BUILT_LIB)' '$(PERL_LIB)'; then
	    install -m644 '$(BUILT_LIB)' '$(PERL_LIB).new'
	    mv '$(PERL_LIB).new' '$(PERL_LIB)'
	fi
	echo '$(PROFILE)' >target/perl/profile

# To try it, the library that is there is brought up to date; if there is none, the one that is built sooner is made.
try_profile = $(if $(filter file,$(origin PROFILE)),$(or $(file <target/perl/profile),dev),$(PROFILE))

.PHONY: try
try:
	@$(MAKE) -s build PROFILE='$(try_profile)' >&2

.PHONY: env
env: try ## shell lines for trying it: eval "$(make -s env)"
	@printf 'export PERL5LIB="%s:%s$${PERL5LIB:+:$$PERL5LIB}"\n' '$(CURDIR)/target/perl' '$(CURDIR)/perl'
	printf 'export PATH="%s:$$PATH"\n' '$(CURDIR)/perl/bin'

.PHONY: demo
demo: try ## the status matrix of a recorded cluster
	@rc=0
	$(RUN_PERL) perl/bin/pvemultipath status --replay fixtures/replay/three-nodes || rc=$$?
	# 1 and 2 are its answers for a degraded and a failed cluster.
	[ "$$rc" -le 2 ]

## Tests

TEST_STEPS := versions format clippy test-core test-oracle fuzz-smoke test-binding test-stand-in build perl-syntax perl-tests doc

.PHONY: test
test: deps-test ## everything: format, clippy, Rust tests, build, Perl tests, documentation
	@tests/tools/run-steps $(TEST_STEPS)

, := ,
skip = { echo 'skipped: $(1)'; mkdir -p target; echo '$(1)' >>target/skipped; exit 0; }

.PHONY: versions
versions:
	@for file in Cargo.toml perl/binding/Cargo.toml; do
	    grep -q '^version = "$(VERSION)"$$' "$$file" || { echo "$$file: version is not $(VERSION)"; exit 1; }
	done
	head -n 1 debian/changelog | grep -q '^pve-multipath ($(VERSION)-' \
	    || { echo 'debian/changelog: version is not $(VERSION)'; exit 1; }
	echo 'all of version $(VERSION)'

.PHONY: format
format:
	@cargo fmt --version >/dev/null 2>&1 || $(call skip,format (this Rust toolchain has no rustfmt))
	for folder in . perl/binding tests/fuzz; do (cd "$$folder" && cargo fmt --check); done

.PHONY: clippy
clippy:
	@cargo clippy --version >/dev/null 2>&1 || $(call skip,clippy (this Rust toolchain has none))
	cargo clippy --all-targets $(CORE) -- -D warnings
	perl/binding/cargo clippy --all-targets -- -D warnings
	cargo clippy --lib --bin random $(FUZZ) -- -D warnings

.PHONY: test-rust
test-rust: deps-build test-core test-binding test-stand-in ## the Rust tests alone

.PHONY: test-core
test-core:
	@cargo test $(CORE)

# The real multipath of Debian 12, 13 and sid, from their packages, as trees to chroot into.
.PHONY: oracle
oracle:
	@tests/tools/multipath-tools target/multipath-tools

.PHONY: test-oracle
test-oracle: ## what is rendered, judged by the real multipath of several Debian releases (root)
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    || $(call skip,test-oracle (it needs root$(,) and the packages of a Debian mirror))
	$(MAKE) oracle
	cargo test $(CORE) --test multipath_tools --test regcomp -- --ignored

# Always the same inputs, so that what fails was just broken.
.PHONY: fuzz-smoke
fuzz-smoke: ## the fuzz targets, each on some thousand random texts
	@tests/fuzz/run smoke

.PHONY: fuzz
fuzz: ## one fuzz target for long: TARGET=NAME, FUZZ_SECONDS=600; guided where a C++ compiler is
	@tests/fuzz/run '$(TARGET)' '$(FUZZ_SECONDS)'

.PHONY: test-binding
test-binding:
	@perl/binding/cargo test

.PHONY: test-stand-in
test-stand-in:
	@perl/stand-in/check

.PHONY: perl-syntax
perl-syntax:
	@$(RUN_PERL) tests/tools/perl-syntax

.PHONY: perl-tests
perl-tests:
	@$(RUN_PERL) prove $(or $(TESTS),-r tests/perl)

.PHONY: test-perl
test-perl: build perl-tests ## build, and the Perl tests alone; TESTS=FILE ... for some

.PHONY: knobs-page
knobs-page: ## docs/knobs.md from the table of knobs
	@WRITE_KNOBS_PAGE=1 cargo test --quiet $(CORE) --test knobs_page

.PHONY: doc
doc:
	@export RUSTDOCFLAGS='-D warnings'
	cargo doc --no-deps $(CORE)
	perl/binding/cargo doc --no-deps

.PHONY: test-valgrind
test-valgrind: deps-valgrind build ## the Perl tests of binding and stand-in under valgrind
	@$(RUN_PERL) tests/tools/valgrind $(or $(TESTS),tests/perl/*.t)
	[ -n '$(TESTS)' ] || perl/stand-in/check valgrind

.PHONY: test-debian13
test-debian13: deps-debian13 ## the README's quick start in a fresh Debian 13 (chroot; needs root and a mirror)
	@tests/debian13/run

# 77: it cannot be done on this machine.
.PHONY: test-vm
test-vm: ## the package on a virtual machine with LUNs on two HBAs (root and a mirror)
	@[ "$$(id -u)" = 0 ] && $(MAKE) deps-vm && rc=0 || rc=77
	[ "$$rc" != 0 ] || tests/machine/run $(TESTS) || rc=$$?
	[ "$$rc" != 77 ] || $(call skip,test-vm (it needs root on Debian$(,) debootstrap and a Debian mirror))
	exit $$rc

.PHONY: bench
bench: deps-bench build ## compare with plain Perl on JSON::XS; overrides and plans of several sizes and shapes
	@$(RUN_PERL) perl -Iperl/bench/lib perl/bench/run $(BENCH_ARGS)
	cargo bench --quiet $(CORE)

## Installation and packages

.PHONY: install
install: build ## into DESTDIR, where Debian's perl looks for vendor modules
	@perl/install '$(VERSION)' '$(DESTDIR)' '$(PREFIX)'

.PHONY: deb
deb: deps-deb ## Debian package, in target/deb
	@debian/build

.PHONY: clean
clean: ## remove what was built
	@rm -rf target perl/binding/Cargo.lock
