//! LUNs that the nodes see and that are not on the allow-list: one for all nodes that see it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::Peers;
use crate::node::candidates::identify::{self, Elsewhere, Meant, NotFound};
use crate::node::candidates::{Candidate, Hindrance, Lun, Reported, ReportedList};
use crate::types::label::Label;
use crate::types::reason::Device;
use crate::{NodeName, Wwid};

/// The candidates of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClusterCandidates {
    /// Those that may be offered first, each kind by WWID.
    pub candidates: Vec<ClusterCandidate>,
    /// How many the nodes have counted and not named.
    pub omitted: usize,
    /// The nodes of which it is not known what they see, and why not.
    pub unknown: BTreeMap<NodeName, String>,
}

/// A LUN, or another disk, that nodes see and that is not on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterCandidate {
    /// What is said of it over all nodes: the smallest size and number of paths; what differs is left out. It
    /// has kernel names only if one node sees it.
    #[serde(flatten)]
    pub reported: Reported,
    /// 1 if it may be put on the allow-list, else 0. One node that uses it for something else is enough.
    pub offered: u8,
    /// What each node that sees it says of it.
    pub nodes: BTreeMap<NodeName, Sight>,
}

/// How a node sees a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// Number of paths.
    pub paths: usize,
    /// Kernel names of the paths, not all of them if they are many.
    pub devs: Vec<Device>,
    /// Why it is not offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Hindrance>,
    /// What the node says of it in words.
    pub told: Vec<Label>,
}

/// What devices of several nodes are the same by. A device without a WWID is only the same as itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Wwid(String),
    Device(NodeName, usize),
}

/// What the nodes see, by node: of `known` nodes this, of the others what they have reported.
pub fn seen(
    known: BTreeMap<NodeName, ReportedList>,
    peers: &Peers<'_>,
) -> (BTreeMap<NodeName, ReportedList>, BTreeMap<NodeName, String>) {
    let (mut seen, mut unknown) = (known, BTreeMap::new());
    for (node, is_online) in peers.nodes() {
        if seen.contains_key(&node) {
            continue;
        }
        match is_online.then(|| peers.candidates.candidates(node.as_str(), peers.now())) {
            Some(Ok(list)) => drop(seen.insert(node, list)),
            Some(Err(error)) => drop(unknown.insert(node, error.to_string())),
            None => drop(unknown.insert(node, "it is offline".to_owned())),
        }
    }
    (seen, unknown)
}

/// The candidates of the cluster beside its allow-list, which nodes may not have known when they reported.
pub fn candidates(
    known: BTreeMap<NodeName, ReportedList>,
    peers: &Peers<'_>,
    allow_list: &BTreeSet<Wwid>,
) -> ClusterCandidates {
    let (seen, unknown) = seen(known, peers);
    let mut luns: BTreeMap<Key, BTreeMap<NodeName, Reported>> = BTreeMap::new();
    let mut omitted: usize = 0;
    for (node, list) in seen {
        omitted = omitted.saturating_add(list.omitted);
        for (number, lun) in list.candidates.into_iter().enumerate() {
            let wwid = lun.lun.known_wwid();
            if wwid.is_some_and(|wwid| allow_list.contains(wwid)) {
                continue;
            }
            let key = match wwid {
                Some(wwid) => Key::Wwid(wwid.to_owned()),
                None => Key::Device(node.clone(), number),
            };
            // what a node says twice counts once
            luns.entry(key)
                .or_default()
                .entry(node.clone())
                .or_insert(lun);
        }
    }
    let mut candidates: Vec<_> = luns.into_values().filter_map(merged).collect();
    candidates.sort_by_key(|candidate| candidate.offered == 0);
    ClusterCandidates {
        candidates,
        omitted,
        unknown,
    }
}

/// Finds the LUNs that a person means among what this node and the others see: candidates, and the maps that
/// other nodes report. Also returns the nodes of which that is not known.
pub fn identify(
    typed: &[String],
    here: &[Candidate],
    node: Option<&NodeName>,
    peers: &Peers<'_>,
) -> (Vec<Result<Meant, NotFound>>, BTreeMap<NodeName, String>) {
    let here_known = node.map(|node| (node.clone(), ReportedList::default()));
    let (seen, unknown) = seen(here_known.into_iter().collect(), peers);
    let healths = peers
        .nodes()
        .into_iter()
        .filter(|(other, is_online)| *is_online && Some(other) != node);
    let maps: Vec<_> = healths
        .filter_map(|(node, _)| Some((peers.health(node.as_str()).ok()?, node)))
        .collect();
    let mapped = maps.iter().flat_map(|(broadcast, node)| {
        let wwids = broadcast.entries.iter().map(|entry| entry.wwid.as_str());
        wwids.map(move |wwid| Elsewhere {
            node,
            wwid,
            lun: None,
        })
    });
    let listed = seen.iter().flat_map(|(node, list)| {
        let luns = list.candidates.iter();
        luns.filter_map(move |lun| {
            Some(Elsewhere {
                node,
                wwid: lun.lun.known_wwid()?,
                lun: Some(lun),
            })
        })
    });
    let elsewhere: Vec<_> = mapped.chain(listed).collect();
    let meant = |typed: &String| identify::meant(typed, here, &elsewhere);
    (typed.iter().map(meant).collect(), unknown)
}

/// One candidate of what the nodes say; none if there is no node.
fn merged(nodes: BTreeMap<NodeName, Reported>) -> Option<ClusterCandidate> {
    let reported = || nodes.values();
    let luns = || reported().map(|reported| &reported.lun);
    let first = luns().find(|lun| lun.wwid.is_some()).or(luns().next())?;
    let reasons = || reported().filter_map(|reported| reported.reason.as_ref());
    let harmful = reasons().find(|reason| reason.harmless == 0);
    let nowhere = reasons()
        .next()
        .filter(|_| !reported().any(Reported::is_offered));
    let reason = harmful.or(nowhere).cloned();
    let lun = Lun {
        size: luns().filter_map(|lun| lun.size).min(),
        transport: first
            .transport
            .filter(|_| luns().all(|lun| lun.transport == first.transport)),
        protocol: { first.protocol.clone() }
            .filter(|_| luns().all(|lun| lun.protocol == first.protocol)),
        paths: luns().map(|lun| lun.paths).min().unwrap_or_default(),
        devs: if nodes.len() == 1 {
            first.devs.clone()
        } else {
            Vec::new()
        },
        ..first.clone()
    };
    let reported = Reported {
        lun,
        reason,
        told: told(&nodes),
    };
    let sights = nodes
        .into_iter()
        .map(|(node, Reported { lun, reason, told })| {
            (
                node,
                Sight {
                    paths: lun.paths,
                    devs: lun.devs,
                    reason,
                    told,
                },
            )
        });
    Some(ClusterCandidate {
        offered: reported.is_offered().into(),
        reported,
        nodes: sights.collect(),
    })
}

/// What the nodes say in words, each sentence once. One that not all of them say names its nodes.
fn told(nodes: &BTreeMap<NodeName, Reported>) -> Vec<Label> {
    let mut sentences: Vec<(&Label, Vec<&str>)> = Vec::new();
    for (node, lun) in nodes {
        for sentence in &lun.told {
            match sentences.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, of)) => of.push(node.as_str()),
                None => sentences.push((sentence, vec![node.as_str()])),
            }
        }
    }
    let texts = sentences
        .into_iter()
        .filter_map(|(sentence, of)| match of.len() == nodes.len() {
            true => Some(sentence.clone()),
            false => Label::sentence(format!("{}: {sentence}", of.join(", ")).as_bytes()),
        });
    texts.collect()
}
