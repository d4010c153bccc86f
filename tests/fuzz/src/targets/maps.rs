//! What multipathd answers: any bytes are read, also as a text that an array pasted into it.

use std::sync::LazyLock;

use pve_multipath::Health;
use pve_multipath::allowlist;
use pve_multipath::maps::{self, BlockDevices, Map, Reply};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "maps",
    start: || Ok(Box::new(run)),
    inputs: 4_000,
    seeds: &[("multipathd", "show-maps-json.out")],
    words: JSON_WORDS,
};

/// What means something in JSON.
pub(super) const JSON_WORDS: &str = "{ } [ ] , : \" \\ \"\" \\\" \\u0000 \\ud800 \\n null true \
    1e999 -1 1.5 \0 \u{fc} \t \n timeout fail";

fn run(text: &[u8]) -> bool {
    allowlist::parse_wwids(text);
    let parsed = maps::parse(text);
    assert_eq!(parsed, maps::parse(text));
    let block = BlockDevices::default();
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
        maps::devices(&reply);
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

fn check(maps: &[Map<'_>]) {
    for map in maps {
        assert_eq!(map.paths_total, map.paths().count());
        assert!(map.paths_active <= map.paths_total);
        assert_eq!(map.health == Health::Optimal, map.reasons.is_empty());
    }
    serde_json::to_string(maps).expect("maps are JSON");
}

/// A real reply with two maps, and its lines that hold what an array says of itself.
static REPLY: LazyLock<(Vec<Vec<u8>>, Vec<usize>)> = LazyLock::new(|| {
    let file = "fixtures/multipathd/0.11.1/bad-config/e00-base/show-maps-json.out";
    let text = std::fs::read(crate::root().join(file)).expect("a recorded reply");
    let lines: Vec<Vec<u8>> = text
        .split_inclusive(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let says = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        ["\"vend\"", "\"prod\"", "\"rev\""]
            .iter()
            .any(|key| line.trim_start().starts_with(key))
    };
    let of_arrays = (0..lines.len()).filter(|&at| says(&lines[at])).collect();
    (lines, of_arrays)
});

/// Whatever an array calls itself, the maps are the same in all that counts.
fn pasted(name: &[u8]) {
    let end = name.iter().position(|byte| b"\n\0".contains(byte));
    let name = &name[..end.unwrap_or(name.len()).min(64)];
    let (lines, places) = &*REPLY;
    let place = places[name.len() % places.len()];
    let mut text = lines.clone();
    let line = String::from_utf8_lossy(&lines[place]);
    let head = line.find(": \"").map(|at| &line[..at + 3]);
    let tail = line
        .trim_end()
        .strip_suffix(',')
        .map_or("\"\n", |_| "\",\n");
    text[place] = [head.expect("a text").as_bytes(), name, tail.as_bytes()].concat();
    let (text, good) = (text.concat(), lines.concat());
    let what_counts = |text: &[u8]| {
        let parsed = maps::parse(text).unwrap_or_else(|err| panic!("{err}"));
        let maps = parsed.maps.iter();
        maps.map(|map| {
            let paths: Vec<String> = map.paths().map(|path| path.dev.to_string()).collect();
            (
                map.wwid.clone(),
                map.name.to_string(),
                map.paths_active,
                paths,
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(what_counts(&text), what_counts(&good));
}
