//! Causes of lost paths, worked out by hand in `fixtures/causes`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
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

fn of_node(cause: &Cause) -> String {
    let port = match &cause.port {
        LostPort::Initiator(port) => format!("initiator {port}"),
        LostPort::Target(port) => format!("target {port}"),
        LostPort::Either(initiator, target) => format!("initiator {initiator} or target {target}"),
    };
    format!("{port}: {} paths of {}", cause.paths, listed(&cause.luns))
}

fn of_cluster(cause: &ClusterCause) -> String {
    let port = match &cause.port {
        BrokenPort::Initiator(_, port) => format!("initiator {port}"),
        BrokenPort::Target(port) => format!("target {port}"),
    };
    let nodes: Vec<&str> = cause.nodes.keys().map(NodeName::as_str).collect();
    let luns = listed(cause.luns());
    format!(
        "{port}: {} paths of {luns} on {}",
        cause.paths(),
        nodes.join(", ")
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
        let nodes: BTreeMap<NodeName, Vec<Cause>> = case
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
                (NodeName::new(node).unwrap(), causes(luns))
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
        let nodes: Vec<_> = nodes
            .iter()
            .map(|(node, causes)| (node, causes.as_slice()))
            .collect();
        let found: Vec<_> = cluster::causes(nodes).iter().map(of_cluster).collect();
        assert_eq!(found, case.causes, "{name}");
    }
}
