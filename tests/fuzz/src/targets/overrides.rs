//! The administrator's multipath.conf text: the check and the effective values of any bytes.

use std::collections::BTreeSet;

use pve_multipath::Severity;
use pve_multipath::multipath_conf::{
    self, ConfValues, Finding, FindingCode, MAX_LEN, MAX_LINE, VERSIONS, render,
};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "overrides",
    start: || Ok(Box::new(run)),
    inputs: 3_000,
    seeds: &[("overrides", ".conf"), ("multipath-config", ".jsonl")],
    words: "{ } \" \"\" # ! \\ [ ] ( ) * + ? | ^ $ / % [:alpha:] [[.a.]] {1,2} (a)\\1 \
        {0,32767} {0,300} {9,} {,40} {32767} (()) (|a) (a?|b?) (a*)* ()\\1 \\b \\< \\> +? ** (((((((( )))))))) ^? \
        (^| |$) [02468ace].{28} hbtl devname enable_foreign prio_args weightedpath product_blacklist \
        \t \n \r \u{b} \0 \u{fc} multipaths polling_interval max_polling_interval infinity max file \
        aptpl alua queue_mode bio PG_INIT_RETRIES 51 io-affinity ^sd[a-z] scsi:.* ^ID_ uid_attribute \
        product_blacklist",
};

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}

fn run(text: &[u8]) -> bool {
    let findings = multipath_conf::check(text, &VERSIONS, &[]);
    assert_eq!(findings, multipath_conf::check(text, &VERSIONS, &[]));
    assert!(findings.is_sorted_by_key(|finding| finding.position));
    check_places(text, &findings);
    let refused = findings.iter().any(is_error);

    let mut refused_by_one = false;
    for version in VERSIONS {
        let own = multipath_conf::check(text, &[version], &[]);
        refused_by_one |= own.iter().any(is_error);
        assert!(own.iter().all(|finding| finding.versions.is_empty()));
        if !findings.iter().any(|f| f.code == FindingCode::Unlisted) {
            let of_all = findings.iter().filter(|finding| {
                finding.versions.is_empty() || finding.versions.contains(&version)
            });
            assert!(
                of_all.map(summary).eq(own.iter().map(summary)),
                "{version}: not what all versions together have: {own:?}"
            );
        }
        // an allow-list removes no finding
        let allow_list = ["3600a", "36001405aabbccddeeff00112233445566", "eui.0011"];
        let allow_list = allow_list.map(|wwid| wwid.parse().expect("a WWID"));
        let warned = multipath_conf::check(text, &[version], &allow_list);
        let place = |finding: &Finding| (finding.position, finding.code);
        let with: BTreeSet<_> = warned.iter().map(place).collect();
        assert!(
            own.iter().all(|finding| with.contains(&place(finding))),
            "{warned:?}"
        );

        let effective = multipath_conf::effective(&[text], version);
        assert_eq!(effective, multipath_conf::effective(&[text], version));
        multipath_conf::effective(&[text, text], version);
    }
    assert_eq!(refused, refused_by_one);
    if text.len() > MAX_LEN || braces_are_unbalanced(text) == Some(true) {
        assert!(refused, "no finding about the braces: {findings:?}");
    }

    let trimmed = multipath_conf::trimmed(text);
    assert_eq!(multipath_conf::trimmed(&trimmed), trimmed);
    assert_eq!(render::overrides(&trimmed), render::overrides(text));
    if let Some(drop_in) = render::overrides(text) {
        for version in VERSIONS {
            assert_eq!(
                multipath_conf::effective(&[&drop_in], version),
                multipath_conf::effective(&[&trimmed], version),
                "{version}: the header of the drop-in has a meaning"
            );
        }
    }
    match ConfValues::from_dump(text) {
        Ok(dump) => assert_eq!(ConfValues::from_dump(text), Ok(dump)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    !refused
}

fn summary(finding: &Finding) -> (&str, FindingCode, Severity, usize, usize) {
    let at = finding.position;
    (
        &finding.message,
        finding.code,
        finding.severity,
        at.line,
        at.column,
    )
}

/// Each position is in the text, or at the end of a line of it.
fn check_places(text: &[u8], findings: &[Finding]) {
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    for finding in findings {
        let at = finding.position;
        let line = at.line.checked_sub(1).and_then(|line| lines.get(line));
        let end = line.map_or(0, |line| line.len() + 1);
        assert!((1..=end).contains(&at.column), "outside: {finding:?}");
        assert!(!finding.message.is_empty() && !finding.message.contains('\n'));
    }
}

const SECTIONS: [&str; 9] = [
    "blacklist",
    "blacklist_exceptions",
    "defaults",
    "device",
    "devices",
    "multipath",
    "multipaths",
    "overrides",
    "protocol",
];

/// Whether braces are unbalanced, for texts with lines of the simplest forms only; else `None`.
fn braces_are_unbalanced(text: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.is_ascii())?;
    if text.contains(['"', '#', '!', '\r', '\0', '\u{b}', '\u{c}']) {
        return None;
    }
    let mut depth = 0_usize;
    for line in text.split('\n') {
        if line.len() > MAX_LINE {
            return None;
        }
        let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        match words.collect::<Vec<_>>()[..] {
            ["}"] if depth == 0 => return Some(true),
            ["}"] => depth -= 1,
            [word, "{"] if SECTIONS.contains(&word) => depth += 1,
            // multipathd reads it as a section nevertheless
            [word, ..] if SECTIONS.contains(&word) => return None,
            _ if line.contains(['{', '}']) => return None,
            _ => {}
        }
    }
    Some(depth > 0)
}
