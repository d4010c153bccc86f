//! A peer's report, and why a text is not one.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::parts::{NamedEntry, NodeInfo};
use crate::node::causes::Cause;
use crate::types::absence::Absence;
use crate::types::daemon::DaemonState;
use crate::{Reason, Wwid};

/// Seconds after which an unchanged report is sent again.
pub const REFRESH_SECONDS: i64 = 60;

/// Age in seconds beyond which a report does not count any more: three refresh intervals.
pub const STALE_SECONDS: i64 = 3 * REFRESH_SECONDS;

/// Most maps that one report may have. A flood of names would cost every reader time and memory.
pub const MAX_MAPS: usize = 16_384;

/// Most LUNs without a map of which a report tells why.
pub const MAX_ABSENT: usize = 256;

/// What a node reports. Of one that was received, only WWIDs, states, names and numbers that can be such are
/// left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcast {
    /// The time of the maps, in seconds since the epoch.
    pub time: Option<i64>,
    /// The maps in the order of the text.
    pub entries: Arc<[NamedEntry]>,
    /// What the node says of itself; versions before 0.2 do not.
    pub node: Option<Arc<NodeInfo>>,
    /// The ports that explain lost paths, see [`Context::causes`](super::Context::causes). At most
    /// [`MAX_CAUSES`](crate::node::causes::MAX_CAUSES).
    pub causes: Arc<[Cause]>,
    /// Why the node has no map of allow-listed LUNs, as far as it knows; at most [`MAX_ABSENT`].
    pub absent: Arc<BTreeMap<Wwid, Absence>>,
}

impl Broadcast {
    /// Whether the report counts at `now`, in seconds since the epoch.
    pub fn freshness(&self, now: i64) -> Freshness {
        Freshness::of(self.time, now)
    }

    /// When it was sent, in seconds since the epoch.
    pub fn sent(&self) -> Option<i64> {
        self.node.as_ref().and_then(|node| node.time).or(self.time)
    }

    /// Why the report does not count at `now`, if so.
    pub(crate) fn is_outdated(&self, now: i64) -> Option<Reason> {
        let Freshness::Stale { age } = self.freshness(now) else {
            return None;
        };
        let multipathd = self.node.as_ref().and_then(|node| node.software.multipathd);
        let multipathd = multipathd.filter(|state| *state != DaemonState::Running);
        Some(match (Freshness::of(self.sent(), now), multipathd) {
            (Freshness::Fresh, Some(multipathd)) => Reason::NoMultipathd { multipathd, age },
            _ => Reason::ReporterStale { age },
        })
    }
}

/// Why a peer's text is not a report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadBroadcast {
    /// The text is not UTF-8.
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// The text is JSON, but not an object.
    #[error("not a JSON object")]
    NoObject,
    /// There is no object `maps`.
    #[error("no object 'maps'")]
    NoMaps,
    /// There are more than [`MAX_MAPS`] maps.
    #[error("more than {MAX_MAPS} maps")]
    TooManyMaps,
    /// The report is in the packed form and cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(&'static str),
    /// A value of a packed report is missing.
    #[error("part {} of {of} is missing", .number + 1)]
    Incomplete {
        /// Number of the first missing value, from 0.
        number: usize,
        /// How many there should be.
        of: usize,
    },
    /// The values of a packed report are of different reports: a new one is just being sent.
    #[error("its parts do not belong together")]
    Torn,
    /// The text is in a form that a newer version made, which this version cannot read.
    #[error("made by a newer version (format {0})")]
    Newer(i64),
}

impl BadBroadcast {
    /// Why the state of the node's LUNs is not known.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Newer(format) => Reason::NewerBroadcast { format: *format },
            other => Reason::BadBroadcast {
                detail: other.to_string(),
            },
        }
    }
}

/// Whether a report still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It does.
    Fresh,
    /// It is older than [`STALE_SECONDS`], or more than [`REFRESH_SECONDS`] in the future, or has
    /// no time.
    Stale {
        /// Its age in seconds.
        age: Option<i64>,
    },
}

impl Freshness {
    /// Of what was sent at this time.
    pub(super) fn of(time: Option<i64>, now: i64) -> Self {
        match time.map(|time| now.saturating_sub(time)) {
            Some(age) if (-REFRESH_SECONDS..=STALE_SECONDS).contains(&age) => Self::Fresh,
            age => Self::Stale { age },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_of_a_report() {
        let at = |time| {
            let report = Broadcast {
                time,
                ..Broadcast::default()
            };
            report.freshness(1_000)
        };
        for time in [820, 1_000, 1_060] {
            assert_eq!(at(Some(time)), Freshness::Fresh, "{time}");
        }
        assert_eq!(at(Some(819)), Freshness::Stale { age: Some(181) });
        assert_eq!(at(Some(1_061)), Freshness::Stale { age: Some(-61) });
        assert_eq!(at(None), Freshness::Stale { age: None });
    }
}
