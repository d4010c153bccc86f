//! A reporter that lives on says in each pass what one that reads everything anew says, whatever has
//! changed in between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use pve_multipath::cluster::report::{self, Entry, KvWrite, LastSent};
use pve_multipath::config;
use pve_multipath::node::Content;
use pve_multipath::node::maps::{Reply, SysfsFacts, parse_reply};
use pve_multipath::node::paths::{Configured, Learning, Memory, active_paths, expect_paths};
use pve_multipath::node::plan::Certainty;
use pve_multipath::pass::{Facts, Outcome, Reporter};

/// A reply with two LUNs, which have so many active and failed paths.
fn reply(luns: [(usize, usize); 2]) -> String {
    let map = |(name, (active, failed)): (char, (usize, usize))| {
        let path = |number: usize| {
            let state = if number < active { "active" } else { "failed" };
            format!(r#"{{"dev": "sd{name}{number}", "dm_st": "{state}"}}"#)
        };
        let paths: Vec<_> = (0..active + failed).map(path).collect();
        let paths = paths.join(", ");
        format!(
            r#"{{"uuid": "3600{name}", "sysfs": "dm-{name}", "path_groups": [{{"paths": [{paths}]}}]}}"#
        )
    };
    let maps: Vec<_> = ['a', 'b'].into_iter().zip(luns).map(map).collect();
    format!(r#"{{"maps": [{}]}}"#, maps.join(", "))
}

fn replies() -> [String; 6] {
    [
        reply([(4, 0), (2, 0)]),
        reply([(3, 1), (2, 0)]),
        reply([(3, 0), (2, 0)]),
        // a map that is left out with a warning
        reply([(4, 0), (2, 0)]).replace("3600b", "../b"),
        r#"{"maps": []}"#.to_owned(),
        "timeout\n".to_owned(),
    ]
}

/// More maps than fit into a value without compression.
fn many_maps() -> String {
    let map = |number: u32| format!(r#"{{"uuid": "3600{number:028}", "path_groups": []}}"#);
    let maps: Vec<_> = (0..400).map(map).collect();
    format!(r#"{{"maps": [{}]}}"#, maps.join(", "))
}

fn sysfs(size: u32) -> SysfsFacts {
    let link = "../devices/platform/host6/session1/target6:0:0/6:0:0:0/block/sda0";
    SysfsFacts {
        links: BTreeMap::from([("sda0".to_owned(), link.to_owned())]),
        sizes: BTreeMap::from([("dm-a".to_owned(), format!("{size}\n"))]),
        holders: BTreeMap::new(),
    }
}

const CONFIGS: [Option<&str>; 4] = [
    None,
    Some(""),
    Some("wwid: 3600a\n\nwwid: 3600b\n"),
    Some("wwid: 3600a\n\texpected-paths 3\n"),
];

/// `paths.json`, as others may change it. The first is what the node has written itself.
#[derive(Clone, Copy, Debug)]
enum File {
    Own,
    Absent,
    Broken,
    Unreadable,
    Accepted,
}

#[derive(Clone, Debug)]
struct Step {
    reply: usize,
    size: u32,
    config: usize,
    config_is: Certainty,
    file: File,
    /// Seconds since the last pass.
    seconds: i64,
    /// Whether the key-value store takes the values, and has those of before.
    is_published: bool,
    is_forgotten: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Mostly nothing changes.
    let reply = prop_oneof![6 => Just(0_usize), 4 => 0..7_usize];
    let size = prop_oneof![8 => Just(2048_u32), 1 => 0..2_u32];
    let config = prop_oneof![6 => Just(2_usize), 4 => 0..4_usize];
    let certainty = prop_oneof![6 => Just(Certainty::Settled), 1 => Just(Certainty::Unsettled)];
    let file = prop_oneof![
        12 => Just(File::Own),
        1 => Just(File::Absent),
        1 => Just(File::Broken),
        1 => Just(File::Unreadable),
        1 => Just(File::Accepted),
    ];
    let seconds = prop_oneof![8 => Just(10_i64), 4 => Just(100_i64), 1 => -50..400_i64];
    let step = (
        reply,
        size,
        (config, certainty),
        file,
        seconds,
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.05),
    );
    let step = step.prop_map(
        |(reply, size, (config, config_is), file, seconds, is_published, is_forgotten)| Step {
            reply,
            size,
            config,
            config_is,
            file,
            seconds,
            is_published,
            is_forgotten,
        },
    );
    vec(step, 1..40)
}

/// The pass as its parts, with nothing kept but what is being learned. None if the maps are unknown.
fn plain_pass(
    learning: &mut Learning,
    reply: &Reply<'_>,
    facts: &Facts<'_>,
) -> Option<(Vec<KvWrite>, bool, Vec<String>)> {
    let list = parse_reply(reply, Some(&facts.sysfs)).ok()?;
    let mut warnings = list.warnings();
    let mut maps = list.maps;
    let configured = facts.config.map(|text| {
        let parsed = config::parse("multipath.cfg", text);
        Configured::of(&parsed.config)
    });
    let memory = Memory::read(&facts.memory);
    expect_paths(&mut maps, configured.as_ref(), memory.as_ref().ok());
    let has_learned = match &memory {
        Ok(memory) => {
            let mut learned = memory.clone();
            let active = active_paths(&maps);
            let saved = configured.filter(|_| facts.config_is.is_settled());
            *learning = learning.observe(&mut learned, &active, saved.as_ref(), facts.now);
            learned != *memory
        }
        Err(error) => {
            let learning = "cannot remember how many paths the LUNs have";
            warnings.extend([error.to_string(), format!("{learning}: {error}")]);
            false
        }
    };
    let entries = maps.iter().map(|map| (map.wwid.clone(), Entry::from(map)));
    let values = report::health(&report::entries(entries), facts.now, facts.last).unwrap();
    Some((values, has_learned, warnings))
}

fn walk(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut replies = replies().to_vec();
    replies.push(many_maps());
    let (mut reporter, mut learning) = (Reporter::default(), Learning::default());
    let mut own: Option<String> = None;
    let mut sent: Option<(Vec<u8>, i64)> = None;
    let mut now = 1_000_000;
    for (number, step) in steps.iter().enumerate() {
        now += step.seconds;
        let accepted = r#"{"version": 1, "luns": {"3600a": {"paths": 2, "allow-listed": 1}}}"#;
        let memory = match step.file {
            File::Own => own
                .as_ref()
                .map_or(Content::Absent, |text| Content::Text(text.as_bytes())),
            File::Absent => Content::Absent,
            File::Broken => Content::Text(b"{"),
            File::Unreadable => Content::Unreadable("cannot read 'paths.json'".into()),
            File::Accepted => Content::Text(accepted.as_bytes()),
        };
        if step.is_forgotten {
            sent = None;
        }
        let facts = Facts {
            sysfs: sysfs(step.size),
            config: CONFIGS[step.config].map(str::as_bytes),
            config_is: step.config_is,
            memory: memory.clone(),
            last: sent.as_ref().map(|(text, time)| LastSent {
                text: Some(text),
                time: *time,
            }),
            now,
        };
        let reply = Reply {
            exit_code: Some(0),
            stdout: replies[step.reply].as_bytes(),
            ..Reply::default()
        };
        let wanted = plain_pass(&mut learning, &reply, &facts);
        let read = reporter.read(&reply).map(|devices| devices.maps.len());
        let Some((values, has_learned, warnings)) = wanted else {
            prop_assert!(read.is_err(), "step {number}");
            continue;
        };
        prop_assert!(read.is_ok(), "step {number}");
        let outcome: Outcome = reporter.report(&facts);
        prop_assert_eq!(&outcome.values, &values, "step {}", number);
        prop_assert_eq!(outcome.has_learned, has_learned, "step {}", number);
        prop_assert_eq!(&outcome.warnings, &warnings, "step {}", number);
        if has_learned {
            own = reporter.remember(&memory).unwrap();
            prop_assert!(own.is_some(), "step {number}");
        }
        let first = values.into_iter().find(|value| value.key == "multipath");
        if let Some(text) = first.and_then(|value| value.text) {
            if step.is_published {
                sent = Some((text.into_bytes(), now));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_that_is_kept_is_out_of_date(steps in steps()) {
        walk(&steps)?;
    }
}

/// A reporter that looks at four paths for so long that they are remembered.
fn settled() -> (Reporter, String) {
    let text = reply([(4, 0), (2, 0)]);
    let mut reporter = Reporter::default();
    for now in (0..=300).step_by(100) {
        let reply = Reply {
            exit_code: Some(0),
            stdout: text.as_bytes(),
            ..Reply::default()
        };
        reporter.read(&reply).unwrap();
        let outcome = reporter.report(&Facts {
            now,
            ..Facts::default()
        });
        assert_eq!(outcome.has_learned, now == 300, "{now}");
    }
    (reporter, text)
}

/// Between the pass and the lock, another process has written the file.
#[test]
fn the_file_may_change_before_it_is_locked() {
    let numbers = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        ["3600a", "3600b", "3600c"].map(|wwid| value["luns"][wwid]["paths"].as_u64())
    };
    let (reporter, _) = settled();
    let text = reporter.remember(&Content::Absent).unwrap().unwrap();
    assert_eq!(numbers(&text), [Some(4), Some(2), None]);

    // The other one has learned the same: nothing is left to write.
    let (reporter, _) = settled();
    let learned = reporter.remember(&Content::Text(text.as_bytes()));
    assert_eq!(learned.unwrap(), None);

    // What the other one has written stays.
    let other = r#"{"version": 1, "luns": {"3600a": {"paths": 6}, "3600c": {"paths": 8}}}"#;
    let (reporter, _) = settled();
    let text = reporter.remember(&Content::Text(other.as_bytes()));
    let text = text.unwrap().unwrap();
    assert_eq!(numbers(&text), [Some(6), Some(2), Some(8)]);

    // A file that is broken by now stays as it is, and what was learned is not lost.
    let (mut reporter, reply) = settled();
    assert!(reporter.remember(&Content::Text(b"{")).is_err());
    let reply = Reply {
        exit_code: Some(0),
        stdout: reply.as_bytes(),
        ..Reply::default()
    };
    reporter.read(&reply).unwrap();
    let outcome = reporter.report(&Facts {
        now: 310,
        ..Facts::default()
    });
    assert!(outcome.has_learned);
}
