//! In what the nodes disagree about a LUN.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

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
#[derive(Clone, Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) size: Option<u64>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) transport: Option<Transport>,
    pub(super) paths: Option<u32>,
    pub(super) write_protected: Option<bool>,
}

impl Facts<'_> {
    /// Takes over what was not known; tells whether something else is.
    pub(super) fn merge(&mut self, other: Self) -> bool {
        fn field<T: PartialEq>(known: &mut Option<T>, other: Option<T>) -> bool {
            match (&known, other) {
                (Some(known), Some(other)) => *known != other,
                (None, Some(other)) => {
                    *known = Some(other);
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
    fn values<T: Ord>(
        nodes: &[(&NodeName, Facts<'_>)],
        of: impl Fn(&Facts<'_>) -> Option<T>,
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
        values(nodes, |facts| facts.name.as_deref().map(str::to_owned))
            .map(Disagreement::NameDiffers),
        values(nodes, |facts| facts.transport).map(Disagreement::TransportDiffers),
        values(nodes, |facts| facts.paths).map(Disagreement::PathsDiffer),
        values(nodes, |facts| facts.write_protected.map(u8::from))
            .map(Disagreement::WriteProtectionDiffers),
    ]
    .into_iter()
    .flatten()
    .collect()
}
