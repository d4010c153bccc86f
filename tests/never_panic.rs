//! No input makes a parser panic, and its results keep the invariants.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use pve_multipath::Health;
use pve_multipath::cluster::report::{ApplyStatus, Broadcast, NamedEntry};
use pve_multipath::cluster::status::{AggregateArgs, StatusArgs, aggregate, status};
use pve_multipath::config::sections;
use pve_multipath::node::maps::{self, Reply, SysfsFacts};
use pve_multipath::node::wwids_file;

/// A real reply with two maps, and a real report of a peer: good texts to mutate.
static TEXTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let read = |name: &str| fs::read(fixtures.join("multipathd/0.11.1").join(name)).unwrap();
    let mut texts = vec![
        read("bad-config/e00-base/show-maps-json.out"),
        read("bad-config/e01-alias-doubled-quote-rec/show-maps-json.out"),
        read("fc/f01-fc-healthy/show-maps-json.out"),
    ];
    texts.push(
        br#"{"maps":{"3600a":{"state":"degraded","paths-active":1,"paths-total":2,"transport":"fc",
"size":1024,"reasons":[{"code":"path-failed","count":1,"devs":["sdb"]}]}},"time":1000}"#
            .to_vec(),
    );
    texts.push(br#"{"error":"no \"way\"","time":1000}"#.to_vec());
    texts.push(b"multipath: san\n\tnodes a,b\n\nlvm: vg\n\tbase san:3600a\n".to_vec());
    texts
});

/// Any bytes, JSON's own characters in any order, and good texts with something changed.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let json = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "maps",
        "\"maps\"",
        "uuid",
        "1e999",
        "-1",
        "null",
        "\u{0}",
        "\u{fc}",
        "\\ud800",
        "\n",
        " ",
        "7",
        "{\"maps\":{",
        "\"state\"",
        "99999999999999999999",
    ]);
    let json = vec(json, 0..40).prop_map(|parts| parts.concat().into_bytes());
    let spoilt = (
        0..TEXTS.len(),
        any::<prop::sample::Index>(),
        0..80usize,
        vec(any::<u8>(), 0..6),
    );
    let spoilt = spoilt.prop_map(|(text, at, removed, bytes)| {
        let mut text = TEXTS[text].clone();
        let start = at.index(text.len());
        let end = (start + removed).min(text.len());
        text.splice(start..end, bytes);
        text
    });
    prop_oneof![vec(any::<u8>(), 0..200), json, spoilt.clone(), spoilt]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn maps(text in texts(), exit_code in prop::option::of(-1..3i32)) {
        let block = SysfsFacts::default();
        if let Ok(parsed) = maps::parse(&text) {
            for map in &parsed.maps {
                prop_assert_eq!(map.paths_total, map.paths().count());
                prop_assert!(map.paths_active <= map.paths_total);
                prop_assert_eq!(map.health == Health::Optimal, map.reasons.is_empty());
            }
            serde_json::to_string(&parsed.maps).unwrap();
            parsed.warnings();
        }
        let reply = Reply { exit_code, stdout: &text, stderr: &text, timed_out: false };
        if let Err(error) = maps::parse_reply(&reply, Some(&block)) {
            prop_assert!(!error.to_string().is_empty());
        }
        let _ = maps::wanted_devices(&reply);
        maps::daemon_state(&reply);
    }

    #[test]
    fn broadcasts(text in texts(), now in any::<i64>()) {
        if let Ok(broadcast) = Broadcast::decode(&text) {
            for NamedEntry { wwid, .. } in broadcast.entries.iter() {
                prop_assert!(pve_multipath::types::wwid::check(wwid.as_str()).is_ok());
            }
            broadcast.freshness(now);
        }
        let _ = Broadcast::decode_lenient(&text);
        ApplyStatus::decode(&text);
    }

    #[test]
    fn files(text in texts()) {
        wwids_file::parse_wwids(&text);
        sections::parse(&String::from_utf8_lossy(&text));
    }

    /// The arguments that a caller hands in as JSON, whatever they hold.
    #[test]
    fn arguments(text in texts()) {
        let text = String::from_utf8_lossy(&text);
        for key in ["kv", "apply-kv", "members", "now", "expectations", "config", "allow-wwids",
            "aliases", "used-by", "online", "expected"]
        {
            let json = format!("{{\"{key}\": {text}}}");
            if let Ok(args) = serde_json::from_str::<StatusArgs<'_>>(&json) {
                serde_json::to_string(&status(&args)).unwrap();
            }
            if let Ok(args) = serde_json::from_str::<AggregateArgs<'_>>(&json) {
                serde_json::to_string(&aggregate(&args)).unwrap();
            }
        }
    }
}
