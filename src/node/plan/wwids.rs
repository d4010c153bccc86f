//! Bringing a node's WWIDs file in line with the cluster's allow-list, without touching the entries of
//! others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::record::{Progress, Record};
use super::{Certainty, Cluster, Content, Node, Usage};
use crate::Wwid;
use crate::config::Config;
use crate::node::wwids_file::{can_be_added_to, wwid_lines};

/// What to do about a WWID on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WwidAction {
    /// Add it with `multipath -a`.
    Add,
    /// Remove it with `multipath -w`, then drop it from the record.
    Remove,
    /// Mark it as added in the record.
    Confirm,
    /// Drop it from the record: no entry is ours.
    Drop,
    /// Leave it alone.
    Keep,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WwidReason {
    /// It is on the allow-list, and not in the file.
    Missing,
    /// A pass was killed while adding it.
    Interrupted,
    /// Proxmox VE added it, and it is no longer on the allow-list.
    NoLongerListed,
    /// Another program has removed it.
    Gone,
    /// It is in the file more than once, so another program has added it as well.
    AddedByOthers,
    /// Its map is in use on the node.
    InUse,
    /// It is unknown whether its map is in use.
    UseUnknown,
    /// The record cannot be read, so it is unknown which entries are ours.
    RecordUnreadable,
    /// The configuration names it in a line that is not understood.
    NotUnderstood,
    /// Its line in the file holds more than the WWID, so multipath cannot remove it.
    LineNotPlain,
    /// The file does not end in a line feed, so multipath would append to its last line.
    FileUnfinished,
    /// The configuration may be in the middle of being saved.
    Unconfirmed,
    /// multipathd is not told to read its configuration, so the map would stay.
    ReconfigureWaits,
}

/// What to do about a WWID, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WwidStep {
    /// The LUN.
    pub wwid: Wwid,
    /// What to do.
    pub action: WwidAction,
    /// Why.
    pub reason: WwidReason,
}

/// The entries of one WWID in the node's file.
#[derive(Clone, Copy, Default)]
struct Present {
    count: usize,
    /// Whether multipath can remove one of them.
    has_plain: bool,
}

/// The steps, sorted by WWID. WWIDs that need no change are not among them.
pub(super) fn steps(
    cluster: &Cluster<'_>,
    listed: BTreeSet<&Wwid>,
    record: Option<&Record>,
    node: &Node<'_>,
    errors: &mut Vec<String>,
) -> Vec<WwidStep> {
    let text: &[u8] = match &node.wwids {
        Content::Absent => b"",
        Content::Text(text) => text,
        Content::Unreadable(err) => {
            errors.push(format!("the node's WWIDs file is left alone: {err}"));
            return Vec::new();
        }
    };
    let mut present: BTreeMap<&[u8], Present> = BTreeMap::new();
    for line in wwid_lines(text) {
        let present = present.entry(line.wwid).or_default();
        present.count += 1;
        // 'multipath -w' removes the first plain one
        present.has_plain |= line.is_plain;
    }
    let recorded = record.map(|record| &record.wwids);
    let progress = |wwid: &Wwid| recorded.and_then(|wwids| wwids.get(wwid)).copied();
    let all: BTreeSet<&Wwid> = listed
        .iter()
        .copied()
        .chain(recorded.into_iter().flat_map(BTreeMap::keys))
        .collect();

    let dropped = all.iter().filter(|wwid| !listed.contains(**wwid));
    let named = named(dropped.copied(), cluster.config);
    let mut unfinished = false;
    let mut steps = Vec::new();
    for wwid in all {
        let entry = present.get(wwid.as_str().as_bytes()).copied();
        let step = match (listed.contains(wwid), entry, progress(wwid)) {
            (true, None, _) if cluster.config_is == Certainty::Torn => {
                Some((WwidAction::Keep, WwidReason::Unconfirmed))
            }
            (true, None, _) if !can_be_added_to(text) => {
                unfinished = true;
                Some((WwidAction::Keep, WwidReason::FileUnfinished))
            }
            (true, None, _) if record.is_none() => {
                Some((WwidAction::Add, WwidReason::RecordUnreadable))
            }
            (true, None, _) => Some((WwidAction::Add, WwidReason::Missing)),
            (true, Some(_), Some(Progress::Adding)) => {
                Some((WwidAction::Confirm, WwidReason::Interrupted))
            }
            (false, _, Some(_)) if !cluster.config_is.is_settled() => {
                Some((WwidAction::Keep, WwidReason::Unconfirmed))
            }
            (false, None, Some(_)) => Some((WwidAction::Drop, WwidReason::Gone)),
            (false, Some(present), Some(_)) => Some(removal(wwid, present, &named, node)),
            (_, _, None) | (true, Some(_), Some(Progress::Added)) => None,
        };
        steps.extend(step.map(|(action, reason)| WwidStep {
            wwid: wwid.clone(),
            action,
            reason,
        }));
    }
    if unfinished {
        errors.push(
            "nothing is added to the node's WWIDs file, which does not end in a line feed: \
             'multipath -a' would append to its last line; add a line feed"
                .to_owned(),
        );
    }
    steps
}

/// What to do about an entry of ours that is no longer on the allow-list. `named` has the WWIDs that the
/// configuration names in lines that are not understood.
fn removal(
    wwid: &Wwid,
    present: Present,
    named: &HashSet<&Wwid>,
    node: &Node<'_>,
) -> (WwidAction, WwidReason) {
    match &node.usage {
        _ if named.contains(wwid) => (WwidAction::Keep, WwidReason::NotUnderstood),
        // Removing one of them would have no effect, and if the pass was killed, it would be unknown
        // whether the one that is left is ours.
        _ if present.count > 1 => (WwidAction::Drop, WwidReason::AddedByOthers),
        _ if !present.has_plain => (WwidAction::Keep, WwidReason::LineNotPlain),
        Usage::Known(used) if used.open.contains(wwid) => (WwidAction::Keep, WwidReason::InUse),
        Usage::Known(_) => (WwidAction::Remove, WwidReason::NoLongerListed),
        Usage::NotAsked | Usage::Unknown(_) => (WwidAction::Keep, WwidReason::UseUnknown),
    }
}

/// Which of these WWIDs occur in a line that is not understood.
///
/// Each position in the lines is looked at once for each length that a WWID has. There are few lengths,
/// however many WWIDs there are.
fn named<'w>(wwids: impl Iterator<Item = &'w Wwid>, config: &Config<'_>) -> HashSet<&'w Wwid> {
    let mut by_length: BTreeMap<usize, HashMap<&[u8], &Wwid>> = BTreeMap::new();
    for wwid in wwids {
        let text = wwid.as_str().as_bytes();
        by_length.entry(text.len()).or_default().insert(text, wwid);
    }
    let mut named = HashSet::new();
    for line in config.lines() {
        for (length, wwids) in &by_length {
            let places = line.as_str().as_bytes().windows(*length);
            named.extend(places.filter_map(|place| wwids.get(place)));
        }
    }
    named
}
