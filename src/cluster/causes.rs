//! What broke in the cluster: the ports of all nodes' causes, each once.
//!
//! A node that lost all paths between one of its ports and one of the array's cannot tell which of the two
//! broke. If another node lost the array's port as well, it is that; else it is the node's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::NodeName;
use crate::node::causes::{Array, Cause, LostPort};
use crate::node::ports::{Initiator, PortName};

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
    /// The array that the first node with something to say of it names.
    pub array: Option<Array>,
    /// By node, what it lost.
    pub nodes: BTreeMap<NodeName, Lost>,
}

/// What one node lost with a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Number of paths.
    pub paths: u32,
    /// Which of the node's causes these are, by position.
    pub causes: Vec<usize>,
}

impl ClusterCause {
    /// Number of paths that all nodes lost.
    pub fn paths(&self) -> u64 {
        self.nodes.values().map(|lost| u64::from(lost.paths)).sum()
    }
}

/// The causes of all nodes, those that took away most paths first.
pub fn causes<'a>(
    nodes: impl IntoIterator<Item = (&'a NodeName, &'a [Cause])> + Clone,
) -> Vec<ClusterCause> {
    let mut losers: BTreeMap<&PortName, BTreeSet<&NodeName>> = BTreeMap::new();
    for (node, _, cause) in all(nodes.clone()) {
        if let LostPort::Target(target) | LostPort::Either(_, target) = &cause.port {
            losers.entry(target).or_default().insert(node);
        }
    }
    let is_lost_by_several = |target| losers.get(target).is_some_and(|nodes| nodes.len() > 1);

    let mut found: BTreeMap<BrokenPort, ClusterCause> = BTreeMap::new();
    for (node, position, cause) in all(nodes) {
        let port = match &cause.port {
            LostPort::Either(_, target) if is_lost_by_several(target) => {
                BrokenPort::Target(target.clone())
            }
            LostPort::Target(target) => BrokenPort::Target(target.clone()),
            LostPort::Initiator(port) | LostPort::Either(port, _) => {
                BrokenPort::Initiator(node.clone(), port.clone())
            }
        };
        let found = found.entry(port.clone()).or_insert_with(|| ClusterCause {
            port,
            array: None,
            nodes: BTreeMap::new(),
        });
        found.array = found.array.take().or_else(|| cause.array.clone());
        let lost = found.nodes.entry(node.clone()).or_default();
        lost.paths = lost.paths.saturating_add(cause.paths);
        lost.causes.push(position);
    }
    let mut causes: Vec<_> = found.into_values().collect();
    causes.sort_by_key(|cause| Reverse(cause.paths()));
    causes
}

fn all<'a>(
    nodes: impl IntoIterator<Item = (&'a NodeName, &'a [Cause])>,
) -> impl Iterator<Item = (&'a NodeName, usize, &'a Cause)> {
    let nodes = nodes.into_iter();
    nodes.flat_map(|(node, causes)| {
        let causes = causes.iter().enumerate();
        causes.map(move |(position, cause)| (node, position, cause))
    })
}
