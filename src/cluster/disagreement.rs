//! Properties of a LUN that differ between the nodes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::Entry;
use crate::{NodeName, Transport};

/// A property of a LUN that differs between nodes, as `{ code, values => { NODE => value } }` with the
/// nodes that report a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", content = "values", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Disagreement {
    /// Sizes in bytes: not every node has noticed a resize.
    SizeDiffers(BTreeMap<NodeName, u64>),
    /// Names of the map.
    NameDiffers(BTreeMap<NodeName, Box<str>>),
    /// Transports.
    TransportDiffers(BTreeMap<NodeName, Transport>),
    /// Numbers of paths, including failed ones.
    PathsDiffer(BTreeMap<NodeName, u32>),
    /// Whether the map is read-only (1) or not (0).
    WriteProtectionDiffers(BTreeMap<NodeName, u8>),
}

/// The properties that differ between these nodes.
pub(super) fn disagreements(nodes: &[(&NodeName, &Entry)]) -> Vec<Disagreement> {
    fn differing<T: PartialEq>(
        nodes: &[(&NodeName, &Entry)],
        value: impl Fn(&Entry) -> Option<T>,
    ) -> Option<BTreeMap<NodeName, T>> {
        let mut known = nodes.iter().filter_map(|(_, entry)| value(entry));
        let first = known.next()?;
        if known.all(|value| value == first) {
            return None;
        }
        let values = nodes.iter();
        let values = values.filter_map(|(node, entry)| Some(((*node).clone(), value(entry)?)));
        Some(values.collect())
    }

    [
        differing(nodes, |entry| entry.size).map(Disagreement::SizeDiffers),
        differing(nodes, |entry| entry.name.clone()).map(Disagreement::NameDiffers),
        differing(nodes, |entry| entry.transport).map(Disagreement::TransportDiffers),
        differing(nodes, |entry| entry.paths_total).map(Disagreement::PathsDiffer),
        differing(nodes, |entry| entry.write_protected.map(u8::from))
            .map(Disagreement::WriteProtectionDiffers),
    ]
    .into_iter()
    .flatten()
    .collect()
}
