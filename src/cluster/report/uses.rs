//! What uses the LUNs of a node: what it tells its peers, and what they read.

use super::peers::{NoReport, SLOW_REFRESH_SECONDS, Texts};
use super::send::{KvWrite, LastSent, TooLarge, is_recent, values, writes};
use crate::node::uses::{Detail, NodeUses};

/// The key under which a node tells what uses its LUNs.
pub const USES_KEY: &str = "multipath-uses";

/// Most values of a report, beyond which it tells less. Mere counts may take more.
const MAX_USES_VALUES: usize = 2;

/// Publishes the uses of a node's LUNs, look after look.
#[derive(Debug, Default)]
pub struct UsesReporter {
    before: Option<NodeUses>,
}

impl UsesReporter {
    /// What has to be written at `now`, in seconds since the epoch; nothing if the peers know the uses, or were
    /// told others less than a minute ago.
    ///
    /// udev and LVM open devices for moments. What is merely open is told if it was in the look before as well,
    /// or if there was none.
    pub fn report(
        &mut self,
        uses: NodeUses,
        now: i64,
        last: Option<LastSent<'_>>,
    ) -> Result<Vec<KvWrite>, TooLarge> {
        let lasting = uses.lasting(self.before.as_ref());
        self.before = Some(uses);
        if last.is_some_and(|last| last.text.is_some() && is_recent(last.time, now)) {
            return Ok(Vec::new());
        }
        writes(USES_KEY, SLOW_REFRESH_SECONDS, now, last, |time| {
            let values_of = |detail| values(|time| lasting.to_json(detail, time), time);
            let fitting = Detail::ALL.into_iter().find_map(|detail| {
                values_of(detail).filter(|values| values.len() <= MAX_USES_VALUES)
            });
            let too_large = || TooLarge {
                maps: lasting.maps.len(),
                len: lasting.to_json(Detail::Counts, None).len(),
            };
            fitting
                .or_else(|| values_of(Detail::Counts))
                .ok_or_else(too_large)
        })
    }
}

impl Texts<'_> {
    /// The uses that a node has reported, if they count at `now`, in seconds since the epoch.
    pub fn uses(&self, node: &str, now: i64) -> Result<NodeUses, NoReport> {
        self.read(USES_KEY, node, now, |text| {
            Ok(NodeUses::from_json(text.as_bytes())?)
        })
    }
}
