//! What a node sees over time, and what the cluster says of it: fixtures/time-lines/*.json.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::cluster::events::{Damping, Event, Snapshot, StatusLuns, health_events};
use pve_multipath::cluster::report::{self, Entry, LastSent, entries};
use pve_multipath::cluster::status::{StatusArgs, status};
use pve_multipath::node::maps::{self, Reply, SysfsFacts};
use pve_multipath::node::paths::{self, Configured, Learning, Memory};
use pve_multipath::{Wwid, config};
use serde_json::{Value, json};

/// Seconds between two looks at the maps.
const INTERVAL: i64 = 60;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder)
}

/// The node and whoever watches it. What lives in a process is gone when the node is off.
struct Walk {
    config: String,
    memory: Memory,
    learning: Learning,
    /// What was sent last: the value and its time.
    sent: Option<(String, i64)>,
    online: bool,
    status: Value,
    damping: Damping,
    events: Vec<String>,
}

impl Walk {
    fn new(config: &str) -> Self {
        Self {
            config: config.to_owned(),
            memory: Memory::default(),
            learning: Learning::default(),
            sent: None,
            online: true,
            status: json!({ "luns": [] }),
            damping: Damping::default(),
            events: Vec::new(),
        }
    }

    /// The node is off at this time; its last report stays in the store.
    fn off(&mut self, now: i64) {
        self.online = false;
        self.learning = Learning::default();
        self.watch(now);
    }

    /// The store has this text of the node, or none, instead of what the node has sent last.
    fn stored(&mut self, text: Option<&str>, now: i64) {
        self.online = true;
        self.watch_text(text, now);
    }

    /// The node looks at its maps: multipathd's reply and what sysfs says.
    fn look(&mut self, reply: &[u8], block: &SysfsFacts, now: i64) {
        let reply = Reply {
            exit_code: Some(0),
            stdout: reply,
            ..Reply::default()
        };
        let mut maps = maps::parse_reply(&reply, Some(block)).unwrap().maps;
        let config = config::parse("multipath.cfg", self.config.as_bytes()).config;
        let configured = Configured::of(&config);

        // From what it remembers as the file has it, as a process that has just started.
        let memory = Memory::parse(self.memory.to_json().as_bytes()).unwrap();
        paths::expect_paths(&mut maps, Some(&configured), Some(&memory));
        let present = maps
            .iter()
            .map(|map| (map.wwid.clone(), u32::try_from(map.paths_active).unwrap()));
        let present = present.collect();
        let learning = &self.learning;
        self.learning = learning.observe(&mut self.memory, &present, Some(&configured), now);

        let entries = entries(maps.iter().map(|map| (map.wwid.clone(), Entry::from(map))));
        let last = self.sent.as_ref().map(|(text, time)| LastSent {
            text: Some(text.as_bytes()),
            time: *time,
        });
        match report::health(&entries, now, last).unwrap().as_slice() {
            [] => {}
            [value] => self.sent = Some((value.text.clone().unwrap(), now)),
            values => panic!("{values:?}"),
        }
        self.online = true;
        self.watch(now);
    }

    /// Somebody asks for the cluster's status and for what changed.
    fn watch(&mut self, now: i64) {
        let text = self.sent.as_ref().map(|(text, _)| text.clone());
        self.watch_text(text.as_deref(), now);
    }

    fn watch_text(&mut self, text: Option<&str>, now: i64) {
        let config = config::parse("multipath.cfg", self.config.as_bytes()).config;
        let args = json!({
            "kv": { "pve1": text },
            "members": { "pve1": { "online": u8::from(self.online) } },
            "now": now,
            "expectations": { "nodes": ["pve1"] },
            "config": config,
        });
        let args = args.to_string();
        let args: StatusArgs<'_> = serde_json::from_str(&args).unwrap();
        let current = serde_json::to_value(status(&args)).unwrap();

        let cells = |status: &Value| {
            let text = status.to_string();
            Snapshot::from(serde_json::from_str::<StatusLuns<'_>>(&text).unwrap())
        };
        let damping = Some((&mut self.damping, now));
        for event in health_events(&cells(&self.status), &cells(&current), damping) {
            let (what, change) = match event {
                Event::Lun { wwid, change, .. } => (wwid.to_string(), change),
                Event::Cause { cause, change } => (cause["text"].to_string(), change),
            };
            let from = change.from.map_or("-", |state| state.as_str());
            let changes = change.changes.map(|changes| format!(", {changes} changes"));
            let changes = changes.unwrap_or_default();
            let text = format!("{what} {from} > {}{changes}", change.to.as_str());
            self.events.push(text);
        }
        self.status = current;
    }

    /// A cell in words, as the fixtures have them.
    fn cell(&self, wwid: &str) -> String {
        let luns = self.status["luns"].as_array().unwrap();
        let Some(lun) = luns.iter().find(|lun| lun["wwid"] == wwid) else {
            return "nothing".into();
        };
        let cell = &lun["nodes"]["pve1"];
        let mut text = cell["state"].as_str().unwrap().to_owned();
        if let (Some(active), Some(total)) =
            (cell["paths-active"].as_u64(), cell["paths-total"].as_u64())
        {
            text += &format!(" {active}/{total}");
        }
        for reason in cell["reasons"].as_array().into_iter().flatten() {
            text += &format!(", {}", reason["code"].as_str().unwrap());
            for dev in reason["devs"].as_array().into_iter().flatten() {
                text += &format!(" {}", dev.as_str().unwrap());
            }
            if let Some(expected) = reason["expected"].as_u64() {
                text += &format!(" {} of {expected}", reason["present"]);
            }
        }
        for note in cell["notes"].as_array().into_iter().flatten() {
            let code = note["code"].as_str().unwrap();
            // The recordings have them, and they are tested elsewhere.
            if !code.starts_with("single-") {
                text += &format!(", {code}");
            }
        }
        text
    }
}

/// The reply and sysfs of `maps`: `sda sdb!, 100` are two paths, one failed, and 100 GiB.
fn reply(maps: &Value) -> (Vec<u8>, SysfsFacts) {
    let mut block = SysfsFacts::default();
    let maps: Vec<_> =
        (0..)
            .zip(maps.as_object().unwrap())
            .map(|(number, (wwid, map))| {
                let (paths, size) = map.as_str().unwrap().split_once(", ").unwrap();
                let sysfs = format!("dm-{number}");
                let sectors = size.parse::<u64>().unwrap() << 21;
                block.sizes.insert(sysfs.clone(), sectors.to_string());
                let paths: Vec<_> = paths.split(' ').map(|path| {
            let dev = path.trim_end_matches('!');
            json!({ "dev": dev, "dm_st": if path == dev { "active" } else { "failed" } })
        }).collect();
                json!({ "uuid": wwid, "sysfs": sysfs, "path_groups": [{ "paths": paths }] })
            })
            .collect();
    (json!({ "maps": maps }).to_string().into_bytes(), block)
}

#[test]
fn time_lines() {
    let files = fs::read_dir(fixtures("time-lines")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension() == Some("json".as_ref()));
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let line: Value =
            serde_json::from_str(&text).unwrap_or_else(|err| panic!("{file:?}: {err}"));
        let mut walk = Walk::new(line["config"].as_str().unwrap_or_default());
        let steps = line["steps"].as_array().unwrap();
        for (step, next) in steps
            .iter()
            .zip(steps.iter().skip(1).map(Some).chain([None]))
        {
            let at = step["at"].as_i64().unwrap();
            let until = next.map_or(at + 1, |next| next["at"].as_i64().unwrap());
            let seen = match step["recording"].as_str() {
                Some(name) => {
                    let path = fixtures("multipathd").join(name).join("show-maps-json.out");
                    (fs::read(path).unwrap(), SysfsFacts::default())
                }
                None if step["maps"].is_null() => (Vec::new(), SysfsFacts::default()),
                None => reply(&step["maps"]),
            };
            let mut now = at;
            while now < until {
                match step.get("stored") {
                    Some(text) => walk.stored(text.as_str(), now),
                    None if step["off"] == true => walk.off(now),
                    None => walk.look(&seen.0, &seen.1, now),
                }
                if now == at {
                    check(&file, &mut walk, step);
                }
                now += INTERVAL;
            }
        }
    }
}

fn check(file: &Path, walk: &mut Walk, step: &Value) {
    let what = format!("{file:?} at {}", step["at"]);
    for (wwid, wanted) in step["cells"].as_object().unwrap() {
        assert_eq!(walk.cell(wwid), wanted.as_str().unwrap(), "{what}, {wwid}");
    }
    let events = std::mem::take(&mut walk.events);
    assert_eq!(json!(events), step["events"], "{what}");
    if let Some(wwid) = step["accept"].as_str() {
        let wwid = Wwid::new(wwid).unwrap();
        let lun = walk.status["luns"].as_array().unwrap().iter();
        let present: BTreeMap<_, _> = lun
            .map(|lun| {
                (
                    lun["wwid"].as_str().unwrap(),
                    lun["nodes"]["pve1"]["paths-total"].as_u64(),
                )
            })
            .collect();
        let present = u32::try_from(present[wwid.as_str()].unwrap()).unwrap();
        paths::accept(&mut walk.memory, None, &wwid, present).unwrap();
    }
}
