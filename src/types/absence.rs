//! Why an allow-listed LUN has no map on a node.

use std::fmt;

use serde::Serialize;

use super::label::Label;
use super::reason::Device;
use crate::Wwid;

/// What keeps a node from having the map of an allow-listed LUN, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Absence {
    /// No disk of the node has this WWID.
    NotVisible,
    /// The node sees the LUN, and multipathd has another WWID for it.
    OtherWwid {
        /// The WWID that multipathd has.
        wwid: Wwid,
    },
    /// A rule of multipathd's blacklist hides its paths.
    Blacklisted {
        /// The rule.
        rule: Label,
        /// Where it stands, as `FILE:LINE`; none for a rule of multipathd's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Label>,
    },
    /// Its paths have none of the udev properties by which multipathd tells LUNs.
    MissingProperty,
    /// multipathd has no WWID of its paths.
    NoWwid {
        /// State of a path, as the kernel has it, if that is the cause.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Label>,
    },
    /// multipathd does not have its paths, for a reason that is not known.
    NotMonitored,
    /// It is an NVMe namespace whose paths the kernel joins.
    NativeNvme,
    /// Something uses its paths without a map, so that the kernel does not let multipathd have them.
    Held {
        /// The paths that are used.
        devs: Vec<Device>,
        /// What uses them.
        by: Label,
        /// The volume group of a logical volume that uses them.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<Label>,
    },
    /// It is not in `/etc/multipath/wwids`.
    NotInWwidsFile,
    /// Another device has its alias.
    AliasTaken {
        /// The alias.
        alias: Label,
        /// UUID of the other device in device-mapper, else its kernel name.
        by: Label,
    },
    /// None of its paths can be reached.
    PathsOffline {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVisible => f.write_str("no path to it: no disk of the node has its WWID"),
            Self::OtherWwid { wwid } => write!(f, "multipathd's WWID of this LUN is '{wwid}'"),
            Self::Blacklisted { rule, place } => match place {
                Some(place) => write!(f, "blacklisted by {place} ({rule})"),
                None => write!(f, "blacklisted by a built-in rule of multipathd ({rule})"),
            },
            Self::MissingProperty => f.write_str(
                "blacklisted: its paths have none of the udev properties that multipathd asks for \
                 (blacklist_exceptions, property)",
            ),
            Self::NoWwid { state } => {
                f.write_str("multipathd has no WWID for its paths")?;
                match state {
                    Some(state) => write!(f, ", which are {state}"),
                    None => Ok(()),
                }
            }
            Self::NotMonitored => f.write_str(
                "multipathd does not monitor its paths, and none of its blacklist rules explains why",
            ),
            Self::NativeNvme => f.write_str("the kernel manages its paths (native NVMe multipath)"),
            Self::Held { devs, by, .. } => {
                f.write_str("multipathd cannot have its paths: ")?;
                for (number, dev) in devs.iter().enumerate() {
                    write!(f, "{}{dev}", if number > 0 { ", " } else { "" })?;
                }
                write!(f, " {by}")
            }
            Self::NotInWwidsFile => f.write_str("not in /etc/multipath/wwids yet"),
            Self::AliasTaken { alias, by } => {
                write!(f, "its alias '{alias}' is the name of another device ({by})")
            }
            Self::PathsOffline { count: 1 } => f.write_str("its only path is offline"),
            Self::PathsOffline { count } => write!(f, "all its {count} paths are offline"),
        }
    }
}
