//! multipathd's replies: any bytes as a reply, and as a text within one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pve_multipath::Health;
use pve_multipath::node::maps::{self, Map, Reply, SysfsFacts};
use pve_multipath::node::wwids_file;
use serde_json::Value;

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "maps",
    start: || Ok(Box::new(run)),
    inputs: 4_000,
    seeds: &[("multipathd", "show-maps-json.out")],
    words: JSON_WORDS,
};

/// The tokens of JSON.
pub(super) const JSON_WORDS: &str = "{ } [ ] , : \" \\ \"\" \\\" \\u0000 \\ud800 \\n null true \
    1e999 -1 1.5 \0 \u{fc} \t \n timeout fail";

fn run(text: &[u8]) -> bool {
    wwids_file::parse_wwids(text);
    let parsed = maps::parse(text);
    assert_eq!(parsed, maps::parse(text));
    let block = SysfsFacts::default();
    for exit_code in [Some(0), Some(1), None] {
        let reply = Reply {
            exit_code,
            stdout: text,
            stderr: text,
            timed_out: exit_code.is_none(),
        };
        if let Err(error) = maps::parse_reply(&reply, Some(&block)) {
            assert!(!error.to_string().is_empty());
        }
        let _ = maps::wanted_devices(&reply);
        maps::daemon_state(&reply);
    }
    pasted(text);
    let Ok(parsed) = parsed else {
        return false;
    };
    check(&parsed.maps);
    parsed.warnings();
    let lines = text.split(|&byte| byte == b'\n').count();
    assert!(parsed.repaired_lines.is_sorted());
    let is_line = |line: &usize| (1..=lines).contains(line);
    assert!(parsed.repaired_lines.iter().all(is_line));

    true
}

fn check(maps: &[Map]) {
    for map in maps {
        assert_eq!(map.paths_total, map.paths().count());
        assert!(map.paths_active <= map.paths_total);
        assert_eq!(map.health == Health::Optimal, map.reasons.is_empty());
    }
    serde_json::to_string(maps).expect("maps are JSON");
}

/// A real reply with two maps, and its lines with texts that come from elsewhere.
static REPLY: LazyLock<(Vec<Vec<u8>>, Vec<usize>)> = LazyLock::new(|| {
    let file = "fixtures/multipathd/0.11.1/bad-config/e00-base/show-maps-json.out";
    let text = std::fs::read(crate::root().join(file)).expect("a recorded reply");
    let lines: Vec<Vec<u8>> = text
        .split_inclusive(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let is_pasted = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        PASTED.iter().any(|key| line.trim_start().starts_with(key))
    };
    let places = (0..lines.len()).filter(|&at| is_pasted(&lines[at]));
    let places = places.collect();
    (lines, places)
});

/// The fields whose text comes from an array, an administrator or the kernel.
const PASTED: [&str; 10] = [
    "\"name\"",
    "\"features\"",
    "\"hwhandler\"",
    "\"vend\"",
    "\"prod\"",
    "\"rev\"",
    "\"selector\"",
    "\"checker\"",
    "\"target_wwnn\"",
    "\"host_adapter\"",
];

/// Stands for a text that was pasted.
const PLACEHOLDER: &str = "a text of its own";

/// A text between two quotes is the value of that field, and all other fields are unchanged.
fn pasted(text: &[u8]) {
    let end = text.iter().position(|byte| b"\n\0".contains(byte));
    let text = &text[..end.unwrap_or(text.len()).min(64)];
    let (_, places) = &*REPLY;
    let place = places[text.len() % places.len()];
    let text_read = match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => text.iter().copied().map(char::from).collect(),
    };
    let wanted = paste(place, PLACEHOLDER.as_bytes());
    let wanted = facts(&wanted).into_iter().map(|map| {
        let values = map.into_iter().filter_map(|(key, value)| {
            let value = match value == PLACEHOLDER {
                true => said(&key, &text_read)?,
                false => value,
            };
            Some((key, value))
        });
        values.collect()
    });
    let wanted: Vec<BTreeMap<String, String>> = wanted.collect();
    let found = paste(place, text);
    assert_eq!(facts(&found), wanted, "{}", String::from_utf8_lossy(&found));
}

/// The value that a text should give; none for a marker of a missing value.
fn said(key: &str, text: &str) -> Option<String> {
    let trims = ["vendor", "product", "revision"]
        .iter()
        .any(|end| key.ends_with(end));
    let text = if trims { text.trim() } else { text };
    let unset = [
        "",
        "-",
        "--",
        "#:#",
        "##",
        "(null)",
        "[undef]",
        "[unknown]",
        "undef",
        "unknown",
    ];
    (!unset.contains(&text)).then(|| text.to_owned())
}

/// The reply with a text in this line.
fn paste(place: usize, text: &[u8]) -> Vec<u8> {
    let mut lines = REPLY.0.clone();
    let line = String::from_utf8_lossy(&lines[place]).into_owned();
    let head = line.find(": \"").map(|at| &line[..at + 3]);
    lines[place] = [head.expect("a text").as_bytes(), text, b"\",\n"].concat();
    lines.concat()
}

/// All plain values of the maps, by where they stand. Notes follow from them.
fn facts(text: &[u8]) -> Vec<BTreeMap<String, String>> {
    fn walk(at: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(object) => object
                .iter()
                .filter(|(key, _)| *key != "notes")
                .for_each(|(key, value)| walk(&format!("{at}/{key}"), value, facts)),
            Value::Array(values) => (0..)
                .zip(values)
                .for_each(|(number, value)| walk(&format!("{at}/{number}"), value, facts)),
            Value::String(text) => drop(facts.insert(at.into(), text.clone())),
            other => drop(facts.insert(at.into(), other.to_string())),
        }
    }

    let parsed = maps::parse(text).unwrap_or_else(|err| panic!("{err}"));
    assert_eq!(parsed.skipped, []);
    let maps = parsed.maps.iter().map(|map| {
        let mut facts = BTreeMap::new();
        walk(
            "",
            &serde_json::to_value(map).expect("maps are JSON"),
            &mut facts,
        );
        // Without a name of its own it has its WWID's.
        if facts.get("/name") == facts.get("/wwid") {
            facts.remove("/name");
        }
        facts
    });
    maps.collect()
}
