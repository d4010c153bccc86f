//! Texts and the findings that the check must have: fixtures/overrides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::Wwid;
use pve_multipath::multipath_conf::{self, Finding, FindingCode, VERSIONS};

fn texts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/overrides");
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| file.extension() == Some("conf".as_ref()))
        .collect();
    files.sort();
    assert!(files.len() >= 70);
    files
}

/// `LINE:COLUMN SEVERITY CODE`, and the versions unless it applies to all.
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
fn texts_have_the_expected_findings() {
    let allow_list: [Wwid; 1] = ["36001405aabbccddeeff00112233445566".parse().unwrap()];
    for file in texts() {
        let text = fs::read(&file).unwrap();
        let findings = multipath_conf::check(&text, &VERSIONS, &allow_list);
        let found: Vec<String> = findings.iter().map(line).collect();
        let expected = fs::read_to_string(file.with_extension("findings")).unwrap();
        assert_eq!(found.concat(), expected, "{file:?}");

        // each version alone has the findings that apply to it
        for version in VERSIONS {
            let about = |finding: &&Finding| {
                finding.versions.is_empty() || finding.versions.contains(&version)
            };
            let alone = multipath_conf::check(&text, &[version], &allow_list);
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
    let findings = multipath_conf::check(text.as_bytes(), &VERSIONS, allow_list);
    let found = findings.iter().map(line);
    found.map(|line| line.trim_end().to_owned()).collect()
}

/// The WWID of one of many LUNs.
fn lun(number: usize) -> String {
    format!("36001405{:024x}", number * 0x9e37_79b9)
}

#[test]
fn all_entries_are_tried() {
    let allow_list: Vec<Wwid> = (0..1000).map(|n| lun(n).parse().unwrap()).collect();
    // LUNs of the same array that are not allow-listed, and one that is
    let mut lines: Vec<_> = (1000..4000).map(|n| format!("wwid {}", lun(n))).collect();
    lines.insert(2999, format!("wwid {}", lun(777)));
    let hit = ["3001:6 warning blacklisted"];
    assert_eq!(found("blacklist", &lines, &allow_list), hit);
    // the same as an expression
    lines[2999] = format!("wwid \"^{}[0-9a-f]$\"", lun(777).get(..31).unwrap());
    assert_eq!(found("blacklist", &lines, &allow_list), hit);
    // an entry for each LUN, and an exception for each but one
    let exceptions = (0..1000).filter(|n| *n != 777);
    let lines: Vec<_> = (0..1000)
        .map(|n| format!("wwid \"^{}\"", lun(n)))
        .chain(["}".into(), "blacklist_exceptions {".into()])
        .chain(exceptions.map(|n| format!("wwid {}", lun(n))))
        .collect();
    assert_eq!(
        found("blacklist", &lines, &allow_list),
        ["779:6 warning blacklisted"]
    );
}

/// Each entry by itself is harmless.
#[test]
fn entries_that_match_all_disks_together() {
    let names = |last| {
        ('a'..=last)
            .map(|c| format!("devnode \"^sd{c}$\""))
            .collect::<Vec<_>>()
    };
    assert!(found("blacklist", &names('y'), &[]).is_empty());
    assert_eq!(
        found("blacklist", &names('z'), &[]),
        ["27:9 warning blacklisted"]
    );
    // exceptions are taken into account
    let mut lines = names('z');
    lines.extend(["}", "blacklist_exceptions {", "devnode ^sd"].map(str::to_owned));
    assert!(found("blacklist", &lines, &[]).is_empty());
}

/// Entries beyond the budget are reported.
#[test]
fn entries_that_are_not_tried_are_reported() {
    let allow_list: Vec<Wwid> = (0..1000).map(|n| lun(n).parse().unwrap()).collect();
    let mut lines: Vec<_> = (0..3000).map(|n| format!("wwid \"[g-z]{n}*$\"")).collect();
    lines.push(format!(
        "wwid \"[{}]{}$\"",
        lun(5).get(..1).unwrap(),
        lun(5).get(1..).unwrap()
    ));
    for (allow_list, more) in [(&allow_list[..], 1), (&[], 0)] {
        let text = format!("blacklist {{\n{}\n}}\n", lines.join("\n"));
        let findings = multipath_conf::check(text.as_bytes(), &VERSIONS, allow_list);
        let not_tried = findings.iter().filter(|f| f.code == FindingCode::NotTried);
        assert_eq!(not_tried.count(), 1 + more, "{findings:?}");
        assert_eq!(findings.len(), 1 + more);
    }
    assert_eq!(
        found("blacklist", &["wwid \"(3600)\\1\"".to_owned()], &[]),
        ["2:6 warning not-tried"]
    );
    let refused = ["wwid \"(3600)\\1\"", "}", "}"].map(str::to_owned);
    assert_eq!(
        found("blacklist", &refused, &[]),
        ["4:1 error unbalanced-braces", "5:1 error unbalanced-braces"]
    );
}

#[test]
fn too_many_entries_are_refused() {
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
    // the second one is the first that repeats another
    let second = ["6:1 error too-many-entries"];
    assert_eq!(refused("devices", &repeated(4365)), second);

    let wwids = |count| (0..count).map(|n| format!("wwid {n}")).collect::<Vec<_>>();
    assert_eq!(refused("blacklist", &wwids(10_000)), none);
    let last = ["10002:6 error too-many-entries"];
    assert_eq!(refused("blacklist", &wwids(10_001)), last);
    assert_eq!(refused("blacklist_exceptions", &wwids(10_001)), last);
}
