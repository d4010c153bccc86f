//! In what the nodes disagree about a LUN.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::broadcast::Entry;
use crate::{NodeName, Transport};

/// A note on a LUN whose nodes disagree, as `{ code, values => { NODE => value } }`.
///
/// Only nodes that say something are in there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", content = "values", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Disagreement {
    /// Sizes in bytes: a resize has not reached every node.
    SizeDiffers(BTreeMap<NodeName, u64>),
    /// Names of the map.
    NameDiffers(BTreeMap<NodeName, String>),
    /// Transports.
    TransportDiffers(BTreeMap<NodeName, Transport>),
    /// Numbers of paths, those that failed included.
    PathsDiffer(BTreeMap<NodeName, u32>),
    /// Whether the map is read-only (1) or not (0).
    WriteProtectionDiffers(BTreeMap<NodeName, u8>),
}

/// What the nodes should agree in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts<'a> {
    size: Option<u64>,
    name: Option<&'a str>,
    transport: Option<Transport>,
    paths: Option<u32>,
    write_protected: Option<bool>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(entry: &'a Entry<'_>) -> Self {
        Self {
            size: entry.size,
            name: entry.name.as_deref(),
            transport: entry.transport,
            paths: entry.paths_total,
            write_protected: entry.write_protected,
        }
    }

    /// Takes over what was not known; tells whether something else is.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        fn field<T: PartialEq + Copy>(known: &mut Option<T>, other: Option<T>) -> bool {
            match (&known, other) {
                (Some(known), Some(other)) => *known != other,
                (None, Some(_)) => {
                    *known = other;
                    false
                }
                (_, None) => false,
            }
        }

        field(&mut self.size, other.size)
            | field(&mut self.name, other.name)
            | field(&mut self.transport, other.transport)
            | field(&mut self.paths, other.paths)
            | field(&mut self.write_protected, other.write_protected)
    }
}

/// In what these nodes disagree.
pub(super) fn disagreements(nodes: &[(&NodeName, Facts<'_>)]) -> Vec<Disagreement> {
    fn values<'f, T: Ord + Clone>(
        nodes: &[(&NodeName, Facts<'f>)],
        of: impl Fn(&Facts<'f>) -> Option<T>,
    ) -> Option<BTreeMap<NodeName, T>> {
        let said = nodes.iter();
        let said = said.filter_map(|(node, facts)| Some(((*node).clone(), of(facts)?)));
        let values: BTreeMap<_, _> = said.collect();
        let first = values.values().next()?;
        values
            .values()
            .any(|value| value != first)
            .then_some(values)
    }

    [
        values(nodes, |facts| facts.size).map(Disagreement::SizeDiffers),
        values(nodes, |facts| facts.name.map(str::to_owned)).map(Disagreement::NameDiffers),
        values(nodes, |facts| facts.transport).map(Disagreement::TransportDiffers),
        values(nodes, |facts| facts.paths).map(Disagreement::PathsDiffer),
        values(nodes, |facts| facts.write_protected.map(u8::from))
            .map(Disagreement::WriteProtectionDiffers),
    ]
    .into_iter()
    .flatten()
    .collect()
}
