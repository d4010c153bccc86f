//! Compiles `src/glue.c` against the headers of the `perl` found in `PATH`.
//!
//! Only a C compiler and perl's own headers are needed. Whether perl was built
//! with threads (multiplicity) is a matter of those headers alone: the Rust side
//! passes the interpreter as an opaque pointer and is the same in both cases.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/glue.c");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");

    let archlib = perl_config("archlibexp");
    let version = perl_config("version");
    let core = Path::new(&archlib).join("CORE");
    let header = core.join("perl.h");
    if !header.is_file() {
        let series = version
            .rsplit_once('.')
            .map_or("5.xx", |(series, _)| series);
        fail(&format!(
            "perl's headers are missing: there is no {}. Debian ships them in the package \
             libperl{series}, which the package perl depends on: apt install perl",
            header.display()
        ));
    }
    println!("cargo::rerun-if-changed={}", header.display());

    let mut build = cc::Build::new();
    build
        .pic(true)
        .opt_level(2)
        .include(&core)
        .file("src/glue.c");
    for flag in perl_config("ccflags").split_ascii_whitespace() {
        build.flag(flag);
    }
    build.warnings(false).compile("perlmod_glue");
}

/// One value of perl's `%Config`.
fn perl_config(key: &str) -> String {
    let output = Command::new("perl")
        .args(["-MConfig", "-e", "print $Config{$ARGV[0]} // ''", key])
        .output();
    match output {
        Ok(output) if output.status.success() => match String::from_utf8(output.stdout) {
            Ok(value) => value,
            Err(_) => fail(&format!("perl's $Config{{{key}}} is not UTF-8")),
        },
        Ok(output) => fail(&format!(
            "perl -MConfig failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(err) => fail(&format!(
            "cannot run perl ({err}); on Debian: apt install perl"
        )),
    }
}

fn fail(message: &str) -> ! {
    // The panic message is all that cargo shows of a failed build script.
    panic!("{message}");
}
