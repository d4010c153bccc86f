//! What broke in the cluster: the ports of all nodes' causes, each once.
//!
//! A node that lost all paths between one of its ports and one of the array's cannot tell which of the two
//! broke. If another node lost the array's port as well, it is that; else it is the node's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::node::causes::{Cause, LostPort};
use crate::node::ports::{Initiator, PortName};
use crate::{NodeName, Wwid};

/// A port that broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BrokenPort {
    /// A port of this node.
    Initiator(NodeName, Initiator),
    /// A port of the array, which any node may use.
    Target(PortName),
}

/// A port that broke, and what that took away from which nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterCause {
    /// The port.
    pub port: BrokenPort,
    /// By node, what it lost.
    pub nodes: BTreeMap<NodeName, Lost>,
}

/// What one node lost with a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Number of paths.
    pub paths: u32,
    /// The LUNs that had these paths.
    pub luns: BTreeSet<Wwid>,
}

impl ClusterCause {
    /// Number of paths that all nodes lost.
    pub fn paths(&self) -> u64 {
        self.nodes.values().map(|lost| u64::from(lost.paths)).sum()
    }

    /// The LUNs that any node lost paths of.
    pub fn luns(&self) -> BTreeSet<&Wwid> {
        self.nodes.values().flat_map(|lost| &lost.luns).collect()
    }
}

/// The causes of all nodes, those that took away most paths first.
pub fn causes<'a>(
    nodes: impl IntoIterator<Item = (&'a NodeName, &'a [Cause])> + Clone,
) -> Vec<ClusterCause> {
    let mut losers: BTreeMap<&PortName, BTreeSet<&NodeName>> = BTreeMap::new();
    for (node, cause) in all(nodes.clone()) {
        if let LostPort::Target(target) | LostPort::Either(_, target) = &cause.port {
            losers.entry(target).or_default().insert(node);
        }
    }
    let is_lost_by_several = |target| losers.get(target).is_some_and(|nodes| nodes.len() > 1);

    let mut found: BTreeMap<BrokenPort, BTreeMap<NodeName, Lost>> = BTreeMap::new();
    for (node, cause) in all(nodes) {
        let port = match &cause.port {
            LostPort::Either(_, target) if is_lost_by_several(target) => {
                BrokenPort::Target(target.clone())
            }
            LostPort::Target(target) => BrokenPort::Target(target.clone()),
            LostPort::Initiator(port) | LostPort::Either(port, _) => {
                BrokenPort::Initiator(node.clone(), port.clone())
            }
        };
        let lost = found
            .entry(port)
            .or_default()
            .entry(node.clone())
            .or_default();
        lost.paths = lost.paths.saturating_add(cause.paths);
        lost.luns.extend(cause.luns.iter().cloned());
    }
    let causes = found.into_iter();
    let mut causes: Vec<_> = causes
        .map(|(port, nodes)| ClusterCause { port, nodes })
        .collect();
    causes.sort_by_key(|cause| Reverse(cause.paths()));
    causes
}

fn all<'a>(
    nodes: impl IntoIterator<Item = (&'a NodeName, &'a [Cause])>,
) -> impl Iterator<Item = (&'a NodeName, &'a Cause)> {
    let nodes = nodes.into_iter();
    nodes.flat_map(|(node, causes)| causes.iter().map(move |cause| (node, cause)))
}
