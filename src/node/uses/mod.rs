//! What uses the LUNs of a node: volume groups, mounts, arrays, swap space, whatever has a device open.
//!
//! [`node_uses`] derives it from what the node has read in sysfs, udev's database, `/proc` and LVM's
//! files, and from one `dmsetup info`. No device is touched for that: `pvs` and `blkid` hang for as long as
//! a map without paths queues, and cannot be killed then. So what is on a device is what udev saw when it
//! last looked, and the name of a volume group what LVM last wrote down.
//!
//! An open count of 0 does not mean that a LUN is free: it is 0 for a volume group of which no volume is
//! active. And what could not be read is said ([`Use::NotKnown`]): it is never taken for "not in use".

mod derive;
mod facts;
mod kind;
mod report;
mod root;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Wwid;

pub use derive::node_uses;
pub use facts::{Block, Facts};
pub use kind::{Described, Input, MAX_USES, MAX_VOLUMES, Use};
pub use report::{BadUses, Detail, MAX_MAPS};
pub(crate) use root::maps_below;

/// The uses of the LUNs that a node has maps of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeUses {
    /// By LUN, its uses: at most [`MAX_USES`] and then a [`Use::More`]. None for a LUN that is not used. In
    /// what a node sends, such a LUN is left out.
    pub maps: BTreeMap<Wwid, Vec<Use>>,
    /// What could not be read, and why.
    pub unread: BTreeMap<Input, String>,
}

/// Whether a LUN is used on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage<'u> {
    /// It is not.
    Unused,
    /// By these.
    Used(&'u [Use]),
    /// That could not be found out: what could not be read, and why if that is known.
    NotKnown(Input, Option<&'u str>),
}

impl NodeUses {
    /// The uses by LUN, with their phrases.
    pub fn described(&self) -> BTreeMap<&Wwid, Vec<Described<'_>>> {
        let maps = self.maps.iter();
        maps.map(|(wwid, uses)| (wwid, uses.iter().map(Described::from).collect()))
            .collect()
    }

    /// Whether a LUN is used on the node.
    pub fn of(&self, wwid: &str) -> Usage<'_> {
        let uses = self.maps.get(wwid).map(Vec::as_slice).unwrap_or_default();
        if uses.iter().any(Use::is_known) {
            return Usage::Used(uses);
        }
        let input = uses.iter().find_map(|used| match used {
            Use::NotKnown { input } => Some(*input),
            _ => None,
        });
        let why = |input| self.unread.get(&input).map(String::as_str);
        match (input, why(Input::Sysfs)) {
            (Some(input), _) => Usage::NotKnown(input, why(input)),
            (None, Some(err)) => Usage::NotKnown(Input::Sysfs, Some(err)),
            (None, None) => Usage::Unused,
        }
    }
}
