//! Rendered drop-ins, read by the real multipath of several Debian releases.
//!
//! Ignored by default, since it needs these programs: `make test-oracle`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod complaints;
mod imports;
mod oracle;
mod overrides;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use oracle::Tree;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pve_multipath::config;
use pve_multipath::config::knobs::{Knob, SectionType};
use pve_multipath::config::settings::{Setting, Settings};
use pve_multipath::multipath_conf::render;
use pve_multipath::types::tools_version::ToolsVersion;

/// Runs the same random cases each time, so that a failure is a regression. With ORACLE_TIMES=N, it
/// runs N times as many cases with a new seed, to find new faults.
fn runner(cases: u32) -> TestRunner {
    let times = std::env::var("ORACLE_TIMES").map(|times| times.parse::<u32>().unwrap());
    let config = Config {
        cases: cases * times.clone().unwrap_or(1),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    match times {
        Ok(_) => TestRunner::new(config),
        Err(_) => {
            let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            TestRunner::new_with_rng(config, same)
        }
    }
}

/// Copies of the programs' trees, with this name.
fn trees(name: &str) -> Vec<Tree> {
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/target");
    Tree::all(Path::new(target), name)
}

/// Values by keyword.
type Values = BTreeMap<String, String>;

/// The section `defaults` of a dump, and the entries of `multipaths` by WWID.
fn read_dump(dump: &[u8]) -> (Values, BTreeMap<String, Values>) {
    let (mut defaults, mut luns) = (Values::new(), BTreeMap::new());
    let mut section = "";
    let mut entry = Values::new();
    for line in String::from_utf8_lossy(dump).lines() {
        let text = line.trim_start();
        match line.len() - text.len() {
            0 => section = text.trim_end_matches(" {"),
            1 if section == "defaults" => {
                let (keyword, value) = keyword_and_value(text);
                defaults.insert(keyword, value);
            }
            2 if section == "multipaths" => {
                let (keyword, value) = keyword_and_value(text);
                entry.insert(keyword, value);
            }
            1 if section == "multipaths" && text == "}" => {
                let wwid = entry.remove("wwid").unwrap();
                assert_eq!(luns.insert(wwid, std::mem::take(&mut entry)), None);
            }
            _ => {}
        }
    }
    (defaults, luns)
}

fn keyword_and_value(text: &str) -> (String, String) {
    let (keyword, value) = text.split_once(' ').unwrap();
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let value = inner.map_or(value.to_owned(), |value| value.replace("\"\"", "\""));
    (keyword.to_owned(), value)
}

fn words(words: &[&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(words.to_vec())
        .prop_map(String::from)
        .boxed()
}

fn number(most: u64) -> BoxedStrategy<String> {
    let number = prop_oneof![1..100u64, 1..=most, Just(most)];
    (number, "0{0,3}")
        .prop_map(|(number, zeros)| format!("{zeros}{number}"))
        .boxed()
}

/// Valid values of a knob.
fn value_of(knob: &str) -> BoxedStrategy<String> {
    match knob {
        "alias" => "[a-zA-Z0-9][a-zA-Z0-9._-]{9,63}".boxed(),
        "expected-paths" => number(1000),
        "failback" => prop_oneof![
            words(&["manual", "immediate", "followover"]),
            number(2_147_483_647)
        ]
        .boxed(),
        "find-multipaths" => words(&["yes", "no", "strict", "greedy", "smart"]),
        "no-path-retry" => {
            prop_oneof![words(&["queue", "fail", "0"]), number(2_147_483_647)].boxed()
        }
        "path-grouping-policy" => words(&[
            "failover",
            "multibus",
            "group_by_serial",
            "group_by_prio",
            "group_by_node_name",
        ]),
        "path-selector" => prop_oneof![
            "(service-time|round-robin|queue-length|historical-service-time) 0",
            "historical-service-time 1 [1-9][0-9]{0,2}",
            "historical-service-time 2 [1-9][0-9]{0,2} [0-9]{1,9}",
        ]
        .boxed(),
        "polling-interval" => number(1_073_741_822),
        "rr-min-io-rq" => number(2_147_483_647),
        "rr-weight" => words(&["priorities", "uniform"]),
        "user-friendly-names" => words(&["yes", "no"]),
        _ => panic!("{knob}: say which values are fit for use"),
    }
}

/// Some knobs of a section, with values.
fn knobs(section: SectionType) -> BoxedStrategy<BTreeMap<&'static str, String>> {
    let knob =
        |knob: &'static Knob| prop::option::of(value_of(knob.name)).prop_map(|v| (knob.name, v));
    let knobs: Vec<_> = section.knobs().map(knob).collect();
    knobs
        .prop_map(|knobs| {
            knobs
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect()
        })
        .boxed()
}

/// The global knobs, and LUNs with their knobs.
type Wanted = (
    BTreeMap<&'static str, String>,
    BTreeMap<String, BTreeMap<&'static str, String>>,
);

fn configuration() -> impl Strategy<Value = Wanted> {
    let wwid = prop_oneof![
        "3[0-9a-f]{32}",
        "[a-zA-Z0-9_][a-zA-Z0-9._:-]{100,121}",
        "eui\\.[0-9a-f]{16}"
    ];
    let luns = prop::collection::btree_map(wwid, knobs(SectionType::Wwid), 0..6);
    (knobs(SectionType::Defaults), luns)
}

fn text_of((defaults, luns): &Wanted) -> String {
    let mut text = String::new();
    let mut section = |kind: &str, id: &str, knobs: &BTreeMap<&'static str, String>| {
        writeln!(text, "{kind}: {id}").unwrap();
        for (name, value) in knobs {
            writeln!(text, "\t{name} {value}").unwrap();
        }
        text.push('\n');
    };
    section("defaults", "defaults", defaults);
    for (wwid, knobs) in luns {
        section("wwid", wwid, knobs);
    }
    text
}

/// A value as multipath prints it (print_*, libmultipath/dict.c).
fn printed(knob: &str, value: &str) -> String {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    match (knob, value) {
        ("find-multipaths", "yes") => "on".to_owned(),
        ("find-multipaths", "no") => "off".to_owned(),
        ("no-path-retry", "0") => "fail".to_owned(),
        ("alias" | "path-selector", _) => value.to_owned(),
        _ if is_number => value.parse::<u64>().unwrap().to_string(),
        _ => value.to_owned(),
    }
}

/// The values of these knobs that the dump must have.
fn expected(knobs: &BTreeMap<&'static str, String>, version: ToolsVersion) -> Values {
    let ignored = |name: &str| name.starts_with("rr-") && version >= ToolsVersion::new(0, 15, 0);
    knobs
        .iter()
        .filter(|(name, _)| **name != "expected-paths" && !ignored(name))
        .map(|(name, value)| (name.replace('-', "_"), printed(name, value)))
        .collect()
}

#[test]
#[ignore = "needs the programs of several Debian releases"]
fn rendered_values_are_the_configured_ones() {
    let trees = trees("rendered");
    runner(300)
        .run(&configuration(), |wanted| {
            let text = text_of(&wanted);
            let parsed = config::parse("multipath.cfg", text.as_bytes());
            prop_assert!(parsed.warnings.is_empty());
            prop_assert_eq!(config::problems(&parsed.config, None), vec![]);
            let (defaults, luns) = (
                config::effective_defaults(&parsed.config),
                config::luns(&parsed.config),
            );

            for tree in &trees {
                let version = Some(tree.version);
                let aliases = render::aliases(&luns, version).unwrap().unwrap_or_default();
                let answer = tree.ask(&[
                    ("pve-aliases.conf", aliases.as_bytes()),
                    (
                        "pve-defaults.conf",
                        render::defaults(&defaults, version).unwrap().as_bytes(),
                    ),
                ]);
                prop_assert!(answer.ended_well);
                prop_assert_eq!(&answer.complaints, &Vec::<String>::new());

                let (found_defaults, found_luns) = read_dump(&answer.dump);
                let mut managed = Values::from([
                    ("find_multipaths".to_owned(), "strict".to_owned()),
                    ("polling_interval".to_owned(), "5".to_owned()),
                    ("user_friendly_names".to_owned(), "no".to_owned()),
                ]);
                managed.extend(expected(&wanted.0, tree.version));
                for (keyword, value) in managed {
                    prop_assert_eq!(found_defaults.get(&keyword), Some(&value), "{}", keyword);
                }
                let with_entry: BTreeMap<_, _> = wanted
                    .1
                    .iter()
                    .map(|(wwid, knobs)| (wwid.clone(), expected(knobs, tree.version)))
                    .filter(|(_, values)| !values.is_empty())
                    .collect();
                prop_assert_eq!(found_luns, with_entry);
            }
            Ok(())
        })
        .unwrap();
}

/// Any value of a knob is either refused before it is rendered, or it becomes that knob's value for
/// that LUN and changes nothing else.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn hostile_values_change_nothing_else() {
    let trees = trees("hostile");
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "\"\"",
            "{",
            "}",
            "#",
            "!",
            "\n",
            "\r",
            "\0",
            "\t",
            " ",
            "\u{85}",
            "\u{ff}",
            "\\",
            "'",
            "polling_interval 0",
            "multipaths {",
            "}\n",
            "alias x",
            "service-time 0",
            "queue",
            "5",
        ])
        .prop_map(String::from),
        "[a-zA-Z0-9._-]{1,8}",
        Just("x".repeat(1100)),
    ];
    let value = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
    let knob = prop::sample::select(SectionType::Wwid.knobs().collect::<Vec<_>>());
    let rendered = std::cell::Cell::new(0);
    runner(20_000)
        .run(&(knob, value), |(knob, value)| {
            let Ok(setting) = Setting::new(knob, &value) else {
                return Ok(());
            };
            if knob.keyword.is_none() {
                return Ok(());
            }
            rendered.set(rendered.get() + 1);
            let settings: Settings = [setting].into_iter().collect();
            let luns = [("3600a".parse().unwrap(), settings)].into();
            for tree in &trees {
                let Some(text) = render::aliases(&luns, Some(tree.version)).unwrap() else {
                    continue;
                };
                let answer = tree.ask(&[("pve-aliases.conf", text.as_bytes())]);
                prop_assert_eq!(&answer.complaints, &Vec::<String>::new());
                let value = printed(knob.name, value.trim().trim_start_matches('+'));
                let entry = Values::from([(knob.name.replace('-', "_"), value)]);
                prop_assert_eq!(
                    read_dump(&answer.dump).1,
                    [("3600a".to_owned(), entry)].into()
                );
            }
            Ok(())
        })
        .unwrap();
    assert!(
        rendered.get() > 200,
        "too few reach the renderer: {}",
        rendered.get()
    );
}

/// Any text without control characters survives quoting, tried with aliases that are not checked.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn quoted_texts_are_read_back() {
    let trees = trees("quoting");
    let text = prop_oneof![
        "[ -~]{0,20}",
        "[\"#!{}\\\\' a]{1,10}",
        "[ -~\u{a0}-\u{2fff}]{0,20}"
    ];
    runner(500)
        .run(&text, |value| {
            prop_assume!(!value.contains('/')); // multipathd rejects it in an alias
            let quoted = render::quote(&value).unwrap();
            let text = format!(
                "multipaths {{\n\tmultipath {{\n\t\twwid 3600a\n\t\talias {quoted}\n\t}}\n}}\n"
            );
            for tree in &trees {
                let answer = tree.ask(&[("a.conf", text.as_bytes())]);
                prop_assert_eq!(&answer.complaints, &Vec::<String>::new());
                let entry = Values::from([("alias".to_owned(), value.clone())]);
                prop_assert_eq!(
                    read_dump(&answer.dump).1,
                    [("3600a".to_owned(), entry)].into()
                );
            }
            Ok(())
        })
        .unwrap();
}
