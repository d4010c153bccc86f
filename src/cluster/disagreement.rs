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
pub(super) fn disagreements<'c>(
    cells: impl Iterator<Item = (&'c NodeName, &'c Entry)> + Clone,
) -> Vec<Disagreement> {
    // Most nodes share their entry with the one before.
    let mut distinct: Vec<&Entry> = cells.clone().map(|(_, entry)| entry).collect();
    distinct.dedup_by(|one, other| std::ptr::eq(*one, *other));

    fn differing<'c, T: PartialEq>(
        distinct: &[&Entry],
        cells: impl Iterator<Item = (&'c NodeName, &'c Entry)>,
        value: impl Fn(&Entry) -> Option<T>,
    ) -> Option<BTreeMap<NodeName, T>> {
        let mut known = distinct.iter().filter_map(|entry| value(entry));
        let first = known.next()?;
        if known.all(|value| value == first) {
            return None;
        }
        let values = cells.filter_map(|(node, entry)| Some((node.clone(), value(entry)?)));
        Some(values.collect())
    }

    let all = || cells.clone();
    [
        differing(&distinct, all(), |entry| entry.size).map(Disagreement::SizeDiffers),
        differing(&distinct, all(), |entry| entry.name.clone()).map(Disagreement::NameDiffers),
        differing(&distinct, all(), |entry| entry.transport).map(Disagreement::TransportDiffers),
        differing(&distinct, all(), |entry| entry.paths_total).map(Disagreement::PathsDiffer),
        differing(&distinct, all(), |entry| {
            entry.write_protected.map(u8::from)
        })
        .map(Disagreement::WriteProtectionDiffers),
    ]
    .into_iter()
    .flatten()
    .collect()
}
