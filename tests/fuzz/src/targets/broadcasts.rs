//! What peers send: any bytes, of several nodes at once.
//!
//! An input holds one node's text after the other, between lines `---`.

use std::collections::BTreeMap;

use pve_multipath::CellState;
use pve_multipath::cluster::report::{ApplyStatus, Broadcast, Entry, Peers, Texts};
use pve_multipath::cluster::status::{
    AggregateArgs, Presence, RawText, Status, StatusArgs, aggregate, status,
};
use pve_multipath::cluster::uses::Users;
use pve_multipath::config;
use pve_multipath::wire::scalar::Scalar;

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "broadcasts",
    start: || Ok(Box::new(run)),
    inputs: 4_000,
    seeds: &[
        ("cluster", ".json"),
        ("replay", "/kv/"),
        ("reports", "/multipath"),
    ],
    words: super::maps::JSON_WORDS,
};

const NOW: i64 = 10_000;

const HONEST: &[u8] = br#"{"maps":{
"3600a":{"state":"optimal","paths-active":2,"paths-total":2},
"3600b":{"state":"degraded","paths-active":1,"paths-total":2,
"reasons":[{"code":"path-failed","count":1,"devs":["sdb"]}],"since":7,"causes":[0]}},
"causes":[{"host":1,"paths":1}],"node":{"version":"1"},"time":10000}"#;

fn run(input: &[u8]) -> bool {
    let texts = split(input);
    let mut decoded_once = false;
    for text in &texts {
        ApplyStatus::decode(text);
        let decoded = Broadcast::decode(text);
        let lenient = Broadcast::decode_lenient(text);
        if let Ok(broadcast) = &decoded {
            decoded_once = true;
            for map in broadcast.entries.iter() {
                let checked = pve_multipath::types::wwid::check(map.wwid.as_str());
                assert!(checked.is_ok(), "{:?}", map.wwid);
            }
            assert_eq!(lenient.as_ref(), Ok(broadcast));
            broadcast.freshness(NOW);
            // the same by the thorough way
            let spaced = [b" \n\t", *text].concat();
            assert_eq!(Broadcast::decode(&spaced).as_ref(), Ok(broadcast));
        }
        arguments(text);
    }

    let alone = roll_up(&[], true);
    let with_others = roll_up(&texts, true);
    let with_silent = roll_up(&texts, false);
    // a report that cannot be read is never invisible
    for (index, text) in texts.iter().enumerate() {
        let unreadable = !text.is_empty() && Broadcast::decode(text).is_err();
        let told = |status: &Status| {
            let errors = status.nodes.get(format!("peer{index}").as_str());
            errors.is_some_and(|errors| errors.report_error.is_some())
        };
        assert_eq!(told(&with_others), unreadable, "peer{index}");
        assert!(!told(&with_silent), "peer{index}");
    }
    assert_eq!(cells(&alone), cells(&with_others));
    assert_eq!(cells(&alone), cells(&with_silent));
    // who is offline does not count
    for lun in alone.luns.luns() {
        let same = with_silent.luns.luns().find(|other| other.wwid == lun.wwid);
        let state = same.map(|other| other.cluster_state);
        assert_eq!(state, Some(lun.cluster_state), "{}", lun.wwid);
    }
    decoded_once
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(5).position(|window| window == b"\n---\n") {
        texts.push(&rest[..at]);
        rest = &rest[at + 5..];
    }
    texts.push(rest);
    texts.truncate(8);
    texts
}

/// An honest node beside those that sent these texts.
fn roll_up(texts: &[&[u8]], online: bool) -> Status {
    let names: Vec<String> = (0..texts.len())
        .map(|index| format!("peer{index}"))
        .collect();
    let mut kv = BTreeMap::from([("honest".to_owned(), Some(RawText(HONEST.into())))]);
    let mut apply_kv = BTreeMap::new();
    let mut members = BTreeMap::from([("honest".to_owned(), Presence(true))]);
    for (name, text) in names.iter().zip(texts) {
        kv.insert(name.clone(), Some(RawText((*text).into())));
        apply_kv.insert(name.clone(), Some(RawText((*text).into())));
        members.insert(name.clone(), Presence(online));
    }
    let config = config::parse("multipath.cfg", b"wwid: 3600a\n\nwwid: 3600c\n");
    // The same texts as reports of uses and candidates.
    let peers = Peers {
        uses: Texts {
            kv: kv.clone(),
            ..Texts::default()
        },
        now: Scalar::Int(NOW),
        ..Peers::default()
    };
    for name in &names {
        let _ = peers.uses.candidates(name, NOW);
    }
    let users = Some(Users {
        peers,
        ..Users::default()
    });
    let args = StatusArgs {
        users,
        kv: Some(kv),
        apply_kv: Some(apply_kv),
        members: Some(members),
        now: Scalar::Int(NOW),
        config: Some(config.config),
        ..StatusArgs::default()
    };
    let status = status(&args);
    check(&status);
    status
}

fn check(status: &Status) {
    let json: serde_json::Value =
        serde_json::from_slice(&status.to_json()).expect("the matrix is JSON");
    assert!(json["luns"].is_array());
    let wwids: Vec<_> = status.luns.luns().map(|lun| lun.wwid).collect();
    assert!(wwids.is_sorted());
    for cause in &status.causes {
        assert!(!cause.nodes.is_empty() && cause.luns > 0, "{cause:?}");
        assert!(!cause.text.contains(char::is_control), "{cause:?}");
    }
    let causes = status.causes.len() as u64;
    for cell in json["luns"].as_array().into_iter().flatten() {
        let cells = cell["nodes"].as_object().into_iter().flatten();
        for position in cells.flat_map(|(_, cell)| cell["causes"].as_array().into_iter().flatten())
        {
            assert!(position.as_u64().is_some_and(|position| position < causes));
        }
    }
    for lun in status.luns.luns() {
        for (node, cell) in lun.nodes.iter() {
            let good = cell.state == CellState::Optimal;
            assert_eq!(good, cell.reasons.is_empty(), "{node}: {cell:?}");
        }
    }
}

/// The honest node's cells.
fn cells(status: &Status) -> Vec<(String, Entry)> {
    let luns = status.luns.luns();
    luns.filter_map(|lun| {
        let cell = lun.nodes.get("honest")?;
        Some((lun.wwid.to_string(), cell.clone()))
    })
    .collect()
}

/// The text as arguments of a call.
fn arguments(text: &[u8]) {
    if let Ok(args) = serde_json::from_slice::<StatusArgs<'_>>(text) {
        check(&status(&args));
    }
    if let Ok(args) = serde_json::from_slice::<AggregateArgs<'_>>(text) {
        serde_json::to_string(&aggregate(&args)).expect("the matrix is JSON");
    }
}
