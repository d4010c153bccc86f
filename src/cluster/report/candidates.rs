//! LUNs that a node sees beside the allow-list: what it tells its peers, and what they read.

use super::peers::{NoReport, SLOW_REFRESH_SECONDS, Texts};
use super::send::{KvWrite, LastSent, TooLarge, values, writes};
use crate::node::candidates::ReportedList;

/// The key under which a node tells which LUNs it sees beside the allow-list.
pub const CANDIDATES_KEY: &str = "multipath-candidates";

/// What has to be written at `now`, in seconds since the epoch; nothing if the peers know these candidates.
///
/// Where their names are such that they fit into no report, the last ones are only counted.
pub fn candidates(
    mut list: ReportedList,
    now: i64,
    last: Option<LastSent<'_>>,
) -> Result<Vec<KvWrite>, TooLarge> {
    while values(|time| list.to_json(time), now).is_none() && !list.candidates.is_empty() {
        list.truncate(list.candidates.len() / 2);
    }
    writes(CANDIDATES_KEY, SLOW_REFRESH_SECONDS, now, last, |time| {
        let values = values(|time| list.to_json(time), time);
        values.ok_or_else(|| TooLarge {
            maps: list.candidates.len(),
            len: list.to_json(None).len(),
        })
    })
}

impl Texts<'_> {
    /// The candidates that a node has reported, if they count at `now`, in seconds since the epoch.
    pub fn candidates(&self, node: &str, now: i64) -> Result<ReportedList, NoReport> {
        self.read(CANDIDATES_KEY, node, now, |text| {
            ReportedList::from_json(text).ok_or(NoReport::NoCandidates)
        })
    }
}
