//! The administrator's texts: what we say of them, and what the real multipath does.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pve_multipath::byte_string::ByteString;
use pve_multipath::overrides::{self, Effective, Finding, FindingCode, Severity, Values};

use crate::complaints::{IN_SILENCE, REFUSES_IN_SILENCE, line_of};
use crate::oracle::{Answer, Tree};
use crate::{runner, trees};

/// What a dump has beyond what multipath prints without any file.
fn beyond(base: &Effective, found: &Effective) -> Effective {
    let mut beyond = found.clone();
    beyond
        .defaults
        .retain(|keyword, value| base.defaults.get(keyword) != Some(value));
    let fewer = |all: &mut Vec<Values>, base: &[Values]| all.retain(|entry| !base.contains(entry));
    fewer(&mut beyond.devices, &base.devices);
    for (filter, base) in [
        (&mut beyond.blacklist, &base.blacklist),
        (&mut beyond.blacklist_exceptions, &base.blacklist_exceptions),
    ] {
        fewer(&mut filter.devices, &base.devices);
        for (keyword, entries) in &mut filter.entries {
            let known = base.entries.get(keyword).cloned().unwrap_or_default();
            entries.retain(|entry| !known.contains(entry));
        }
        filter.entries.retain(|_, entries| !entries.is_empty());
    }
    beyond
}

/// With what multipath's own entries for the same devices have beside a text's.
fn joined(base: &Effective, mut ours: Effective) -> Effective {
    let names = ["vendor", "product", "revision"];
    let key = |entry: &Values| names.map(|name| entry.get(name).cloned());
    for entry in &mut ours.devices {
        let built_in = base.devices.iter().find(|own| key(own) == key(entry));
        for (name, value) in built_in.into_iter().flatten() {
            entry.entry(name.clone()).or_insert(value.clone());
        }
    }
    ours
}

/// The rules of the guard, for one version.
fn judge(text: &[u8], tree: &Tree, base: &Effective, answer: &Answer) -> Result<(), TestCaseError> {
    let findings = overrides::check(text, &[tree.version], &[]);
    let refused = |code: &[FindingCode]| {
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        errors.filter(|f| !code.contains(&f.code)).count() > 0
    };
    if !answer.ended_well {
        prop_assert!(refused(&[]), "{}: it dies or spins", tree.version);
        return Ok(());
    }
    let split = findings.iter().any(|f| f.code == FindingCode::LongLine);
    let lines: BTreeSet<usize> = findings.iter().map(|f| f.position.line).collect();
    for complaint in &answer.complaints {
        let told = match line_of(complaint).filter(|_| !split) {
            Some(line) => lines.contains(&line),
            None => !findings.is_empty(),
        };
        prop_assert!(told, "{}: {}", tree.version, complaint);
    }
    if answer.complaints.is_empty() {
        let other: Vec<&Finding> = findings
            .iter()
            .filter(|f| !IN_SILENCE.contains(&f.code))
            .collect();
        prop_assert!(other.is_empty(), "{}: {:?}", tree.version, other);
        prop_assert!(!refused(&REFUSES_IN_SILENCE));
    }

    let Ok(dump) = Effective::from_dump(&answer.dump) else {
        // it prints entries without a vendor in a form that it cannot read itself
        return Ok(());
    };
    let ours = joined(base, overrides::effective(&[text], tree.version));
    prop_assert_eq!(beyond(base, &ours), beyond(base, &dump), "{}", tree.version);
    Ok(())
}

/// Texts from the project's own fixtures.
fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let cases = std::fs::read_to_string(format!("{folder}/multipath-config/cases.jsonl")).unwrap();
    let mut texts = Vec::new();
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        for text in case["files"].as_object().unwrap().values() {
            texts.push(
                ByteString::from(text.as_str().unwrap())
                    .to_bytes()
                    .unwrap()
                    .into_owned(),
            );
        }
    }
    for entry in std::fs::read_dir(format!("{folder}/overrides"))
        .into_iter()
        .flatten()
    {
        let path = entry.unwrap().path();
        if path.extension() == Some("conf".as_ref()) {
            texts.push(std::fs::read(path).unwrap());
        }
    }
    texts
}

/// Whether the machine decides what becomes of a text: its limits and its users.
fn is_about_the_machine(text: &[u8]) -> bool {
    let mut words = text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.any(|word| [&b"max_fds"[..], b"uid", b"gid"].contains(&word))
}

/// Tries random texts.
fn run(name: &str, texts: impl Strategy<Value = Vec<u8>>) {
    let trees = trees(name);
    let bases: Vec<Effective> = trees
        .iter()
        .map(|tree| Effective::from_dump(&tree.ask(&[]).dump).unwrap())
        .collect();
    runner(400)
        .run(&texts, |text| {
            prop_assume!(!is_about_the_machine(&text));
            for (tree, base) in trees.iter().zip(&bases) {
                let answer = tree.ask(&[("pve-overrides.conf", &text)]);
                judge(&text, tree, base, &answer)?;
            }
            Ok(())
        })
        .unwrap_or_else(|err| panic!("{err}"));
}

#[test]
#[ignore = "needs the programs of several Debian releases"]
fn texts_of_the_corpus() {
    let texts = corpus();
    let trees = trees("corpus");
    for tree in &trees {
        let base = Effective::from_dump(&tree.ask(&[]).dump).unwrap();
        for text in texts.iter().filter(|text| !is_about_the_machine(text)) {
            let answer = tree.ask(&[("pve-overrides.conf", text)]);
            let verdict = judge(text, tree, &base, &answer);
            assert!(
                verdict.is_ok(),
                "{}\n{verdict:?}",
                String::from_utf8_lossy(text)
            );
        }
    }
}

#[test]
#[ignore = "needs the programs of several Debian releases"]
fn changed_texts() {
    let texts = corpus();
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "\"",
            "#",
            "!",
            "\n",
            "\r",
            " ",
            "\t",
            "\n}\n",
            "{\n",
            "\\",
            "[",
            "(",
            "*",
            "0",
            "-1",
            "99999999999",
            "\u{fc}",
            "defaults {\n",
            "overrides {\n",
            "protocol {\n",
            "device {\n",
            "/",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..3),
    ];
    let change = (any::<prop::sample::Index>(), 0..8_usize, piece);
    let changes = prop::collection::vec(change, 1..4);
    let text = (prop::sample::select(texts), changes).prop_map(|(mut text, changes)| {
        for (place, removed, piece) in changes {
            let start = place.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, piece);
        }
        text
    });
    run("changed", text);
}

/// Sections with keywords and values of all kinds.
fn generated() -> impl Strategy<Value = Vec<u8>> {
    let keywords = vec![
        "alias_prefix",
        "all_tg_pt",
        "auto_resize",
        "checker",
        "checker_timeout",
        "deferred_remove",
        "delay_wait_checks",
        "detect_prio",
        "detect_pgpolicy",
        "dev_loss_tmo",
        "devnode",
        "disable_changed_wwids",
        "eh_deadline",
        "enable_foreign",
        "failback",
        "fast_io_fail_tmo",
        "features",
        "find_multipaths",
        "find_multipaths_timeout",
        "flush_on_last_del",
        "getuid_callout",
        "ghost_delay",
        "hardware_handler",
        "log_checker_err",
        "marginal_pathgroups",
        "max_polling_interval",
        "max_retries",
        "max_sectors_kb",
        "mode",
        "no_path_retry",
        "partition_delimiter",
        "path_checker",
        "path_grouping_policy",
        "path_selector",
        "pg_timeout",
        "polling_interval",
        "prio",
        "prio_args",
        "product",
        "product_blacklist",
        "property",
        "protocol",
        "purge_disconnected",
        "queue_without_daemon",
        "reassign_maps",
        "reservation_key",
        "revision",
        "rr_min_io",
        "rr_min_io_rq",
        "rr_weight",
        "skip_kpartx",
        "type",
        "uid_attrs",
        "uid_attribute",
        "user_friendly_names",
        "uxsock_timeout",
        "vendor",
        "verbosity",
        "vpd_vendor",
        "wwid",
        "wwids_file",
        "bogus",
        "alias",
    ];
    let values = vec![
        "yes",
        "no",
        "0",
        "1",
        "5",
        "05",
        "+5",
        "-5",
        "5s",
        "0x10",
        "2147483648",
        "4294967295",
        "off",
        "on",
        "strict",
        "queue",
        "fail",
        "immediate",
        "manual",
        "infinity",
        "max",
        "always",
        "never",
        "unused",
        "multibus",
        "multibusX",
        "group_by_tpg",
        "\"service-time 0\"",
        "\"round-robin 1 5\"",
        "service-time 0",
        "\"1 queue_if_no_path\"",
        "\"2 pg_init_retries 50\"",
        "\"0\"",
        "\"1 alua\"",
        "file",
        "0x123:aptpl",
        "0778",
        "660",
        "\"sd:ID_SERIAL dasd:ID_UID\"",
        "sd",
        "scsi:fcp",
        "\"scsi:.*\"",
        "hp3par",
        "\"\"",
        "\"a\"\"b\"",
        "\"a b",
        "\".*\"",
        "^sd[a-z]",
        "\"!^sd\"",
        "\"(\"",
        "\"[\"",
        "\"*\"",
        "a/b",
        "/a/b",
        "ACME",
        "DISK",
        "tur",
        "const",
        "fpin",
        "uniform",
        "",
        "{",
        "}",
        "# c",
        "once",
        "grow_only",
        "3600a",
        "4000",
        "600",
        "\"a\\\"",
    ];
    let line = (prop::sample::select(keywords), prop::sample::select(values))
        .prop_map(|(keyword, value)| format!("\t{keyword} {value}\n"));
    let lines = prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat());
    let inner = (
        prop::sample::select(vec!["device", "protocol", "multipath"]),
        lines.clone(),
    )
        .prop_map(|(name, lines)| format!("\t{name} {{\n{lines}\t}}\n"));
    let body = prop_oneof![3 => lines, 2 => inner];
    let names = vec![
        "defaults",
        "defaults",
        "blacklist",
        "blacklist_exceptions",
        "devices",
        "devices",
        "overrides",
        "overrides",
        "multipaths",
        "bogus",
    ];
    let section = (
        prop::sample::select(names),
        prop::collection::vec(body, 0..3),
    )
        .prop_map(|(name, bodies)| format!("{name} {{\n{}}}\n", bodies.concat()));
    prop::collection::vec(section, 1..4).prop_map(|sections| sections.concat().into_bytes())
}

#[test]
#[ignore = "needs the programs of several Debian releases"]
fn generated_texts() {
    run("generated", generated());
}

/// Expressions: what the C library takes, and nothing else.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn expressions() {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "-",
        "[",
        "]",
        "^",
        "$",
        "(",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{",
        "}",
        "1",
        ",",
        "\\",
        ".",
        ":",
        "!",
        "[:alpha:]",
        "[:foo:]",
        "[.a.]",
        "[=b=]",
        "[a-z]",
        "[^]a]",
        "{2}",
        "{2,1}",
        "(a)",
        "\\1",
        "\\<",
    ]);
    let expression = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let text = expression.prop_map(|expression| {
        format!("blacklist {{\n\twwid \"x{expression}\"\n\tdevnode \"{expression}\"\n}}\n")
            .into_bytes()
    });
    run("expressions", text);
}
