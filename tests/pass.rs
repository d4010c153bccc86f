//! A reporter that lives on says in each pass what one that reads everything anew says, whatever has
//! changed in between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use pve_multipath::cluster::report::{
    self, Broadcast, Context, Entry, LastSent, NamedEntry, NodeInfo, Software,
};
use pve_multipath::node::Content;
use pve_multipath::node::causes::causes;
use pve_multipath::node::maps::{DaemonState, Map, Reply, SysfsFacts, parse_reply};
use pve_multipath::node::paths::{
    Configured, Learning, Memory, active_paths, expect_paths, known_paths,
};
use pve_multipath::node::plan::Certainty;
use pve_multipath::node::ports::Ends;
use pve_multipath::pass::{Facts, Outcome, Reporter};
use pve_multipath::types::label::Label;
use pve_multipath::{Health, config};

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
        reply([(4, 0), (4, 0)]),
        reply([(3, 1), (2, 2)]),
        reply([(2, 2), (2, 1)]),
        // a map that is left out with a warning
        reply([(2, 0), (2, 0)]).replace("3600b", "../b"),
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
    let link = |(name, number): (char, u32)| {
        let dev = format!("sd{name}{number}");
        let host = 6 + number / 2;
        let link =
            format!("../devices/platform/host{host}/target{host}:0:0/{host}:0:0:0/block/{dev}");
        (dev, link)
    };
    let paths = ['a', 'b'].map(|name| (0..4).map(move |number| (name, number)));
    SysfsFacts {
        links: paths.into_iter().flatten().map(link).collect(),
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

/// The pass as its parts, with nothing kept but what is being learned and what was reported.
#[derive(Default)]
struct Plain {
    learning: Learning,
    /// The last report.
    report: Option<Broadcast>,
    /// The report that was published last, and its first value.
    published: Option<(Vec<u8>, Broadcast)>,
}

struct Wanted {
    /// What is published, if anything is.
    report: Option<Broadcast>,
    has_learned: bool,
    warnings: Vec<String>,
}

impl Plain {
    fn pass(&mut self, reply: &Reply<'_>, facts: &Facts<'_>) -> Wanted {
        let (mut has_learned, mut warnings) = (false, Vec::new());
        let memory = Memory::read(&facts.memory);
        let mut report = Broadcast::default();
        match parse_reply(reply, Some(&facts.sysfs)) {
            Ok(list) => {
                warnings = list.warnings();
                let mut maps = list.maps;
                let configured = facts.config.map(|text| {
                    let parsed = config::parse("multipath.cfg", text);
                    Configured::of(&parsed.config)
                });
                expect_paths(&mut maps, configured.as_ref(), memory.as_ref().ok());
                report = self.report_of(&maps, memory.as_ref().ok(), facts);
                match &memory {
                    Ok(memory) => {
                        let mut learned = memory.clone();
                        let active = active_paths(&maps);
                        let saved = configured.filter(|_| facts.config_is.is_settled());
                        self.learning =
                            self.learning
                                .observe(&mut learned, &active, saved.as_ref(), facts.now);
                        for map in &maps {
                            let paths = map.paths().filter(|path| path.is_active());
                            let ends = paths.map(|path| facts.ports.ends(path, &facts.sysfs.links));
                            let ends: Vec<Ends> =
                                ends.filter(|ends| *ends != Ends::default()).collect();
                            learned.learn_ends(&map.wwid, &ends, map.health == Health::Optimal);
                        }
                        has_learned = learned != *memory;
                    }
                    Err(error) => {
                        let learning = "cannot remember how many paths the LUNs have";
                        warnings.extend([error.to_string(), format!("{learning}: {error}")]);
                    }
                }
                let remembers = memory
                    .ok()
                    .map(|memory| memory.len())
                    .filter(|count| *count > 0);
                let remembers = remembers.map(|count| u32::try_from(count).unwrap());
                report.node = Some(Arc::new(node(DaemonState::Running, None, remembers)));
            }
            Err(_) => {
                let last = self.report.clone();
                report = last.unwrap_or(report);
                let remembers = report.node.as_ref().and_then(|node| node.remembers);
                let node = node(DaemonState::NoAnswer, Some(facts.now), remembers);
                report.node = Some(Arc::new(node));
            }
        }
        if !report.entries.is_empty() || report.time.is_some() {
            self.report = Some(report.clone());
        }
        let is_known = self.published.as_ref().is_some_and(|(text, published)| {
            facts.last.is_some_and(|last| {
                last.text == Some(text) && (0..60).contains(&(facts.now - last.time))
            }) && timeless(published) == timeless(&report)
        });
        Wanted {
            report: Some(report).filter(|_| !is_known),
            has_learned,
            warnings,
        }
    }

    fn report_of(&self, maps: &[Map], memory: Option<&Memory>, facts: &Facts<'_>) -> Broadcast {
        let known: Vec<_> = maps
            .iter()
            .map(|map| {
                let paths = map.paths();
                let ends = paths.map(|path| facts.ports.ends(path, &facts.sysfs.links));
                let remembered = memory.map(|memory| memory.ends(&map.wwid));
                let known = known_paths(map, ends.collect(), remembered.unwrap_or_default());
                (&map.wwid, known)
            })
            .collect();
        let found = causes(known.iter().map(|(wwid, paths)| (*wwid, paths.as_slice())));
        let entries = maps.iter().map(|map| (map.wwid.clone(), Entry::from(map)));
        let mut report = Broadcast::of_maps(&report::entries(entries));
        let entries = report.entries.iter().map(|map| {
            let before = self.report.as_ref().map(|report| {
                let mut before = report.entries.iter();
                before.find(|before| before.wwid == map.wwid)
            });
            let mut context = Context {
                since: match before {
                    None => None,
                    Some(Some(before)) if before.entry.state == map.entry.state => {
                        before.context.since
                    }
                    Some(_) => Some(facts.now),
                },
                ..Context::default()
            };
            for (position, (_, luns)) in found.iter().enumerate() {
                if luns.contains(&*map.wwid) {
                    context.causes.insert(position);
                }
            }
            NamedEntry {
                context,
                ..map.clone()
            }
        });
        report.entries = entries.collect();
        report.causes = found.iter().map(|(cause, _)| cause.clone()).collect();
        report.time = Some(facts.now);
        report
    }
}

fn node(state: DaemonState, time: Option<i64>, remembers: Option<u32>) -> NodeInfo {
    NodeInfo {
        software: Software {
            version: Label::name(pve_multipath::VERSION.as_bytes()),
            multipathd: Some(state),
            ..Software::default()
        },
        time,
        remembers,
        ..NodeInfo::default()
    }
}

/// A report without its times.
fn timeless(report: &Broadcast) -> Broadcast {
    let mut node = report.node.as_deref().cloned().unwrap();
    node.time = None;
    Broadcast {
        time: None,
        node: Some(Arc::new(node)),
        ..report.clone()
    }
}

fn walk(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut replies = replies().to_vec();
    replies.push(many_maps());
    let (mut reporter, mut plain) = (Reporter::default(), Plain::default());
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
        let reply = Reply {
            exit_code: Some(0),
            stdout: replies[step.reply].as_bytes(),
            ..Reply::default()
        };
        let read = reporter.read(&reply);
        let facts = Facts {
            silent: read.is_err().then_some(DaemonState::NoAnswer),
            sysfs: sysfs(step.size),
            config: CONFIGS[step.config].map(str::as_bytes),
            config_is: step.config_is,
            memory: memory.clone(),
            last: sent.as_ref().map(|(text, time)| LastSent {
                text: Some(text),
                time: *time,
            }),
            now,
            ..Facts::default()
        };
        let wanted = plain.pass(&reply, &facts);
        let mut next = None;
        let outcome: Outcome = reporter.report(&facts);
        prop_assert_eq!(outcome.has_learned, wanted.has_learned, "step {}", number);
        prop_assert_eq!(&outcome.warnings, &wanted.warnings, "step {}", number);
        prop_assert_eq!(
            outcome.values.is_empty(),
            wanted.report.is_none(),
            "step {}",
            number
        );
        let first = outcome.values.iter().find(|value| value.key == "multipath");
        let first = first
            .and_then(|value| value.text.as_deref())
            .map(str::as_bytes);
        if let (Some(first), Some(report)) = (first, wanted.report) {
            let values = report.writes(facts.last).unwrap();
            prop_assert_eq!(&outcome.values, &values, "step {}", number);
            plain.published = Some((first.to_vec(), report));
            if step.is_published {
                next = Some((first.to_vec(), now));
            }
        }
        if outcome.has_learned {
            own = reporter.remember(&memory).unwrap();
            prop_assert!(own.is_some(), "step {number}");
        }
        sent = next.or(sent);
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
