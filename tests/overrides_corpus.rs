//! Texts with what has to be found in them: fixtures/overrides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::Wwid;
use pve_multipath::overrides::{self, Finding, VERSIONS};

fn texts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/overrides");
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension() == Some("conf".as_ref()))
        .collect();
    files.sort();
    assert!(files.len() >= 40);
    files
}

/// `LINE:COLUMN SEVERITY CODE`, and the versions if these are not all.
fn line(finding: &Finding) -> String {
    let code = serde_json::to_value(finding.code).unwrap();
    let versions = finding.versions.iter().map(|version| format!(" {version}"));
    format!(
        "{}:{} {} {}{}\n",
        finding.position.line,
        finding.position.column,
        finding.severity,
        code.as_str().unwrap(),
        versions.collect::<String>()
    )
}

#[test]
fn cases() {
    let allow_list: [Wwid; 1] = ["36001405aabbccddeeff00112233445566".parse().unwrap()];
    for file in texts() {
        let text = fs::read(&file).unwrap();
        let findings = overrides::check(&text, &VERSIONS, &allow_list);
        let found: Vec<String> = findings.iter().map(line).collect();
        let expected = fs::read_to_string(file.with_extension("findings")).unwrap();
        assert_eq!(found.concat(), expected, "{file:?}");

        // for each version alone, what is about it
        for version in VERSIONS {
            let about = |finding: &&Finding| {
                finding.versions.is_empty() || finding.versions.contains(&version)
            };
            let alone = overrides::check(&text, &[version], &allow_list);
            assert!(alone.iter().all(|finding| finding.versions.is_empty()));
            let messages = |finding: &Finding| (finding.position, finding.message.clone());
            assert!(
                findings
                    .iter()
                    .filter(about)
                    .map(messages)
                    .eq(alone.iter().map(messages)),
                "{file:?}, {version} alone"
            );
        }
    }
}

/// The findings in a text of this section with these lines, as `LINE:COLUMN SEVERITY CODE`.
fn found(section: &str, lines: &[String], allow_list: &[Wwid]) -> Vec<String> {
    let text = format!("{section} {{\n{}\n}}\n", lines.join("\n"));
    let findings = overrides::check(text.as_bytes(), &VERSIONS, allow_list);
    let found = findings.iter().map(line);
    found.map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn so_many_entries_that_multipathd_is_busy() {
    let device = ["device {", "vendor A", "product B", "}"].map(str::to_owned);
    let repeated = |times: usize| std::iter::repeat_n(&device, times).flatten();
    let repeated = |times| repeated(times).cloned().collect::<Vec<_>>();
    let refused = |section, lines: &[String]| {
        let found = found(section, lines, &[]);
        let errors = found.into_iter().filter(|line| line.contains(" error "));
        errors.collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(refused("devices", &repeated(700)), none);
    // the second is the first that repeats another
    let second = ["6:1 error too-many-entries"];
    assert_eq!(refused("devices", &repeated(4365)), second);
}
