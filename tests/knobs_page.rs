//! docs/knobs.md says what the table of knobs says.
//!
//! `make knobs-page` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fmt::Write as _;

use pve_multipath::config::knobs::{KNOBS, Knob, KnobValues, Place};

const HEAD: &str = "\
# Knobs of multipath.cfg

<!-- Made from the table of knobs in src/config/knobs: `make knobs-page` writes it anew. -->

The settings that `/etc/pve/multipath.cfg` may hold, in its section `defaults: defaults` and in the section of a LUN,
`wwid: <WWID>`. What a LUN's section sets comes before what `defaults` sets; where neither does, all nodes get the value
under *managed default*, or else what multipathd has for the array.

";

#[test]
fn is_current() {
    let mut page = HEAD.to_owned();
    page.push_str(
        "| knob | section | value | managed default | does |\n| --- | --- | --- | --- | --- |\n",
    );
    for knob in &KNOBS {
        let place = match knob.place {
            Place::Both => "both",
            Place::Defaults => "defaults",
            Place::Wwid => "wwid",
            other => panic!("{other:?}"),
        };
        let managed = knob
            .managed
            .map(|value| format!("`{value}`"))
            .unwrap_or_default();
        writeln!(
            page,
            "| `{}` | {place} | {} | {managed} | {} |",
            knob.name,
            values(knob),
            knob.description,
        )
        .unwrap();
    }
    page.push_str("\nSome versions of multipath-tools ignore a knob:\n\n");
    for knob in &KNOBS {
        if let Some(version) = knob.ignored_since {
            writeln!(page, "- `{}`: ignored from {version} on", knob.name).unwrap();
        }
    }

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/knobs.md");
    if std::env::var_os("WRITE_KNOBS_PAGE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let present = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(present, page, "run 'make knobs-page'");
}

fn values(knob: &Knob) -> String {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match knob.values {
        KnobValues::Choice(choice) => words(choice),
        KnobValues::WordOrDigits {
            words: choice,
            most,
            instead_of_zero,
        } => {
            let least = if instead_of_zero.is_some() { 1 } else { 0 };
            format!("{}, or a number from {least} to {most}", words(choice))
        }
        KnobValues::Integer { minimum, most } => format!("a number from {minimum} to {most}"),
        KnobValues::Alias => {
            let most = pve_multipath::types::alias::MAX_LEN;
            format!(
                "`{}`, at most {most} bytes",
                pve_multipath::types::alias::PATTERN
            )
        }
        KnobValues::PathSelector { max_len } => {
            let names = pve_multipath::config::knobs::path_selectors();
            format!(
                "{} with the number of arguments, `0`; at most {max_len} bytes",
                words(&names.collect::<Vec<_>>())
            )
        }
        other => panic!("{other:?}"),
    }
}
