//! Why a LUN is not offered, and what to know of one that is.

use std::fmt;

use serde::Serialize;

use super::held::Holder;
use crate::multipath_conf::blacklisted::Hit;
use crate::types::label::Label;
use crate::types::reason::Device;

/// Why a disk is not offered for the allow-list, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// A CD or DVD drive.
    Cd,
    /// A disk of the node itself.
    LocalDisk {
        /// What tells.
        what: &'static str,
    },
    /// An NVMe namespace whose paths the kernel joins without multipathd.
    NativeNvme,
    /// A logical volume, an array or a file system uses one of its paths instead of a map.
    InUse {
        /// At most 4 of them.
        by: Vec<Holder>,
        /// The paths that are used, at most [`MAX_DEVICES`](crate::types::reason::MAX_DEVICES).
        devs: Vec<Device>,
    },
    /// A rule of multipathd's blacklist hides it.
    Blacklisted {
        /// The rule and where it stands.
        #[serde(flatten)]
        hit: Hit,
    },
    /// It has none of the udev properties by which multipathd tells LUNs.
    MissingProperty,
    /// multipathd has no WWID of it: the path was offline when it found it, or udev has not told.
    NoWwid {
        /// State of the path, as the kernel has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Label>,
    },
    /// multipathd's WWID cannot stand on an allow-list.
    InvalidWwid {
        /// That WWID.
        wwid: Label,
    },
    /// multipathd's list has lines about it that contradict each other.
    Contradictory,
    /// multipathd does not have it among its paths, for a reason that is not known.
    NotMonitored,
    /// multipathd does not answer.
    NoAnswer,
    /// It has no capacity, as devices that only manage an array.
    Empty,
}

impl Reason {
    /// Whether the LUN could be put on the allow-list nevertheless, without harm: it is only of no use yet.
    pub fn is_harmless(&self) -> bool {
        match self {
            Self::Cd | Self::LocalDisk { .. } | Self::NativeNvme | Self::InUse { .. } => false,
            Self::Blacklisted { .. }
            | Self::MissingProperty
            | Self::NoWwid { .. }
            | Self::InvalidWwid { .. }
            | Self::Contradictory
            | Self::NotMonitored
            | Self::NoAnswer
            | Self::Empty => true,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cd => f.write_str("CD or DVD drive"),
            Self::LocalDisk { what } => write!(f, "local disk ({what})"),
            Self::NativeNvme => {
                f.write_str("native NVMe multipath: the kernel manages its paths, not multipathd")
            }
            Self::InUse { by, .. } => {
                f.write_str("in use outside multipath: ")?;
                for (number, holder) in by.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{holder}")?;
                }
                Ok(())
            }
            Self::Blacklisted { hit } => match &hit.place {
                Some(place) => write!(f, "blacklisted by {place} ({})", hit.rule),
                None => write!(
                    f,
                    "blacklisted by a built-in rule of multipathd ({})",
                    hit.rule
                ),
            },
            Self::MissingProperty => f.write_str(
                "blacklisted: it has none of the udev properties that multipathd asks for \
                 (blacklist_exceptions, property)",
            ),
            Self::NoWwid { state: Some(state) }
                if !matches!(state.as_str(), "running" | "live") =>
            {
                write!(
                    f,
                    "multipathd has no WWID for it: the path is {state}; once it is back, run \
                     'multipathd reconfigure'"
                )
            }
            Self::NoWwid { .. } => f.write_str(
                "multipathd has no WWID for it: the path was offline when multipathd found it, or \
                 udev has none; run 'multipathd reconfigure'",
            ),
            Self::InvalidWwid { wwid } => write!(f, "its WWID '{wwid}' cannot be allow-listed"),
            Self::Contradictory => {
                f.write_str("multipathd's list of paths contradicts itself about it")
            }
            Self::NotMonitored => f.write_str(
                "multipathd does not monitor it, and none of its blacklist rules explains why",
            ),
            Self::NoAnswer => {
                f.write_str("its WWID is not known, since multipathd does not answer")
            }
            Self::Empty => f.write_str("it has no capacity"),
        }
    }
}

/// What to know before a LUN is put on the allow-list, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// Something is on it already, which may belong to another system.
    HasData,
    /// It has a map on this node, though it is not on the cluster's allow-list.
    HasMap {
        /// The map's name.
        map: Label,
    },
    /// It has one path on this node: another path is missing, or it is a disk of the node itself.
    SinglePath,
    /// Its paths have different sizes, as while it is being grown.
    SizesDiffer,
    /// Some of its paths cannot be reached.
    PathsOffline {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HasData => f.write_str("not empty"),
            Self::HasMap { map } => write!(f, "already has the map '{map}'"),
            Self::SinglePath => f.write_str("only one path: perhaps a local disk"),
            Self::SizesDiffer => f.write_str("its paths have different sizes"),
            Self::PathsOffline { count: 1 } => f.write_str("1 path is offline"),
            Self::PathsOffline { count } => write!(f, "{count} paths are offline"),
        }
    }
}
