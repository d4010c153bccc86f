//! Bringing a node's allow-list in line with the cluster's, without touching what is not ours.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::record::{Progress, Record};
use super::{Certainty, Cluster, Content, Node, Usage};
use crate::Wwid;
use crate::config::Config;
use crate::node::wwids_file::{can_be_added_to, entries};

/// What to do about a WWID on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Add it with `multipath -a`.
    Add,
    /// Remove it with `multipath -w`, then drop it from the record.
    Remove,
    /// Note in the record that it is ours.
    Confirm,
    /// Drop it from the record: there is nothing of ours.
    Drop,
    /// Leave it alone.
    Keep,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The cluster allow-lists it, and it is missing.
    Missing,
    /// A pass was killed while it added it.
    Interrupted,
    /// Proxmox VE has added it, and the cluster allow-lists it no more.
    NoLongerListed,
    /// Somebody else has removed it.
    Gone,
    /// It stands there more than once, so somebody else wants it as well.
    AddedByOthers,
    /// The node uses its map.
    InUse,
    /// Nobody knows whether the node uses its map.
    UseUnknown,
    /// The record cannot be read: nobody knows whose it is.
    RecordUnreadable,
    /// The configuration names it, in a part that is not understood.
    NotUnderstood,
    /// Its line in the file holds more, which multipath cannot remove.
    LineNotPlain,
    /// The file does not end with a line feed: multipath would spoil what it adds.
    FileUnfinished,
    /// The cluster's file may be about to be saved.
    Unconfirmed,
    /// multipathd does not read its configuration now, so the map would stay.
    ReconfigureWaits,
}

/// What to do about a WWID, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The LUN.
    pub wwid: Wwid,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// The lines of the node's file that have a WWID.
#[derive(Clone, Copy, Default)]
struct Lines {
    count: usize,
    /// Whether multipath can remove one of them.
    has_plain: bool,
}

/// The steps, by WWID. What is in line already is not among them, nor is what is not ours.
pub(super) fn steps(
    cluster: &Cluster<'_>,
    listed: BTreeSet<&Wwid>,
    record: Option<&Record>,
    node: &Node<'_>,
    errors: &mut Vec<String>,
) -> Vec<Step> {
    let text: &[u8] = match &node.wwids {
        Content::Absent => b"",
        Content::Text(text) => text,
        Content::Unreadable(err) => {
            errors.push(format!("the node's allow-list is left alone: {err}"));
            return Vec::new();
        }
    };
    let mut present: BTreeMap<&[u8], Lines> = BTreeMap::new();
    for entry in entries(text) {
        let lines = present.entry(entry.wwid).or_default();
        lines.count += 1;
        // 'multipath -w' takes the first plain one
        lines.has_plain |= entry.is_plain;
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
                Some((Action::Keep, Reason::Unconfirmed))
            }
            (true, None, _) if !can_be_added_to(text) => {
                unfinished = true;
                Some((Action::Keep, Reason::FileUnfinished))
            }
            (true, None, _) if record.is_none() => Some((Action::Add, Reason::RecordUnreadable)),
            (true, None, _) => Some((Action::Add, Reason::Missing)),
            (true, Some(_), Some(Progress::Adding)) => Some((Action::Confirm, Reason::Interrupted)),
            (false, _, Some(_)) if !cluster.config_is.is_settled() => {
                Some((Action::Keep, Reason::Unconfirmed))
            }
            (false, None, Some(_)) => Some((Action::Drop, Reason::Gone)),
            (false, Some(lines), Some(_)) => Some(removal(wwid, lines, &named, node)),
            (_, _, None) | (true, Some(_), Some(Progress::Added)) => None,
        };
        steps.extend(step.map(|(action, reason)| Step {
            wwid: wwid.clone(),
            action,
            reason,
        }));
    }
    if unfinished {
        errors.push(
            "nothing is added to the node's allow-list, which has no line feed at its end: \
             'multipath -a' would spoil what it adds; add a line feed"
                .to_owned(),
        );
    }
    steps
}

/// What to do about an entry of ours that nobody wants any more. `named` has the WWIDs that the
/// configuration names in a part that is not understood.
fn removal(wwid: &Wwid, lines: Lines, named: &HashSet<&Wwid>, node: &Node<'_>) -> (Action, Reason) {
    match &node.usage {
        _ if named.contains(wwid) => (Action::Keep, Reason::NotUnderstood),
        // Removing one of them would change nothing. And after a kill nobody could tell whether what is
        // left is ours.
        _ if lines.count > 1 => (Action::Drop, Reason::AddedByOthers),
        _ if !lines.has_plain => (Action::Keep, Reason::LineNotPlain),
        Usage::Known(used) if used.open.contains(wwid) => (Action::Keep, Reason::InUse),
        Usage::Known(_) => (Action::Remove, Reason::NoLongerListed),
        Usage::NotAsked | Usage::Unknown(_) => (Action::Keep, Reason::UseUnknown),
    }
}

/// Which of these WWIDs stand somewhere in a line that was not understood.
///
/// Each place in the lines is looked at once for each length that a WWID has, of which there are few,
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
