//! Causes of lost paths, worked out by hand in `fixtures/causes`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pve_multipath::cluster::causes::{self as cluster, BrokenPort, ClusterCause};
use pve_multipath::node::causes::{Cause, KnownPath, LostPort, causes};
use pve_multipath::node::ports::{Ends, Initiator, PortName};
use pve_multipath::{NodeName, Wwid};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    #[serde(rename = "what")]
    _what: String,
    /// By node and LUN, its paths: `INITIATOR TARGET` or `INITIATOR TARGET lost`, `-` for an end that is
    /// not known.
    nodes: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// By node, `PORT: PATHS paths of LUN, LUN, ...`.
    node_causes: BTreeMap<String, Vec<String>>,
    /// `PORT: PATHS paths of LUN, ... on NODE, ...`.
    causes: Vec<String>,
}

fn known_path(text: &str) -> KnownPath {
    let words: Vec<&str> = text.split(' ').collect();
    let port = |word: &str| (word != "-").then(|| PortName::new(word).unwrap());
    let initiator = match words[0].strip_prefix("host") {
        Some(number) => Some(Initiator::Host(number.parse().unwrap())),
        None => port(words[0]).map(|name| Initiator::Named { name, host: None }),
    };
    let is_lost = match &words[2..] {
        [] => false,
        ["lost"] => true,
        other => panic!("{other:?}"),
    };
    let target = port(words[1]);
    KnownPath {
        ends: Ends { initiator, target },
        is_lost,
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a Wwid>) -> String {
    let names: Vec<&str> = names.into_iter().map(Wwid::as_str).collect();
    names.join(", ")
}

/// A node's causes, each with its LUNs.
type NodeCauses = Vec<(Cause, BTreeSet<Wwid>)>;

fn of_node((cause, luns): &(Cause, BTreeSet<Wwid>)) -> String {
    let port = match &cause.port {
        LostPort::Initiator(port) => format!("initiator {port}"),
        LostPort::Target(port) => format!("target {port}"),
        LostPort::Either(initiator, target) => format!("initiator {initiator} or target {target}"),
    };
    format!("{port}: {} paths of {}", cause.paths, listed(luns))
}

fn of_cluster(cause: &ClusterCause, nodes: &BTreeMap<NodeName, NodeCauses>) -> String {
    let port = match &cause.port {
        BrokenPort::Initiator(_, port) => format!("initiator {port}"),
        BrokenPort::Target(port) => format!("target {port}"),
    };
    let luns = cause.nodes.iter().flat_map(|(node, lost)| {
        let causes = lost.causes.iter().map(|position| &nodes[node][*position]);
        causes.flat_map(|(_, luns)| luns)
    });
    let luns: BTreeSet<&Wwid> = luns.collect();
    let names: Vec<&str> = cause.nodes.keys().map(NodeName::as_str).collect();
    format!(
        "{port}: {} paths of {} on {}",
        cause.paths(),
        listed(luns),
        names.join(", ")
    )
}

#[test]
fn causes_worked_out_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/causes");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    assert!(files.len() >= 8);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let case: Case = serde_json::from_str(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|err| panic!("{name}: {err}"));
        let nodes: BTreeMap<NodeName, NodeCauses> = case
            .nodes
            .iter()
            .map(|(node, luns)| {
                let luns: BTreeMap<Wwid, Vec<KnownPath>> = luns
                    .iter()
                    .map(|(wwid, paths)| {
                        let paths = paths.iter().map(|path| known_path(path));
                        (Wwid::new(wwid).unwrap(), paths.collect())
                    })
                    .collect();
                let luns: Vec<_> = luns
                    .iter()
                    .map(|(wwid, paths)| (wwid, paths.as_slice()))
                    .collect();
                let causes = causes(luns).into_iter();
                let causes =
                    causes.map(|(cause, luns)| (cause, luns.into_iter().cloned().collect()));
                (NodeName::new(node).unwrap(), causes.collect())
            })
            .collect();
        for (node, causes) in &nodes {
            let found: Vec<_> = causes.iter().map(of_node).collect();
            assert_eq!(
                found,
                case.node_causes[node.as_str()],
                "{name}: {}",
                node.as_str()
            );
        }
        let reported: BTreeMap<&NodeName, Vec<Cause>> = nodes
            .iter()
            .map(|(node, causes)| {
                (
                    node,
                    causes.iter().map(|(cause, _)| cause.clone()).collect(),
                )
            })
            .collect();
        let reported = reported
            .iter()
            .map(|(node, causes)| (*node, causes.as_slice()));
        let found: Vec<_> = cluster::causes(reported)
            .iter()
            .map(|cause| of_cluster(cause, &nodes))
            .collect();
        assert_eq!(found, case.causes, "{name}");
    }
}
