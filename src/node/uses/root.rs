//! The maps that a file system is on.

use std::collections::BTreeSet;

use super::facts::{Facts, Kind};
use crate::Wwid;
use crate::node::block::mounts;

/// The maps below what is mounted at a place, such as that of the root file system. None if it is on no
/// map, or is a file system without a device of its own.
pub(crate) fn maps_below(facts: &Facts<'_>, at: &[u8]) -> BTreeSet<Wwid> {
    // of several mounts at one place, the last one is seen
    let mounts = mounts::mounts(facts.mounts.unwrap_or_default()).flatten();
    let Some(mount) = mounts.filter(|mount| mount.at == at).last() else {
        return BTreeSet::new();
    };
    let blocks = facts.blocks.iter();
    let mut left: Vec<&str> = { blocks }
        .filter(|(_, block)| block.number() == Some(mount.number))
        .map(|(device, _)| device.as_str())
        .collect();
    let (mut maps, mut done) = (BTreeSet::new(), BTreeSet::new());
    while let Some(device) = left.pop() {
        let Some(block) = facts.blocks.get(device).filter(|_| done.insert(device)) else {
            continue;
        };
        match block.kind(device) {
            Kind::Map(wwid) => drop(maps.insert(wwid)),
            _ => left.extend(block.slaves.iter().map(String::as_str)),
        }
    }
    maps
}
