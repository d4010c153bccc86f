# pve-multipath: build, tests and packaging. `make help` lists the targets.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' '$(ROOT)/Cargo.toml' | head -n 1)

# Where the crate perlmod comes from: stand-in, git, registry or path. See README.md.
PERLMOD ?= stand-in
PERLMOD_GIT ?= https://git.proxmox.com/git/perlmod.git
PERLMOD_PATH ?=
CARGO_REGISTRY_DIR ?= /usr/share/cargo/registry

# What `make` does about missing Debian packages: install (needs root) or check (only say so).
DEPS ?= install

DESTDIR ?=
PREFIX ?= /usr

# cargo's profile for the library that Perl loads: release, or dev, which is built in less than half the time
# and runs slower.
PROFILE ?= release

# The paths below count on cargo's own layout.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR

LIB := libpve_multipath_perl.so
BINDING_TARGET := $(ROOT)/target/binding/$(PERLMOD)
BUILT_LIB := $(BINDING_TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/$(LIB)
PERL_LIB := $(ROOT)/target/perl/auto/$(LIB)
RUN_PERL := PERL5LIB='$(ROOT)/target/perl:$(ROOT)/perl'"$${PERL5LIB:+:$$PERL5LIB}"

perlmod_file = --config '$(ROOT)/perl/perlmod-sources/$(1).toml'
perlmod_config.stand-in := $(call perlmod_file,stand-in)
perlmod_config.git := $(call perlmod_file,git) --config 'patch.crates-io.perlmod.git="$(PERLMOD_GIT)"'
perlmod_config.registry := $(call perlmod_file,registry) \
	--config 'source.perlmod-registry.directory="$(abspath $(CARGO_REGISTRY_DIR))"'
perlmod_config.path := --config 'patch.crates-io.perlmod.path="$(abspath $(PERLMOD_PATH))"'
PERLMOD_CONFIG := $(perlmod_config.$(PERLMOD))
ifeq ($(strip $(PERLMOD_CONFIG)),)
$(error PERLMOD=$(PERLMOD): not one of stand-in, git, registry, path)
endif
ifeq ($(PERLMOD)$(PERLMOD_PATH),path)
$(error PERLMOD=path needs PERLMOD_PATH, the folder of the crate perlmod)
endif
perlmod_expected.git := $(PERLMOD_GIT)
perlmod_expected.registry := $(abspath $(CARGO_REGISTRY_DIR))
perlmod_expected.path := $(abspath $(PERLMOD_PATH))

CORE_ARGS := --manifest-path '$(ROOT)/Cargo.toml' --target-dir '$(ROOT)/target' --locked
BINDING_ARGS := --manifest-path '$(ROOT)/perl/binding/Cargo.toml' --target-dir '$(BINDING_TARGET)' $(PERLMOD_CONFIG)
RUN_STAND_IN := RUST_BACKTRACE=0 PERLMOD_TEST_LIBRARY='$(ROOT)/target/binding/stand-in/debug/libperlmod_standin_tests.so'
FUZZ_ARGS := --manifest-path '$(ROOT)/tests/fuzz/Cargo.toml' --locked
STAND_IN_ARGS := --manifest-path '$(ROOT)/perl/stand-in/Cargo.toml' --target-dir '$(ROOT)/target/binding/stand-in' --locked

.PHONY: help
help: ## this list
	@echo 'pve-multipath $(VERSION): make TARGET [VARIABLE=VALUE ...]'
	echo
	sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' '$(ROOT)/Makefile' | while IFS="$$(printf '\t')" read -r t d; do
	    printf '  %-14s %s\n' "$$t" "$$d"
	done
	echo
	printf '  %-36s %s\n' \
	    'PERLMOD=stand-in|git|registry|path' 'where the crate perlmod comes from (default: stand-in)' \
	    'PERLMOD_GIT=URL' 'the repository for PERLMOD=git' \
	    'CARGO_REGISTRY_DIR=DIR' 'the crates for PERLMOD=registry (default: /usr/share/cargo/registry)' \
	    'PERLMOD_PATH=DIR' 'the crate for PERLMOD=path' \
	    'PROFILE=release|dev' "cargo's profile of the library (default: release)" \
	    'TARGET=NAME, FUZZ_SECONDS=N' 'what to fuzz, and for how long' \
	    'DEPS=install|check' 'missing Debian packages: install as root (default), or only say so' \
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
	@'$(ROOT)/tests/tools/check-deps' '$(DEPS)' $(NEEDS.$*) >&2

## Building

# lock FILE: from here on, this recipe has the tree to itself; others that want the same file wait. cargo does
# not protect the lock file of the binding, nor we the library.
lock = mkdir -p '$(dir $(1))'; exec 9>'$(1)'; ! command -v flock >/dev/null || flock -n 9 || \
	{ echo 'waiting for another make in this folder' >&2; flock 9; }

# perlmod's version and source stand in Cargo.lock, so each source gets its own, derived from
# the root's: the crates that both use have the same versions. A directory registry
# has one version of each crate, which cargo must be free to take.
.PHONY: binding-lock
binding-lock:
	@$(call lock,$(ROOT)/target/binding/lock-stamp.lock)
	want="$$(printf '%s\n' "$(subst ",,$(PERLMOD_CONFIG))"; cksum <'$(ROOT)/Cargo.lock' 2>/dev/null || true)"
	have=$$(cat '$(ROOT)/target/binding/lock-stamp' 2>/dev/null || true)
	lock='$(ROOT)/perl/binding/Cargo.lock'
	[ -e "$$lock" ] && [ "$$want" = "$$have" ] && exit 0
	rm -f "$$lock"
	[ '$(PERLMOD)' = registry ] || [ ! -e '$(ROOT)/Cargo.lock' ] || cp '$(ROOT)/Cargo.lock' "$$lock"
	echo "$$want" >'$(ROOT)/target/binding/lock-stamp'

.PHONY: perlmod-source
perlmod-source: deps-build binding-lock
	@cargo metadata --format-version 1 --manifest-path '$(ROOT)/perl/binding/Cargo.toml' $(PERLMOD_CONFIG) \
	    | '$(ROOT)/perl/perlmod-sources/which' '$(PERLMOD)' '$(ROOT)' '$(perlmod_expected.$(PERLMOD))'

.PHONY: build
build: deps-build ## the core, the binding and its shared library
	@$(call lock,$(ROOT)/target/build.lock)
	$(MAKE) -f '$(ROOT)/Makefile' perlmod-source 9>&-
	cargo build --profile '$(PROFILE)' $(BINDING_ARGS) 9>&-
	mkdir -p '$(dir $(PERL_LIB))'
	# A rename, since a running perl may have the present one mapped.
	if ! cmp -s '$(BUILT_LIB)' '$(PERL_LIB)'; then
	    install -m644 '$(BUILT_LIB)' '$(PERL_LIB).new'
	    mv '$(PERL_LIB).new' '$(PERL_LIB)'
	fi
	echo '$(PROFILE)' >'$(ROOT)/target/perl/profile'

# The library for having a look: the one that is there, brought up to date, else one that is built soon.
try_profile = $(if $(filter file,$(origin PROFILE)),$(or $(file <$(ROOT)/target/perl/profile),dev),$(PROFILE))

.PHONY: try
try:
	@$(MAKE) -f '$(ROOT)/Makefile' -s build PROFILE='$(try_profile)' >&2

.PHONY: env
env: try ## shell lines for trying it: eval "$(make -s env)"
	@printf 'export PERL5LIB="%s:%s$${PERL5LIB:+:$$PERL5LIB}"\n' '$(ROOT)/target/perl' '$(ROOT)/perl'
	printf 'export PATH="%s:$$PATH"\n' '$(ROOT)/perl/bin'

.PHONY: demo
demo: try ## the status matrix of a recorded cluster
	@rc=0
	$(RUN_PERL) '$(ROOT)/perl/bin/pvemultipath' status --replay '$(ROOT)/fixtures/replay/three-nodes' || rc=$$?
	# 1 and 2 are its answers for a degraded and a failed cluster.
	[ "$$rc" -le 2 ]

## Tests

TEST_STEPS := versions format clippy test-core test-oracle fuzz-smoke test-binding test-stand-in build perl-syntax perl-tests doc

.PHONY: test
test: deps-test ## everything: format, clippy, Rust tests, build, Perl tests, documentation
	@start=$$(date +%s) i=0
	mkdir -p '$(ROOT)/target'
	: >'$(ROOT)/target/skipped'
	for step in $(TEST_STEPS); do
	    i=$$((i + 1))
	    printf '\n=== [%s/%s] %s\n' $$i $(words $(TEST_STEPS)) "$$step"
	    $(MAKE) -f '$(ROOT)/Makefile' DEPS=check "$$step" || { printf '\n=== FAILED: %s (repeat it with: make %s)\n' "$$step" "$$step"; exit 1; }
	done
	printf '\n=== all %s steps passed in %s s, %s\n' $$i $$(($$(date +%s) - start)) 'perlmod: $(PERLMOD)'
	sed 's/^/    skipped: /' '$(ROOT)/target/skipped'

, := ,
skip = { echo 'skipped: $(1)'; mkdir -p '$(ROOT)/target'; echo '$(1)' >>'$(ROOT)/target/skipped'; exit 0; }

.PHONY: versions
versions:
	@cd '$(ROOT)'
	for file in Cargo.toml perl/binding/Cargo.toml; do
	    grep -q '^version = "$(VERSION)"$$' "$$file" || { echo "$$file: version is not $(VERSION)"; exit 1; }
	done
	head -n 1 debian/changelog | grep -q '^pve-multipath ($(VERSION)-' \
	    || { echo 'debian/changelog: version is not $(VERSION)'; exit 1; }
	echo 'all of version $(VERSION)'

.PHONY: format
format:
	@cargo fmt --version >/dev/null 2>&1 || $(call skip,format (this Rust toolchain has no rustfmt))
	(cd '$(ROOT)' && cargo fmt --check)
	(cd '$(ROOT)/perl/binding' && cargo fmt --check)
	(cd '$(ROOT)/perl/stand-in' && cargo fmt --all --check)
	(cd '$(ROOT)/tests/fuzz' && cargo fmt --check)

.PHONY: clippy
clippy: binding-lock
	@cargo clippy --version >/dev/null 2>&1 || $(call skip,clippy (this Rust toolchain has none))
	cargo clippy --all-targets $(CORE_ARGS) -- -D warnings
	cargo clippy --all-targets $(BINDING_ARGS) -- -D warnings
	cargo clippy --workspace --all-targets $(STAND_IN_ARGS) -- -D warnings
	cargo clippy --lib --bin random --target-dir '$(ROOT)/target/fuzz' $(FUZZ_ARGS) -- -D warnings

.PHONY: test-rust
test-rust: deps-build test-core test-binding test-stand-in ## the Rust tests alone

.PHONY: test-core
test-core:
	@cargo test $(CORE_ARGS)

# The real multipath of Debian 12, 13 and sid, from their packages, as trees to chroot into.
.PHONY: oracle
oracle:
	@'$(ROOT)/tests/tools/multipath-tools' '$(ROOT)/target/multipath-tools'

.PHONY: test-oracle
test-oracle: ## what is rendered, judged by the real multipath of several Debian releases (root)
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    || $(call skip,test-oracle (it needs root$(,) and the packages of a Debian mirror))
	$(MAKE) -f '$(ROOT)/Makefile' oracle
	cargo test $(CORE_ARGS) --test multipath_tools --test regcomp -- --ignored

.PHONY: fuzz-random
fuzz-random:
	@cargo build --bin random --target-dir '$(ROOT)/target/fuzz' $(FUZZ_ARGS)

FUZZ_TARGETS := overrides config maps broadcasts accepted_texts

# Always the same inputs, so that what fails was just broken.
.PHONY: fuzz-smoke
fuzz-smoke: fuzz-random ## the fuzz targets, each on some thousand random texts
	@export RUST_BACKTRACE=0
	for target in $(FUZZ_TARGETS); do
	    rc=0
	    timeout 300 '$(ROOT)/target/fuzz/debug/random' "$$target" || rc=$$?
	    case "$$rc" in
	    0) ;;
	    3) echo "fuzz-smoke of $$target (make oracle, and root)" >>'$(ROOT)/target/skipped' ;;
	    *) echo "$$target: exit code $$rc, the input at work is target/fuzz/$$target.input"; exit 1 ;;
	    esac
	done

# Without cargo-fuzz, whose sanitizers need a nightly Rust; with --target these flags are not for build scripts.
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_GUIDED := $(ROOT)/target/fuzz/guided
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Ccodegen-units=1 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
TARGET ?=
FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: fuzz-random ## one fuzz target for long: TARGET=NAME, FUZZ_SECONDS=600; guided where a C++ compiler is
	@[ -n '$(filter $(FUZZ_TARGETS),$(TARGET))' ] || { echo 'TARGET=: one of $(FUZZ_TARGETS)'; exit 2; }
	random='$(ROOT)/target/fuzz/debug/random'
	if ! command -v c++ >/dev/null; then
	    echo 'not guided: there is no C++ compiler'
	    SEED=$$(date +%s) timeout $(FUZZ_SECONDS) "$$random" $(TARGET) 1000000000000 || [ $$? = 124 ]
	    exit 0
	fi
	RUSTFLAGS='$(FUZZ_FLAGS)' cargo build --release --bin guided --features libfuzzer --target $(FUZZ_HOST) \
	    --target-dir '$(FUZZ_GUIDED)' $(FUZZ_ARGS)
	"$$random" $(TARGET) --seeds '$(FUZZ_GUIDED)/$(TARGET)'
	mkdir -p '$(FUZZ_GUIDED)/$(TARGET).found'
	FUZZ_TARGET=$(TARGET) '$(FUZZ_GUIDED)/$(FUZZ_HOST)/release/guided' '$(FUZZ_GUIDED)/$(TARGET)' \
	    -dict='$(FUZZ_GUIDED)/$(TARGET).words' -artifact_prefix='$(FUZZ_GUIDED)/$(TARGET).found/' \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=20

.PHONY: test-binding
test-binding: binding-lock
	@cargo test $(BINDING_ARGS)

# Its library has packages of its own, through which Perl drives it.
.PHONY: stand-in-library
stand-in-library:
	@cargo build --package perlmod-standin-tests $(STAND_IN_ARGS)

.PHONY: test-stand-in
test-stand-in:
	@cargo test --workspace $(STAND_IN_ARGS)

.PHONY: perl-syntax
perl-syntax:
	@cd '$(ROOT)'
	mkdir -p target
	find perl tests -name target -prune -o -name '*.p[lm]' ! -path 'perl/bench/*' -print >target/perl-files
	grep -rlI '^#!/usr/bin/perl' perl tests --exclude-dir=target --exclude-dir=bench --exclude='*.p[lm]' --exclude='*.t' >>target/perl-files
	# These need JSON::XS, which nothing else does.
	! perl -MJSON::XS -e1 2>/dev/null || printf '%s\n' perl/bench/run perl/bench/lib/*.pm >>target/perl-files
	while read -r file; do
	    $(RUN_PERL) perl -Iperl/bench/lib -Itests/perl/lib -Itests/perl/lib/double -wc "$$file" 2>target/perl-syntax || { cat target/perl-syntax; exit 1; }
	    grep -v ' syntax OK$$' target/perl-syntax || true
	done <target/perl-files
	echo "$$(wc -l <target/perl-files) files compile"

.PHONY: perl-tests
perl-tests:
	@cd '$(ROOT)' && $(RUN_PERL) prove $(or $(TESTS),-r tests/perl)

.PHONY: test-perl
test-perl: build perl-tests ## build, and the Perl tests alone

.PHONY: knobs-page
knobs-page: ## docs/knobs.md from the table of knobs
	@WRITE_KNOBS_PAGE=1 cargo test --quiet $(CORE_ARGS) --test knobs_page

.PHONY: doc
doc: binding-lock
	@export RUSTDOCFLAGS='-D warnings'
	cargo doc --no-deps $(CORE_ARGS)
	cargo doc --no-deps $(BINDING_ARGS)

# perl itself leaves memory to the kernel at exit, so only invalid accesses count. Tests that measure
# the growth of the process are left out: under valgrind it says nothing.
.PHONY: test-valgrind
test-valgrind: deps-valgrind build stand-in-library ## the Perl tests of binding and stand-in under valgrind
	@cd '$(ROOT)'
	export PERL_DESTRUCT_LEVEL=0
	valgrind='valgrind --quiet --error-exitcode=99 --leak-check=no'
	valgrind="$$valgrind --suppressions=$(ROOT)/perl/stand-in/tests/valgrind.supp perl"
	# prove --exec does not see the -T in a test's first line, and with it perl ignores PERL5LIB.
	prove_all() {
	    tainted=$$(grep -lE '^#!.* -[a-z]*T' "$$@" || true)
	    plain=$$(grep -LE '^#!.* -[a-z]*T' "$$@" || true)
	    [ -z "$$tainted" ] || prove --timer --exec "$$valgrind -T -Itarget/perl -Iperl" $$tainted
	    [ -z "$$plain" ] || prove --timer --exec "$$valgrind" $$plain
	}
	echo '=== the binding'
	export $(RUN_PERL)
	prove_all $(or $(TESTS),tests/perl/*.t)
	[ -z '$(TESTS)' ] || exit 0
	echo '=== the stand-in for perlmod'
	export $(RUN_STAND_IN)
	prove_all $$(grep -L 'growth(' perl/stand-in/tests/t/*.t)

.PHONY: test-debian13
test-debian13: deps-debian13 ## the README's quick start in a fresh Debian 13 (chroot; needs root and a mirror)
	@'$(ROOT)/tests/debian13/run'

# 77: it cannot be done on this machine.
.PHONY: test-vm
test-vm: ## the package on a virtual machine with LUNs on two HBAs (root and a mirror)
	@[ "$$(id -u)" = 0 ] && $(MAKE) -f '$(ROOT)/Makefile' deps-vm && rc=0 || rc=77
	[ "$$rc" != 0 ] || '$(ROOT)/tests/machine/run' $(TESTS) || rc=$$?
	[ "$$rc" != 77 ] || $(call skip,test-vm (it needs root on Debian$(,) debootstrap and a Debian mirror))
	exit $$rc

.PHONY: bench
bench: deps-bench build ## compare with plain Perl on JSON::XS; overrides and plans of several sizes and shapes
	@$(RUN_PERL) perl -I'$(ROOT)/perl/bench/lib' '$(ROOT)/perl/bench/run' $(BENCH_ARGS)
	echo
	cargo bench --quiet $(CORE_ARGS) --bench overrides
	echo
	cargo bench --quiet $(CORE_ARGS) --bench plan

## Installation and packages

.PHONY: install
install: build ## into DESTDIR, where Debian's perl looks for vendor modules
	@cd '$(ROOT)'
	arch=$$(perl -MConfig -e 'print $$Config{installvendorarch}')
	lib=$$(perl -MConfig -e 'print $$Config{installvendorlib}')
	install -d '$(DESTDIR)'"$$arch/auto" '$(DESTDIR)'"$$lib" '$(DESTDIR)$(PREFIX)/bin'
	install -m644 '$(PERL_LIB)' '$(DESTDIR)'"$$arch/auto/$(LIB)"
	(cd perl && find PVE -name '*.pm') | while read -r module; do
	    install -Dm644 "perl/$$module" '$(DESTDIR)'"$$lib/$$module"
	done
	install -m755 perl/bin/pvemultipath '$(DESTDIR)$(PREFIX)/bin/pvemultipath'
	install -Dm755 perl/bin/pvemultipathd '$(DESTDIR)$(PREFIX)/sbin/pvemultipathd'
	install -Dm644 perl/bash-completion/pvemultipath '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pvemultipath'
	man='$(DESTDIR)$(PREFIX)/share/man'
	install -d "$$man/man1" "$$man/man8"
	pod="pod2man --release=$(VERSION) --center=Proxmox-VE"
	$$pod --section=1 perl/bin/pvemultipath "$$man/man1/pvemultipath.1"
	$$pod --section=8 perl/bin/pvemultipathd "$$man/man8/pvemultipathd.8"

# The build happens in a copy: dpkg's helpers write into the tree they build.
.PHONY: deb
deb: deps-deb ## Debian package, in target/deb
	@cd '$(ROOT)'
	copy='target/deb/pve-multipath-$(VERSION)'
	rm -rf target/deb
	mkdir -p "$$copy"
	{ git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -path ./target -prune -o -type f -print0; } \
	    | tar -c --null --ignore-failed-read -T - | tar -x -C "$$copy"
	# debhelper replaces HOME, where rustup and cargo keep their things.
	export CARGO_HOME="$${CARGO_HOME:-$$HOME/.cargo}" RUSTUP_HOME="$${RUSTUP_HOME:-$$HOME/.rustup}"
	# -d: cargo may be rustup's; `make deps` has looked at what is there.
	(cd "$$copy" && PERLMOD='$(PERLMOD)' dpkg-buildpackage -b -us -uc -d)
	rm -rf "$$copy"
	lintian --allow-root --fail-on error --info target/deb/*.changes
	ls target/deb

.PHONY: clean
clean: ## remove what was built
	@cd '$(ROOT)' && rm -rf target perl/binding/Cargo.lock perl/stand-in/Cargo.lock
