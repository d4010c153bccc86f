//! The roll-up equals a naive re-statement of its rules on random inputs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use pve_multipath::cluster::status::{AggregateArgs, StatusArgs, aggregate, status};
use serde_json::{Value, json};

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const WWIDS: [&str; 5] = ["3600a", "3600b", "3600c", "3600d", "3600e"];
const STATES: [&str; 7] = [
    "optimal", "degraded", "failed", "missing", "unknown", "fine", "",
];
const NOW: i64 = 10_000;

fn node() -> impl Strategy<Value = String> {
    prop::sample::select(&NODES[..]).prop_map(str::to_owned)
}

fn wwid() -> impl Strategy<Value = String> {
    prop::sample::select(&WWIDS[..]).prop_map(str::to_owned)
}

/// One node's text: mostly a report, now and then nonsense.
#[derive(Clone, Debug)]
enum Text {
    Report {
        maps: BTreeMap<String, String>,
        time: Option<i64>,
    },
    Nonsense(&'static str),
}

impl Text {
    fn json(&self) -> String {
        match self {
            Self::Nonsense(text) => (*text).to_owned(),
            Self::Report { maps, time } => {
                let maps: BTreeMap<_, _> = maps
                    .iter()
                    .map(|(wwid, state)| (wwid, json!({ "state": state })))
                    .collect();
                json!({ "maps": maps, "time": time }).to_string()
            }
        }
    }

    /// The maps, where the text is a report.
    fn maps(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Report { maps, .. } => Some(maps),
            Self::Nonsense(_) => None,
        }
    }

    fn is_stale(&self) -> bool {
        match self {
            Self::Report {
                time: Some(time), ..
            } => NOW - time > 180 || time - NOW > 60,
            Self::Report { time: None, .. } => true,
            Self::Nonsense(_) => false,
        }
    }
}

fn text() -> impl Strategy<Value = Text> {
    let state = prop::sample::select(&STATES[..]).prop_map(str::to_owned);
    let maps = btree_map(wwid(), state, 0..5);
    let time = prop::option::weighted(0.95, NOW - 200..NOW + 80);
    let report = (maps, time).prop_map(|(maps, time)| Text::Report { maps, time });
    let nonsense = vec![
        "x",
        "[]",
        "{}",
        "{\"maps\":[]}",
        "{\"format\":9,\"maps\":{}}",
    ];
    let nonsense = prop::sample::select(nonsense);
    prop_oneof![9 => report, 1 => nonsense.prop_map(Text::Nonsense)]
}

type Kv = BTreeMap<String, Text>;
type Nodes = BTreeSet<String>;

fn nodes() -> impl Strategy<Value = Nodes> {
    prop::collection::btree_set(node(), 0..4)
}

/// The rules, one after the other, for each LUN and each node: its cell and the LUN's state.
fn naive(
    kv: &Kv,
    live: &dyn Fn(&str) -> bool,
    allow: &[String],
    expected: &dyn Fn(&str) -> Nodes,
) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
    let mut wwids: BTreeSet<String> = allow.iter().cloned().collect();
    wwids.extend(
        kv.values()
            .filter_map(Text::maps)
            .flat_map(|maps| maps.keys().cloned()),
    );

    let mut rows = BTreeMap::new();
    for wwid in wwids {
        let mut expected_nodes = Nodes::new();
        if allow.contains(&wwid) {
            expected_nodes = expected(&wwid);
            if expected_nodes.is_empty() {
                // A text that cannot be read may name any LUN.
                let live: Vec<_> = kv.iter().filter(|(node, _)| live(node)).collect();
                let has_map = |text: &Text| text.maps().is_some_and(|maps| !maps.is_empty());
                let some_maps = live.iter().any(|(_, text)| has_map(text));
                let expected = live
                    .iter()
                    .filter(|(_, text)| text.maps().is_none() || has_map(text) || !some_maps);
                expected_nodes = expected.map(|(node, _)| (*node).clone()).collect();
            }
        }
        let mut cells = BTreeMap::new();
        for node in NODES {
            let named = kv
                .get(node)
                .and_then(Text::maps)
                .and_then(|maps| maps.get(&wwid));
            let state = match (named, live(node)) {
                (Some(_), false) => "unknown",
                (Some(state), true) if STATES[..5].contains(&state.as_str()) => state,
                (Some(_), true) => "unknown",
                (None, true) if expected_nodes.contains(node) => match kv.get(node) {
                    Some(Text::Nonsense(_)) => "unknown",
                    _ => "missing",
                },
                (None, false) if expected_nodes.contains(node) => "unknown",
                (None, _) => continue,
            };
            cells.insert(node.to_owned(), state.to_owned());
        }
        let severity = ["unknown", "optimal", "degraded", "missing", "failed"];
        let rank = |state: &&String| severity.iter().position(|name| name == *state);
        let worst = cells
            .iter()
            .filter(|(node, _)| live(node))
            .map(|(_, state)| state)
            .max_by_key(rank);
        rows.insert(
            wwid,
            (
                worst.map_or("unknown", |state| state).to_owned(),
                cells.clone(),
            ),
        );
    }
    rows
}

/// The same of a result in the form that callers get.
fn found(luns: &Value) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let luns = luns.as_array().unwrap();
    let wwids: Vec<_> = luns.iter().map(|lun| text(&lun["wwid"])).collect();
    assert!(wwids.is_sorted(), "{wwids:?}");
    let rows = luns.iter().map(|lun| {
        let cells = lun["nodes"].as_object().unwrap().iter();
        let cells = cells.map(|(node, cell)| {
            let reasons = cell.get("reasons").is_some();
            assert_eq!(reasons, cell["state"] != "optimal", "{cell}");
            (node.clone(), text(&cell["state"]))
        });
        (
            text(&lun["wwid"]),
            (text(&lun["cluster-state"]), cells.collect()),
        )
    });
    rows.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn aggregate_follows_the_rules(
        kv in btree_map(node(), text(), 0..4),
        online in nodes(),
        allow in vec(wwid(), 0..5),
        expected in btree_map(wwid(), nodes(), 0..4),
    ) {
        let texts: BTreeMap<_, _> = kv.iter().map(|(node, text)| (node, text.json())).collect();
        let args = json!({
            "kv": texts, "online": online, "allow-wwids": allow, "expected": expected,
        }).to_string();
        let args: AggregateArgs<'_> = serde_json::from_str(&args).unwrap();
        let result = serde_json::to_value(aggregate(&args)).unwrap();

        let live = |node: &str| online.contains(node);
        let wanted = naive(&kv, &live, &allow, &|wwid| expected.get(wwid).cloned().unwrap_or_default());
        prop_assert_eq!(found(&result), wanted);
    }

    #[test]
    fn status_follows_the_rules(
        kv in btree_map(node(), text(), 0..4),
        members in prop::option::weighted(0.9, btree_map(node(), any::<bool>(), 0..4)),
        allow in vec(wwid(), 0..5),
        wwid_nodes in btree_map(wwid(), nodes(), 0..4),
        all_nodes in nodes(),
    ) {
        let texts: BTreeMap<_, _> = kv.iter().map(|(node, text)| (node, text.json())).collect();
        let members = members.unwrap_or_default();
        let online: BTreeMap<_, _> = members.iter()
            .map(|(node, online)| (node, json!({ "online": i32::from(*online) }))).collect();
        let ids: BTreeMap<_, _> = allow.iter().map(|wwid| (wwid, json!({ "type": "wwid" }))).collect();
        let args = json!({
            "kv": texts, "members": online, "now": NOW, "config": { "ids": ids },
            "expectations": { "wwid-nodes": wwid_nodes, "nodes": all_nodes },
        }).to_string();
        let args: StatusArgs<'_> = serde_json::from_str(&args).unwrap();
        let result = serde_json::to_value(status(&args)).unwrap();

        let live = |node: &str| {
            let online = members.is_empty() || members.get(node) == Some(&true);
            online && !kv.get(node).is_some_and(Text::is_stale)
        };
        let expected = |wwid: &str| {
            let own = wwid_nodes.get(wwid).filter(|nodes| !nodes.is_empty());
            own.unwrap_or(&all_nodes).clone()
        };
        prop_assert_eq!(found(&result["luns"]), naive(&kv, &live, &allow, &expected));

        // A node whose text cannot be read is told of, whatever is expected.
        let unreadable = kv.iter().filter(|(node, text)| text.maps().is_none() && live(node));
        let unreadable: Vec<_> = unreadable.map(|(node, _)| node.clone()).collect();
        let told = result["nodes"].as_object().unwrap();
        let told: Vec<_> = told.iter().map(|(node, errors)| {
            assert!(errors["report-error"]["code"].is_string(), "{errors}");
            node.clone()
        }).collect();
        prop_assert_eq!(told, unreadable);
        // One that has never reported is missing for that reason.
        for lun in result["luns"].as_array().unwrap() {
            for (node, cell) in lun["nodes"].as_object().unwrap() {
                let no_report = cell["reasons"] == json!([{ "code": "no-report" }]);
                let silent = cell["state"] == "missing" && !kv.contains_key(node);
                prop_assert_eq!(no_report, silent, "{}: {}", node, cell);
            }
        }
    }
}
