//! The check of overrides and the effective values, compared with the real multipath.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pve_multipath::Severity;
use pve_multipath::multipath_conf::{self, Attributes, ConfValues, Finding, FindingCode};
use pve_multipath::wire::byte_string::ByteString;

use crate::complaints::{ERRORS_WITHOUT_COMPLAINT, WITHOUT_COMPLAINT, line_of};
use crate::oracle::{Answer, Tree};
use crate::{runner, trees};

/// The values of a dump that multipath does not print without files.
fn beyond(base: &ConfValues, found: &ConfValues) -> ConfValues {
    let mut beyond = found.clone();
    beyond
        .defaults
        .retain(|keyword, value| base.defaults.get(keyword) != Some(value));
    let fewer =
        |all: &mut Vec<Attributes>, base: &[Attributes]| all.retain(|entry| !base.contains(entry));
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

/// Replaces features by the options that multipath has for them.
fn replace_features(entry: &mut Attributes) {
    let options = [
        ("queue_if_no_path", "no_path_retry", "queue"),
        (
            "retain_attached_hw_handler",
            "retain_attached_hw_handler",
            "yes",
        ),
    ];
    for (feature, option, value) in options {
        let features = entry.get("features").cloned().unwrap_or_default();
        let mut words: Vec<&str> = features.split(' ').skip(1).collect();
        if let Some(place) = words.iter().position(|word| *word == feature) {
            words.remove(place);
            let count = words.len().to_string();
            words.insert(0, &count);
            entry.insert("features".to_owned(), words.join(" "));
            entry.entry(option.to_owned()).or_insert(value.to_owned());
        }
    }
}

/// Merges a text's values with multipath's built-in entries for the same devices.
fn joined(base: &ConfValues, mut ours: ConfValues) -> ConfValues {
    let names = ["vendor", "product", "revision"];
    let key = |entry: &Attributes| names.map(|name| entry.get(name).cloned());
    for entry in &mut ours.devices {
        let built_in = base.devices.iter().find(|own| key(own) == key(entry));
        for (name, value) in built_in.into_iter().flatten() {
            entry.entry(name.clone()).or_insert(value.clone());
        }
        if built_in.is_some() {
            replace_features(entry);
        }
    }
    // 'product_blacklist' is added to the blacklist
    for entry in &ours.devices {
        let hidden = [("vendor", "vendor"), ("product", "product_blacklist")];
        let hidden = hidden.map(|(name, from)| Some((name.to_owned(), entry.get(from)?.clone())));
        let hidden: Option<Attributes> = hidden.into_iter().collect();
        let devices = &mut ours.blacklist.devices;
        devices.extend(hidden.filter(|hidden| !devices.contains(hidden)));
    }
    ours
}

/// The rules that the check has to follow, for one version.
fn judge(
    text: &[u8],
    tree: &Tree,
    base: &ConfValues,
    answer: &Answer,
) -> Result<(), TestCaseError> {
    let findings = multipath_conf::check(text, &[tree.version], &[]);
    let refused = |code: &[FindingCode]| {
        let errors = findings.iter().filter(|f| f.severity == Severity::Error);
        errors.filter(|f| !code.contains(&f.code)).count() > 0
    };
    if !answer.ended_well {
        prop_assert!(refused(&[]), "{}: multipath crashes or spins", tree.version);
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
            .filter(|f| !WITHOUT_COMPLAINT.contains(&f.code))
            .collect();
        prop_assert!(other.is_empty(), "{}: {:?}", tree.version, other);
        prop_assert!(!refused(&ERRORS_WITHOUT_COMPLAINT));
    }

    let Ok(dump) = ConfValues::from_dump(&answer.dump) else {
        // multipath cannot read back the entries without a vendor that it prints
        return Ok(());
    };
    let mut ours = joined(base, multipath_conf::effective(&[text], tree.version));
    // printed without quotes, where a non-ASCII character is a blank
    if let Some(records) = ours.defaults.get_mut("uid_attrs") {
        let words = records.split(|c: char| c == ' ' || !c.is_ascii());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        *records = words.join(" ");
    }
    prop_assert_eq!(beyond(base, &ours), beyond(base, &dump), "{}", tree.version);
    Ok(())
}

/// The texts of the fixtures.
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

/// Whether the effect of a text depends on the machine's users. fs.nr_open has the kernel's default
/// in the trees.
fn is_about_the_machine(text: &[u8]) -> bool {
    let mut words = text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.any(|word| [&b"uid"[..], b"gid"].contains(&word))
}

/// Judges random texts.
fn run(name: &str, texts: impl Strategy<Value = Vec<u8>>) {
    let trees = trees(name);
    let bases: Vec<ConfValues> = trees
        .iter()
        .map(|tree| ConfValues::from_dump(&tree.ask(&[]).dump).unwrap())
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
        let base = ConfValues::from_dump(&tree.ask(&[]).dump).unwrap();
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

/// The largest texts of many entries that are accepted do not keep multipath busy.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn many_entries() {
    let device = |vendor: usize| format!("device {{\nvendor V{vendor}\nproduct P\n}}\n");
    let of_devices: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("the same", &|count| device(0).repeat(count)),
        ("the same at the end", &|count| {
            let others: String = (1..1000).map(device).collect();
            others + &device(0).repeat(count)
        }),
        ("each twice", &|count| {
            (0..2 * count)
                .map(|number| device(number % count))
                .collect()
        }),
    ];
    let trees = trees("many");
    for (name, entries) in of_devices {
        let text = |count| format!("devices {{\n{}}}\n", entries(count)).into_bytes();
        let is_accepted = |text: &[u8]| {
            let findings = multipath_conf::check(text, &multipath_conf::VERSIONS, &[]);
            findings.iter().all(|f| f.severity != Severity::Error)
        };
        // find the greatest number that is accepted
        let (mut good, mut bad) = (1, 4000);
        while bad - good > 1 {
            let count = usize::midpoint(good, bad);
            match is_accepted(&text(count)) {
                true => good = count,
                false => bad = count,
            }
        }
        assert!(good >= 20, "{name}: only {good} are accepted");
        for tree in &trees {
            let answer = tree.ask(&[("pve-overrides.conf", &text(good))]);
            assert!(answer.ended_well, "{} {name} {good}", tree.version);
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

/// Random sections with keywords and values of all kinds.
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
        "max_fds",
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
        "1048576",
        "1048577",
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
        "\"2 PG_INIT_RETRIES 51\"",
        "\"1 QUEUE_IF_NO_PATH\"",
        "\"io-affinity 0\"",
        "ID_SERIAL",
        "^ID_",
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

/// An expression is valid here exactly if it is for glibc.
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

fn is_refused_as_heavy(text: &[u8], tree: &Tree) -> bool {
    let findings = multipath_conf::check(text, &[tree.version], &[]);
    let heavy =
        |f: &Finding| f.severity == Severity::Error && f.code == FindingCode::HeavyExpression;
    findings.iter().any(heavy)
}

/// Expressions that crash multipath are refused, whichever keyword they are for.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn deadly_expressions() {
    let nested = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    let boundaries = "\\b".repeat(60);
    // whether the main thread, with its large stack, crashes as well
    let expressions = [
        ("(()){32767}", true),
        ("x{0,32767}", true),
        ("(x{1,1000}){1,1000}", true),
        ("(x?){32767}", true),
        ("(x{32767}){32767}(", true),
        ("((a?|b?){40})*", true),
        (&boundaries, true),
        ("(()){300}", false),
        (&nested, false),
    ];
    // an expression, and whether 'multipath -t' or 'multipath -ll' compiles it
    let places = [
        ("blacklist {\nwwid \"#\"\n}\n", Some("-t")),
        ("blacklist {\nwwid \"!#\"\n}\n", Some("-t")),
        ("blacklist_exceptions {\nwwid \"#\"\n}\n", Some("-t")),
        ("blacklist {\ndevnode \"#\"\n}\n", Some("-t")),
        ("blacklist {\nproperty \"#\"\n}\n", Some("-t")),
        ("blacklist {\nprotocol \"#\"\n}\n", Some("-t")),
        ("blacklist {\ndevice {\nvendor \"#\"\n}\n}\n", Some("-t")),
        ("blacklist {\ndevice {\nproduct \"#\"\n}\n}\n", Some("-t")),
        (
            "devices {\ndevice {\nvendor A\nproduct B\nproduct_blacklist \"#\"\n}\n}\n",
            Some("-t"),
        ),
        (
            "devices {\ndevice {\nvendor \"#\"\nproduct B\nproduct_blacklist C\n}\n}\n",
            Some("-t"),
        ),
        ("defaults {\nenable_foreign \"#\"\n}\n", Some("-ll")),
        ("devices {\ndevice {\nvendor \"#\"\nproduct B\n}\n}\n", None),
        ("devices {\ndevice {\nvendor A\nproduct \"#\"\n}\n}\n", None),
        (
            "devices {\ndevice {\nvendor A\nproduct B\nrevision \"#\"\n}\n}\n",
            None,
        ),
        ("defaults {\nprio_args \"hbtl # 1\"\n}\n", None),
        ("overrides {\nprio_args \"wwn a 1 # 2\"\n}\n", None),
        (
            "devices {\ndevice {\nvendor A\nproduct B\nprio_args \"serial # 1\"\n}\n}\n",
            None,
        ),
    ];
    for tree in trees("deadly") {
        for (expression, kills_main) in expressions {
            for (place, option) in places {
                let text = place.replace('#', expression).into_bytes();
                let shown = String::from_utf8_lossy(&text).into_owned();
                let is_small = option.is_none() || place.contains("vendor \"#\"\nproduct B\n");
                if kills_main || is_small {
                    assert!(
                        is_refused_as_heavy(&text, &tree),
                        "{}: {shown}",
                        tree.version
                    );
                }
                let files = [("pve-overrides.conf", &text[..])];
                // the others only crash with less memory
                let is_asked =
                    kills_main && (expression == expressions[0].0 || place == places[0].0);
                let lives = match option.filter(|_| is_asked) {
                    None => false,
                    Some("-ll") => {
                        let answer = tree.list(&files);
                        let failed = |complaint: &String| complaint.contains("enable_foreign");
                        answer.ended_well && !answer.complaints.iter().any(failed)
                    }
                    Some(_) => {
                        let answer = tree.ask(&files);
                        answer.ended_well && answer.complaints.is_empty()
                    }
                };
                assert!(!lives, "{}: it takes {shown}", tree.version);
            }
        }
    }
}

/// The largest numbers of expensive expressions that are accepted neither take long nor too much
/// memory.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn as_many_expressions_as_are_accepted() {
    let entries = [
        "wwid \"x{0,300}#\"\n",
        "wwid \"[a-z]{4990}#\"\n",
        "wwid \"(.*a){50}#\"\n",
        "wwid \".*[02468ace].{5}[13579]#\"\n",
        "wwid \"(x?){200}#\"\n",
        "wwid \"((a?|b?){4})*#\"\n",
        "wwid \"(^|$|a)*#\"\n",
        "wwid \"[0-9a-f]{32}#\"\n",
        "wwid \"(a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z){10}#\"\n",
        "devnode \"()#\"\n",
    ];
    for tree in trees("many") {
        for entry in entries {
            let text = |count: usize| {
                let entries = (0..count).map(|number| entry.replace('#', &number.to_string()));
                format!("blacklist {{\n{}}}\n", entries.collect::<String>()).into_bytes()
            };
            let is_accepted = |count: usize| {
                let findings = multipath_conf::check(&text(count), &[tree.version], &[]);
                findings.iter().all(|f| f.severity != Severity::Error)
            };
            // find the greatest number that is accepted
            let (mut accepted, mut refused) = (0, 20_000);
            assert!(!is_accepted(refused), "{entry}");
            while refused - accepted > 1 {
                let middle = (accepted + refused) / 2;
                match is_accepted(middle) {
                    true => accepted = middle,
                    false => refused = middle,
                }
            }
            assert!(accepted > 5, "{entry}");
            let answer = tree.ask(&[("pve-overrides.conf", &text(accepted))]);
            let is_well = answer.ended_well && answer.complaints.is_empty();
            assert!(
                is_well,
                "{}: {accepted} of {entry} {answer:?}",
                tree.version
            );
        }
    }
}
