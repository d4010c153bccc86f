//! Errors are printed with their sources, joined by colons, so no text may repeat.

#![allow(clippy::expect_used)]

use std::error::Error;

use pve_multipath::config::knobs::Knob;
use pve_multipath::config::settings::Setting;
use pve_multipath::node::maps;
use pve_multipath::node::paths::Memory;
use pve_multipath::node::plan::Record;

/// As the binding gives it to Perl.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

fn assert_texts<T>(results: impl IntoIterator<Item = (Result<T, impl Error>, &'static str)>) {
    for (result, text) in results {
        let error = result.err().expect(text);
        assert_eq!(with_sources(&error), text);
    }
}

#[test]
fn of_maps() {
    assert_texts([
        (
            maps::parse(br#"{"major_version":9,"maps":[]}"#),
            "could not parse multipathd maps JSON: format version 9 is not known, only 0 is",
        ),
        (
            maps::parse(b""),
            "could not parse multipathd maps JSON: the text is empty (is multipathd running?)",
        ),
        (
            maps::parse(b"timeout\n"),
            "could not parse multipathd maps JSON: multipathd answered \"timeout\"",
        ),
    ]);
}

#[test]
fn of_files() {
    assert_texts([(
        Record::parse(b"{"),
        "it cannot be understood: EOF while parsing an object at line 1 column 1",
    )]);
    assert_texts([
        (
            Memory::parse(b"{"),
            "the numbers of paths in paths.json cannot be read: EOF while parsing an object at \
             line 1 column 1; once it is removed, they are learned anew",
        ),
        (
            Memory::parse(br#"{"version":9,"luns":{}}"#),
            "the numbers of paths in paths.json cannot be read: it has version 9, only 1 is \
             known; with a newer pve-multipath, or once it is removed, they are remembered again",
        ),
        (
            Memory::parse(br#"{"version":1,"luns":{"3600a":{"paths":0}}}"#),
            "the numbers of paths in paths.json cannot be read: \"3600a\" is not a LUN with a \
             number of paths; once it is removed, they are learned anew",
        ),
    ]);
}

#[test]
fn of_values() {
    let selector = Knob::find("path-selector").expect("a knob of this name");
    assert_texts([(
        Setting::new(selector, "round-robin"),
        "the kernel cannot use it, and unused maps would be removed: write a name, one blank and the \
         number of arguments, such as 'service-time 0'",
    )]);
}
