//! Recordings of the real `multipath -t` for several hundred texts: its values, complaints and exit
//! codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "multipath_tools/complaints.rs"]
mod complaints;

use std::collections::BTreeSet;

use complaints::{ERRORS_WITHOUT_COMPLAINT, WITHOUT_COMPLAINT, line_of};
use pve_multipath::Severity;
use pve_multipath::multipath_conf::{self, Attributes, ConfValues, FindingCode};
use pve_multipath::types::tools_version::ToolsVersion;
use pve_multipath::wire::byte_string::ByteString;
use serde_json::Value as Json;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/fixtures/multipath-config/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).unwrap()
}

struct Case {
    name: String,
    /// In the order in which multipath reads them.
    files: Vec<(String, Vec<u8>)>,
    versions: Vec<(ToolsVersion, Json)>,
}

fn cases() -> Vec<Case> {
    let text = String::from_utf8(fixture("cases.jsonl")).unwrap();
    let case = |line: &str| {
        let case: Json = serde_json::from_str(line).unwrap();
        // each character stands for a byte
        let bytes = |text: &Json| {
            ByteString::from(text.as_str().unwrap())
                .to_bytes()
                .unwrap()
                .into_owned()
        };
        let mut files: Vec<_> = case["files"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, text)| (path.clone(), bytes(text)))
            .filter(|(path, _)| path.ends_with(".conf"))
            .collect();
        files.sort_by_key(|(path, _)| (path != "/etc/multipath.conf", path.clone()));
        let versions = case["versions"].as_object().unwrap();
        Case {
            name: case["name"].as_str().unwrap().to_owned(),
            files,
            versions: versions
                .iter()
                .map(|(v, r)| (v.parse().unwrap(), r.clone()))
                .collect(),
        }
    };
    // cases without a file are about directories and links
    text.lines()
        .map(case)
        .filter(|case: &Case| !case.files.is_empty())
        .collect()
}

/// The lines that these values remove from what multipath prints without files, and those that they
/// add. Lines without a value are left out.
fn changed_lines(
    base: &ConfValues,
    effective: &ConfValues,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut removed, mut added) = (BTreeSet::new(), BTreeSet::new());
    for (keyword, value) in &effective.defaults {
        match base.defaults.get(keyword) {
            Some(before) if before == value => {}
            before => {
                added.insert(format!("\t{keyword} {value}"));
                removed.extend(before.map(|before| format!("\t{keyword} {before}")));
            }
        }
    }
    let mut entry = |indent: &str, values: &Attributes| {
        for (keyword, value) in values {
            added.insert(format!("{indent}{keyword} {value}"));
        }
    };
    entry("\t", &effective.overrides);
    let filters = [&effective.blacklist, &effective.blacklist_exceptions];
    for (keyword, values) in filters.iter().flat_map(|filter| &filter.entries) {
        for value in values {
            entry("\t", &Attributes::from([(keyword.clone(), value.clone())]));
        }
    }
    let devices = filters.iter().flat_map(|filter| &filter.devices);
    for values in devices
        .chain(&effective.devices)
        .chain(&effective.protocols)
        .chain(&effective.multipaths)
    {
        entry("\t\t", values);
    }
    (removed, added)
}

fn recorded_lines(diff: &Json, sign: &str) -> BTreeSet<String> {
    let lines = diff
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap());
    lines
        .filter_map(|line| line.strip_prefix(sign)?.strip_prefix(' '))
        .filter(|line| line.starts_with('\t') && !line.ends_with('{') && line.trim() != "}")
        .map(|line| {
            let (start, value) = line.trim_start().split_once(' ').unwrap();
            let indent = "\t".repeat(line.len() - line.trim_start().len());
            let inner = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            let value = inner.map_or(value.to_owned(), |value| value.replace("\"\"", "\""));
            format!("{indent}{start} {value}")
        })
        .collect()
}

#[test]
fn effective_values_are_the_real_ones() {
    let mut compared = 0;
    for case in cases() {
        for (version, recorded) in &case.versions {
            // it crashed or spun, and printed nothing
            if recorded["rc"] != 0 {
                continue;
            }
            let base = ConfValues::from_dump(&fixture(&format!("defaults-{version}.txt"))).unwrap();
            let texts: Vec<&[u8]> = case.files.iter().map(|(_, text)| &text[..]).collect();
            // depends on the machine
            if texts
                .iter()
                .any(|text| text.windows(8).any(|word| word == b"max_fds "))
            {
                continue;
            }
            let (removed, added) =
                changed_lines(&base, &multipath_conf::effective(&texts, *version));
            let context = format!("{} {version}", case.name);
            assert_eq!(added, recorded_lines(&recorded["diff"], "+"), "{context}");
            assert_eq!(removed, recorded_lines(&recorded["diff"], "-"), "{context}");
            compared += 1;
        }
    }
    assert!(compared > 800, "{compared}");
}

#[test]
fn every_complaint_is_a_finding() {
    for case in cases() {
        let [(_, text)] = &case.files[..] else {
            continue; // about files
        };
        let findings = multipath_conf::check(text, &multipath_conf::VERSIONS, &[]);
        let refused: Vec<_> = findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        let name = &case.name;

        let mut silent = true;
        for (version, recorded) in &case.versions {
            let about = |finding: &&multipath_conf::Finding| {
                finding.versions.is_empty() || finding.versions.contains(version)
            };
            if recorded["rc"] != 0 {
                silent = false;
                assert!(
                    refused.iter().any(&about),
                    "{name} {version}: multipath crashes or spins"
                );
            }
            for message in recorded["messages"].as_array().unwrap() {
                silent = false;
                let message = message.as_str().unwrap();
                let long = refused.iter().any(|f| f.code == FindingCode::LongLine);
                let told = match line_of(message).filter(|_| !long) {
                    Some(line) => findings
                        .iter()
                        .filter(about)
                        .any(|f| f.position.line == line),
                    None => findings.iter().any(|f| about(&f)),
                };
                assert!(told, "{name} {version}: {message}");
            }
        }
        if silent {
            let wrongly = refused
                .iter()
                .find(|f| !ERRORS_WITHOUT_COMPLAINT.contains(&f.code));
            assert_eq!(wrongly, None, "{name}");
        }
    }
}

/// Where multipath does not complain, findings are only about what it does silently.
#[test]
fn texts_without_complaints_get_no_other_findings() {
    for case in cases() {
        let [(_, text)] = &case.files[..] else {
            continue;
        };
        for (version, recorded) in &case.versions {
            if recorded["rc"] != 0 || !recorded["messages"].as_array().unwrap().is_empty() {
                continue;
            }
            let findings = multipath_conf::check(text, &[*version], &[]);
            let other = findings
                .iter()
                .find(|f| !WITHOUT_COMPLAINT.contains(&f.code));
            assert_eq!(other, None, "{} {version}", case.name);
        }
    }
}

/// multipath's built-in entries of `devices`, as it prints them.
#[test]
fn built_in_expressions_are_accepted() {
    for version in multipath_conf::VERSIONS {
        let text = fixture(&format!("defaults-{version}.txt"));
        let entries = String::from_utf8_lossy(&text).matches("vendor").count();
        assert!(entries > 100, "{version}");
        let findings = multipath_conf::check(&text, &[version], &[]);
        let about = |code| findings.iter().filter(|f| f.code == code).count();
        assert_eq!(about(FindingCode::HeavyExpression), 0, "{findings:?}");
        assert_eq!(about(FindingCode::NeverMatches), 0, "{findings:?}");
    }
}
