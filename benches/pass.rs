//! How long a pass of a daemon takes, from multipathd's reply to what is published, and how that grows
//! with the number of maps.
//!
//! `make bench` runs it. Twice as much should take twice as long: a ratio of 2.0.

use std::hint::black_box;

mod measure;

use measure::mean_time;
use pve_multipath::cluster::report::LastSent;
use pve_multipath::node::Content;
use pve_multipath::node::maps::Reply;
use pve_multipath::pass::{Facts, Reporter};

/// How many maps there are.
const COUNTS: [usize; 3] = [1_000, 2_000, 4_000];

fn wwid(number: usize) -> String {
    format!("36001405{number:025x}")
}

/// A reply in multipathd's layout, with four paths for each map. `faults` tells two of them apart.
fn reply(count: usize, faults: usize) -> String {
    let path = |number: usize| {
        let texts = [
            ("dev", format!("sd{number}")),
            ("dev_t", format!("8:{number}")),
            ("dm_st", "active".to_owned()),
            ("dev_st", "running".to_owned()),
            ("chk_st", "ready".to_owned()),
            ("checker", "tur".to_owned()),
            ("host_wwpn", format!("0x21000024ff00000{}", number % 2)),
            ("target_wwpn", format!("0x500009730000000{}", number % 4)),
        ];
        let lines = texts.map(|(name, text)| format!("            \"{name}\" : \"{text}\",\n"));
        format!("{}            \"pri\" : 50\n", lines.concat())
    };
    let map = |number: usize| {
        let paths: Vec<_> = (4 * number..4 * number + 4).map(path).collect();
        let paths = paths.join("         },{\n");
        let wwid = wwid(number);
        format!(
            "      \"name\" : \"{wwid}\",\n      \"uuid\" : \"{wwid}\",\n      \"sysfs\" : \"dm-{number}\",\n\
            \x20     \"path_faults\" : {faults},\n      \"path_groups\": [{{\n         \"pri\" : 50,\n\
            \x20        \"paths\": [{{\n{paths}         }}]\n      }}]\n"
        )
    };
    let maps: Vec<_> = (0..count).map(map).collect();
    let maps = maps.join("   },{\n");
    format!("{{\n   \"major_version\": 0,\n   \"maps\": [{{\n{maps}   }}]\n}}\n")
}

/// Prints a line with the time of the last count, and how it grew.
fn line(name: &str, seconds: i64, changes: bool) {
    let [first, second, third] = COUNTS.map(|count| {
        let replies = [reply(count, 0), reply(count, 1)];
        let config: String = (0..count)
            .map(|number| format!("wwid: {}\n\n", wwid(number)))
            .collect();
        let mut reporter = Reporter::default();
        let mut last: Option<(String, i64)> = None;
        let mut memory: Option<String> = None;
        let (mut now, mut number) = (0, 0);
        let mut pass = |seconds: i64| {
            now += seconds;
            number += usize::from(changes);
            let reply = Reply {
                exit_code: Some(0),
                stdout: replies
                    .get(number % 2)
                    .map_or(&[], |reply| reply.as_bytes()),
                ..Reply::default()
            };
            assert!(
                reporter.read(black_box(&reply)).is_ok(),
                "the reply can be read"
            );
            let text = memory.clone();
            let known = match &text {
                Some(text) => Content::Text(text.as_bytes()),
                None => Content::Absent,
            };
            let outcome = reporter.report(&Facts {
                config: Some(config.as_bytes()),
                memory: known.clone(),
                last: last.as_ref().map(|(text, time)| LastSent {
                    text: Some(text.as_bytes()),
                    time: *time,
                }),
                now,
                ..Facts::default()
            });
            if outcome.has_learned {
                memory = reporter
                    .remember(&known)
                    .unwrap_or_default()
                    .or(memory.take());
            }
            let values = outcome.values.into_iter();
            let first = values
                .filter(|value| value.key == "multipath")
                .find_map(|value| value.text);
            if let Some(text) = first {
                last = Some((text, now));
            }
        };
        // until the numbers of paths have settled
        for _ in 0..40 {
            pass(10);
        }
        mean_time(&mut || pass(seconds)).as_secs_f64()
    });
    println!(
        "{name:44} {:8.1} ms {:>16.1} {:>16.1}",
        third * 1000.0,
        second / first,
        third / second
    );
}

fn main() {
    let [first, second, third] = COUNTS;
    println!("passes of a daemon: {third} maps with 4 paths each");
    println!(
        "{:44} {:>11} {:>16} {:>16}",
        "",
        "",
        format!("{second} to {first}"),
        format!("{third} to {second}")
    );
    line("another reply", 10, true);
    line("the same reply, to be published again", 60, false);
    line("the same reply", 0, false);
}
