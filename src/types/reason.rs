//! Why a map or a LUN is in its state.

use serde::Serialize;

use super::absence::Absence;
use super::daemon::DaemonState;
use super::words::checked_text;

/// Most devices that one reason names; its count includes the others.
pub const MAX_DEVICES: usize = 16;

/// One reason of a state that is not optimal, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The map is there without a single path.
    NoPaths,
    /// The map has paths, and none of them is active.
    AllPathsFailed {
        /// Number of paths; peers of older versions may not tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// Some of the map's paths are not active.
    PathFailed {
        /// Number of paths that are not active; peers of older versions may not tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// Kernel names of these paths, at most [`MAX_DEVICES`].
        #[serde(skip_serializing_if = "Vec::is_empty")]
        devs: Vec<Device>,
    },
    /// The map has fewer paths than it should have.
    PathGone {
        /// Number of paths that are there.
        present: u32,
        /// Number of paths that should be there.
        expected: u32,
    },
    /// The node should carry the LUN and reports no map for it.
    NotAssembled,
    /// The node should carry the LUN and has not sent any report.
    NoReport,
    /// The node is not an online member of the cluster.
    NodeOffline,
    /// The node's last report is too old, has no time, or one in the future.
    ReporterStale {
        /// Age of the report in seconds, negative for the future.
        #[serde(skip_serializing_if = "Option::is_none")]
        age: Option<i64>,
    },
    /// The node's report is recent, but multipathd has not answered for so long that its maps are too old.
    NoMultipathd {
        /// The state of multipathd.
        multipathd: DaemonState,
        /// Age of the maps in seconds; none if they were never known.
        #[serde(skip_serializing_if = "Option::is_none")]
        age: Option<i64>,
    },
    /// The node's report cannot be read.
    BadBroadcast {
        /// What is wrong with it.
        detail: String,
    },
    /// The node's report is of a form that a newer version made.
    NewerBroadcast {
        /// Number of that form.
        format: i64,
    },
    /// The node reported a state that is none of the known ones.
    UnknownState,
    /// The node should carry the LUN and says why it has no map for it.
    #[serde(untagged)]
    Absent(Absence),
}

/// Kernel name of a path's block device, such as `sdb`: `[a-zA-Z0-9!_.:-]`, at most 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device(Box<str>);

impl Device {
    /// The device of that name, if it can be one.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!_.:-".contains(&b);
        let valid = (1..=32).contains(&name.len()) && name.bytes().all(allowed);
        valid.then(|| Self(name.into()))
    }
}

checked_text!(Device);
