//! Reports of older versions and this one's reader, and this version's reports and an older reader.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::inflate::decompress_to_vec_zlib;
use pve_multipath::cluster::status::{StatusArgs, status};
use pve_multipath::node::maps::{DaemonState, Reply};
use pve_multipath::pass::{Facts, Reporter};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

/// When the frozen reports were made.
const TIME: i64 = 1_795_252_500;

/// The values of one node's report by key.
type Values = BTreeMap<String, String>;

/// A node's cells by WWID, as the status has them.
type Cells = BTreeMap<String, Value>;

/// The reader of version 0.1.0, from its documented rules: a report is a JSON object with `maps` and
/// `time`, or in the packed form; unknown fields are ignored; a field of odd content is as good as
/// none; an old report makes its node's LUNs unknown.
mod old {
    use super::*;

    const STATES: [&str; 4] = ["optimal", "degraded", "missing", "failed"];
    const TRANSPORTS: [&str; 3] = ["fc", "iscsi", "sas"];
    const NOTES: [&str; 7] = [
        "single-hba",
        "single-target-port",
        "single-target",
        "more-paths-than-configured",
        "suspended",
        "all-paths-marginal",
        "all-checkers-faulty",
    ];

    pub(super) fn cells(values: &Values, now: i64) -> Cells {
        let first: Value = serde_json::from_str(&values["multipath"]).unwrap();
        let report = match first["format"].as_i64() {
            None | Some(1) => first.clone(),
            Some(2) => unpacked(&first, values),
            other => panic!("format {other:?}"),
        };
        let age = first["time"].as_i64().map(|time| now - time);
        let is_fresh = age.is_some_and(|age| (-60..=180).contains(&age));
        let maps = report["maps"].as_object().unwrap().iter();
        let cells = maps.map(|(wwid, entry)| {
            let cell = match is_fresh {
                true => cell(entry),
                false => {
                    let mut reason = json!({ "code": "reporter-stale" });
                    if let Some(age) = age {
                        reason["age"] = age.into();
                    }
                    json!({ "state": "unknown", "reasons": [reason] })
                }
            };
            (wwid.clone(), cell)
        });
        cells.collect()
    }

    fn unpacked(first: &Value, values: &Values) -> Value {
        let mut data = first["data"].as_str().unwrap().to_owned();
        for number in 1..first["values"].as_u64().unwrap() {
            data += &values[&format!("multipath-{number}")];
        }
        assert_eq!(first["sha1"], format!("{:x}", Sha1::digest(&data)));
        let text = decompress_to_vec_zlib(&STANDARD.decode(data).unwrap()).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn cell(entry: &Value) -> Value {
        let mut cell = Map::new();
        let state = entry["state"].as_str().unwrap();
        assert!(STATES.contains(&state));
        cell.insert("state".into(), state.into());
        for field in ["paths-active", "paths-total", "paths-expected"] {
            if let Some(number) = entry[field].as_u64() {
                cell.insert(field.into(), number.into());
            }
        }
        if let Some(transport) = entry["transport"].as_str() {
            if TRANSPORTS.contains(&transport) {
                cell.insert("transport".into(), transport.into());
            }
        }
        let known = |reason: &&Value| {
            let code = reason["code"].as_str().unwrap();
            ["no-paths", "all-paths-failed", "path-failed", "path-gone"].contains(&code)
        };
        let reasons = entry["reasons"].as_array().into_iter().flatten();
        let reasons: Vec<&Value> = reasons.filter(known).collect();
        if !reasons.is_empty() {
            cell.insert("reasons".into(), json!(reasons));
        }
        let notes = entry["notes"].as_array().into_iter().flatten();
        let notes: Vec<Value> = notes
            .filter(|note| NOTES.contains(&note.as_str().unwrap()))
            .map(|note| json!({ "code": note }))
            .collect();
        if !notes.is_empty() {
            cell.insert("notes".into(), json!(notes));
        }
        cell.into()
    }
}

/// The cells that this version's status has of a node with this report.
fn cells(values: &Values, now: i64) -> Cells {
    let continued = values.iter().filter(|(key, _)| *key != "multipath");
    let continued = continued.map(|(key, text)| (key.clone(), json!({ "pve1": text })));
    let args = json!({
        "kv": { "pve1": values["multipath"] },
        "kv-continued": continued.collect::<Map<_, _>>(),
        "now": now,
    });
    let args = args.to_string();
    let args: StatusArgs<'_> = serde_json::from_str(&args).unwrap();
    let status: Value = serde_json::from_slice(&status(&args).to_json()).unwrap();
    let luns = status["luns"].as_array().unwrap().iter();
    let cell = |lun: &Value| {
        let wwid = lun["wwid"].as_str().unwrap().to_owned();
        (wwid, lun["nodes"]["pve1"].clone())
    };
    luns.map(cell).collect()
}

fn frozen(name: &str) -> Values {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports");
    let files = fs::read_dir(folder.join(name)).unwrap();
    let files = files.map(|file| file.unwrap());
    let values = files.map(|file| {
        let key = file.file_name().into_string().unwrap();
        (key, fs::read_to_string(file.path()).unwrap())
    });
    values.collect()
}

#[test]
fn reports_of_older_versions_are_read() {
    for (name, maps) in [
        ("empty", 0),
        ("plain", 4),
        ("packed-in-one", 400),
        ("packed-in-several", 2_000),
    ] {
        let values = frozen(name);
        for now in [TIME, TIME + 180, TIME + 181] {
            let read = cells(&values, now);
            assert_eq!(read.len(), maps, "{name}");
            assert!(read == old::cells(&values, now), "{name}");
        }
    }
}

#[test]
fn a_plain_report_in_full() {
    let wanted = json!({
        "3600507680b21ac5d0000000000000001": {
            "state": "optimal", "paths-active": 4, "paths-total": 4, "paths-expected": 4,
            "transport": "fc",
        },
        "3600507680b21ac5d0000000000000002": {
            "state": "degraded", "paths-active": 2, "paths-total": 3, "paths-expected": 4,
            "transport": "fc",
            "reasons": [
                { "code": "path-failed", "count": 1, "devs": ["sdf"] },
                { "code": "path-gone", "present": 3, "expected": 4 },
            ],
            "notes": [{ "code": "single-hba" }],
        },
        "3600507680b21ac5d0000000000000003": {
            "state": "failed", "paths-active": 0, "paths-total": 2,
            "reasons": [{ "code": "all-paths-failed", "count": 2 }],
            "notes": [{ "code": "suspended" }, { "code": "all-paths-marginal" }],
        },
        "eui.0025385391b5e9a1": {
            "state": "failed", "paths-active": 0, "paths-total": 0,
            "reasons": [{ "code": "no-paths" }],
        },
    });
    assert_eq!(json!(cells(&frozen("plain"), TIME)), wanted);
    assert_eq!(json!(old::cells(&frozen("plain"), TIME)), wanted);
}

#[test]
fn a_packed_report_in_full() {
    let read = cells(&frozen("packed-in-one"), TIME);
    for number in 1..=400 {
        let wwid = format!("36001405{number:025x}");
        let cell = &read[&wwid];
        let (state, active) = match number % 100 {
            0 => ("degraded", 3),
            _ => ("optimal", 4),
        };
        assert_eq!(cell["state"], state, "{number}");
        assert_eq!(cell["paths-active"], active, "{number}");
        assert_eq!(cell["paths-expected"], 4, "{number}");
    }
}

/// multipathd's reply with so many maps, each with a path through either of two HBAs; those of the first
/// one are lost or not.
fn reply(maps: usize, is_lost: bool) -> String {
    let map = |number: usize| {
        let path = |hba: usize| {
            let state = if is_lost && hba == 0 {
                "failed"
            } else {
                "active"
            };
            format!(
                r#"{{"dev":"sd{hba}","dm_st":"{state}","host_wwpn":"0x210{hba}","target_wwpn":"0x50"}}"#
            )
        };
        // Digits that do not compress.
        let digits = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 28;
        let paths = [path(0), path(1)].join(",");
        format!(r#"{{"uuid":"36001405{digits:025x}","path_groups":[{{"paths":[{paths}]}}]}}"#)
    };
    let maps: Vec<_> = (1..=maps).map(map).collect();
    format!(r#"{{"maps":[{}]}}"#, maps.join(","))
}

/// What is in the store after a report.
fn report(reporter: &mut Reporter, text: &str, silent: Option<DaemonState>, now: i64) -> Values {
    let reply = Reply {
        exit_code: Some(0),
        stdout: text.as_bytes(),
        ..Reply::default()
    };
    if silent.is_none() {
        reporter.read(&reply).unwrap();
    }
    let outcome = reporter.report(&Facts {
        silent,
        now,
        ..Facts::default()
    });
    assert!(outcome.warnings.is_empty());
    let values = outcome.values.into_iter();
    values
        .filter_map(|value| Some((value.key, value.text?)))
        .collect()
}

#[test]
fn an_older_reader_reads_what_it_knows() {
    for (maps, values) in [(0, 1), (2, 1), (2_000, 2)] {
        let mut reporter = Reporter::default();
        report(&mut reporter, &reply(maps, false), None, TIME - 60);
        let sent = report(&mut reporter, &reply(maps, true), None, TIME);
        assert_eq!(sent.len(), values, "{maps}");

        let mut read = cells(&sent, TIME + 180);
        for cell in read.values_mut() {
            let cell = cell.as_object_mut().unwrap();
            assert_eq!(cell.remove("since"), Some(json!(TIME)));
            assert_eq!(cell.remove("causes"), Some(json!([0])));
        }
        assert_eq!(read.len(), maps);
        assert!(read == old::cells(&sent, TIME + 180), "{maps}");
        assert!(
            cells(&sent, TIME + 181) == old::cells(&sent, TIME + 181),
            "{maps}"
        );
    }
}

#[test]
fn an_older_reader_sees_maps_go_stale_while_multipathd_does_not_answer() {
    let mut reporter = Reporter::default();
    report(&mut reporter, &reply(2, false), None, TIME);
    let silent = Some(DaemonState::Stopped);
    for (age, old_code, code) in [
        (10, None, None),
        (180, None, None),
        (181, Some("reporter-stale"), Some("no-multipathd")),
    ] {
        let now = TIME + age;
        let sent = report(&mut reporter, "", silent, now);
        for (cells, code) in [
            (old::cells(&sent, now), old_code),
            (cells(&sent, now), code),
        ] {
            assert_eq!(cells.len(), 2);
            for cell in cells.values() {
                let state = if code.is_some() { "unknown" } else { "optimal" };
                assert_eq!(cell["state"], state, "{age}");
                assert_eq!(cell["reasons"][0]["code"], json!(code), "{age}");
                let wanted = code.map(|_| age);
                assert_eq!(cell["reasons"][0]["age"], json!(wanted), "{age}");
            }
        }
    }
}
