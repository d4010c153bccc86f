//! Builds the library of this package and runs the Perl tests in `t/` on it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds `debug/` or `release/`, and which of them it is.
fn target() -> (PathBuf, bool) {
    // .../target/debug/deps/perl-0123456789abcdef
    let program = env::current_exe().expect("the name of the test program");
    let profile = program
        .ancestors()
        .nth(2)
        .expect("the test program is in target/PROFILE/deps");
    let release = profile.file_name() == Some(OsStr::new("release"));
    let target = profile.parent().expect("the folder of the profile");
    (target.to_owned(), release)
}

/// cargo builds no cdylib for tests by itself.
fn build(package: &Path, target: &Path, release: bool) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .arg("--quiet")
        .arg("--lib")
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    if release {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "the library does not build: {status}");
    let profile = if release { "release" } else { "debug" };
    target.join(profile).join("libperlmod_standin_tests.so")
}

#[test]
fn perl_tests_pass() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (target, release) = target();
    let library = build(package, &target, release);
    let output = Command::new("prove")
        .arg("t")
        .current_dir(package)
        .env("PERLMOD_TEST_LIBRARY", &library)
        .env_remove("PERLMOD_UNDER_TEST")
        // Panics are provoked by the hundred.
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("prove runs; on Debian it comes with perl");
    let report = String::from_utf8_lossy(&output.stdout);
    println!("{report}");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(report.contains("Result: PASS"), "prove ran no tests");
}
