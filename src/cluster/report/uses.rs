//! What uses the LUNs of a node: what it tells its peers, and what they read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::peers::{NoReport, SLOW_REFRESH_SECONDS, Texts};
use super::send::{KvWrite, LastSent, TooLarge, is_recent, values, writes};
use crate::NodeName;
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
    pub fn uses(&self, node: &NodeName, now: i64) -> Result<NodeUses, NoReport> {
        let uses = KeptUses::default().round().read(node, self, now)?;
        Ok(Arc::unwrap_or_clone(uses))
    }
}

/// Most bytes of reports of uses in the plain form that are kept: those of 32 nodes with 2,000 maps each.
const MAX_KEPT_LEN: usize = 16 << 20;

/// The uses that nodes have reported, kept from one look to the next: what a node sends unchanged is not decoded
/// again. The result is the same as without this memory.
#[derive(Debug, Default)]
pub struct KeptUses(BTreeMap<NodeName, Kept>);

/// The uses of a node, and the text that they were decoded from.
#[derive(Debug)]
struct Kept {
    text: Box<[u8]>,
    uses: Arc<NodeUses>,
}

impl KeptUses {
    /// Begins a look, in which each node's report is read once.
    pub(crate) fn round(&mut self) -> UsesRound<'_> {
        UsesRound {
            before: std::mem::take(&mut self.0),
            kept: &mut self.0,
            kept_len: 0,
        }
    }
}

/// The nodes' reports of uses, read one after the other.
pub(crate) struct UsesRound<'k> {
    before: BTreeMap<NodeName, Kept>,
    kept: &'k mut BTreeMap<NodeName, Kept>,
    kept_len: usize,
}

impl UsesRound<'_> {
    /// The uses that a node has reported, if they count at `now`, in seconds since the epoch.
    pub(crate) fn read(
        &mut self,
        node: &NodeName,
        texts: &Texts<'_>,
        now: i64,
    ) -> Result<Arc<NodeUses>, NoReport> {
        let before = self.before.remove(node);
        let kept = texts.read(USES_KEY, node.as_str(), now, |text| {
            let text = text.as_bytes();
            match before.filter(|before| *before.text == *text) {
                Some(before) => Ok(before),
                None => Ok(Kept {
                    text: text.into(),
                    uses: Arc::new(NodeUses::from_json(text)?),
                }),
            }
        })?;
        let uses = Arc::clone(&kept.uses);
        self.kept_len += kept.text.len();
        if self.kept_len <= MAX_KEPT_LEN {
            self.kept.insert(node.clone(), kept);
        }
        Ok(uses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::raw_text::RawText;

    /// Whatever was kept, each look has what a first look has.
    #[test]
    fn what_is_kept_is_never_out_of_date() {
        let swap = r#"{"maps":{"3600a":[{"code":"swap"}]},"time":1000}"#;
        let other = r#"{"maps":{"3600b":[{"code":"swap"}]},"time":1000}"#;
        let (one, two) = (
            NodeName::new("pve1").unwrap(),
            NodeName::new("pve2").unwrap(),
        );
        let mut kept = KeptUses::default();
        let mut last = None;
        for (first, second, now, is_kept) in [
            (swap, other, 1000, false),
            (swap, other, 1010, true),
            (swap, "", 1010, true),
            (other, swap, 1010, false),
            (other, "{", 1010, true),
            (other, swap, 1901, false),
            (other, swap, 1010, false),
            (
                r#"{"maps":{"3600b":[{"code":"swap"}]},"time":1300}"#,
                swap,
                1300,
                false,
            ),
        ] {
            let mut texts = Texts::default();
            for (node, text) in [(&one, first), (&two, second)] {
                let text = Some(RawText(text.as_bytes().into()));
                texts.kv.insert(node.to_string(), text);
            }
            let mut round = kept.round();
            let [uses, others] = [&one, &two].map(|node| round.read(node, &texts, now));
            assert_eq!(
                uses.as_deref().ok(),
                texts.uses(&one, now).ok().as_ref(),
                "{first}"
            );
            assert_eq!(
                others.as_deref().ok(),
                texts.uses(&two, now).ok().as_ref(),
                "{second}"
            );
            let uses = uses.ok();
            let is_same = uses.as_ref().zip(last.as_ref());
            let is_same = is_same.is_some_and(|(uses, last)| Arc::ptr_eq(uses, last));
            assert_eq!(is_same, is_kept, "{first}");
            last = uses;
        }
    }
}
