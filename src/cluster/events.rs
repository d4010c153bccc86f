//! What changed between two states of the cluster.
//!
//! [`health_events`] compares the cells (a LUN on a node) of two statuses. Without a [`Damping`] each
//! difference is an event. With one, as notifications need it:
//!
//! - A state worse than the last reported one is an event at once.
//! - A better state, or `unknown`, is an event once it has lasted for [`SETTLE_SECONDS`]. A flapping path
//!   gives one event when it first fails and one when it has settled, with the number of changes in
//!   between. A report that is a little late or only half written gives none, nor does one that is
//!   missing until the next refresh, as on a node whose pmxcfs was restarted.
//!
//! A cell that appears is an event unless it is optimal. One that disappears is not: the LUN is no longer
//! expected there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::scalar::Scalar;
use crate::{CellState, NodeName, Wwid};

/// Seconds that a change for the better has to last before it is an event.
pub const SETTLE_SECONDS: i64 = 300;

/// A change of a LUN on a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// The LUN.
    pub wwid: Wwid,
    /// The node.
    pub node: NodeName,
    /// The state of the last event; none if the node did not have the LUN.
    pub from: Option<CellState>,
    /// The present state. The same as before if several changes ended where they began.
    pub to: CellState,
    /// Number of changes since the last event, if there were several. A brief `unknown` does not count
    /// as a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<u32>,
    /// Why the state is not optimal, as in the status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<serde_json::Value>,
}

/// The states of the LUNs by WWID and node, from a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot(BTreeMap<Wwid, BTreeMap<NodeName, StatusCell>>);

#[derive(Clone, Debug, PartialEq)]
struct StatusCell {
    state: CellState,
    reasons: Vec<serde_json::Value>,
}

/// A status as [`Status`](crate::cluster::status::Status) serializes it; callers may have kept one of an
/// older version.
#[derive(Debug, Deserialize)]
pub struct StatusLuns<'a> {
    #[serde(borrow, default)]
    luns: Vec<StatusLun<'a>>,
}

#[derive(Debug, Deserialize)]
struct StatusLun<'a> {
    #[serde(borrow, default)]
    wwid: Scalar<'a>,
    #[serde(borrow, default)]
    nodes: BTreeMap<String, WireCell<'a>>,
}

#[derive(Debug, Deserialize)]
struct WireCell<'a> {
    #[serde(borrow, default)]
    state: Scalar<'a>,
    #[serde(default)]
    reasons: Vec<serde_json::Value>,
}

impl StatusCell {
    /// Whether the state comes from a report of the node.
    fn is_reported(&self) -> bool {
        let no_report = |reason: &serde_json::Value| {
            reason.get("code").and_then(serde_json::Value::as_str) == Some("no-report")
        };
        self.state != CellState::Unknown && !self.reasons.iter().any(no_report)
    }
}

impl From<StatusLuns<'_>> for Snapshot {
    /// Invalid WWIDs, node names and states are left out.
    fn from(status: StatusLuns<'_>) -> Self {
        let cell = |(node, cell): (String, WireCell<'_>)| {
            let state = CellState::from_name(cell.state.as_str()?)?;
            let reasons = cell.reasons;
            Some((NodeName::new(&node).ok()?, StatusCell { state, reasons }))
        };
        let luns = status.luns.into_iter().filter_map(|lun| {
            let wwid = Wwid::new(&lun.wwid.as_text()?).ok()?;
            Some((wwid, lun.nodes.into_iter().filter_map(cell).collect()))
        });
        Self(luns.collect())
    }
}

impl Snapshot {
    fn get(&self, wwid: &Wwid, node: &NodeName) -> Option<&StatusCell> {
        self.0.get(wwid)?.get(node)
    }
}

/// Changes that have not settled yet. The caller keeps it from call to call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Damping {
    /// The cells that have changed recently, by WWID and node.
    #[serde(default)]
    restless: BTreeMap<String, BTreeMap<String, Restless>>,
}

/// A cell that has changed recently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Restless {
    /// Name of the state in the last event; none if the node did not have the LUN.
    told: Option<String>,
    /// Time of the last change, in seconds since the epoch.
    since: i64,
    /// Number of changes since the last event.
    changes: u32,
}

impl Damping {
    /// Reads the text of [`Damping::to_json`]; from anything else, it starts afresh.
    pub fn parse(text: Option<&[u8]>) -> Self {
        let damping = text.and_then(|text| serde_json::from_slice(text).ok());
        damping.unwrap_or_default()
    }

    /// As a JSON text.
    pub fn to_json(&self) -> String {
        // Cannot fail: it consists of texts and numbers.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn take(&mut self, wwid: &Wwid, node: &NodeName) -> Option<Restless> {
        self.restless.get_mut(wwid.as_str())?.remove(node.as_str())
    }
}

/// The events between two statuses, by WWID and node.
///
/// `damping` comes with the present time in seconds since the epoch; `previous` then has to be the
/// `current` of the previous call. A clock that was set back delays events.
pub fn health_events(
    previous: &Snapshot,
    current: &Snapshot,
    mut damping: Option<(&mut Damping, i64)>,
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut still_restless = Damping::default();
    for (wwid, nodes) in &current.0 {
        for (node, cell) in nodes {
            let before = previous.get(wwid, node);
            let change = match &mut damping {
                None => undamped(before.map(|cell| cell.state), cell.state),
                Some((damping, now)) => {
                    let restless = damping.take(wwid, node);
                    let (change, restless) = damped(before, cell, restless, *now);
                    if let Some(restless) = restless {
                        let nodes = still_restless.restless.entry(wwid.to_string()).or_default();
                        nodes.insert(node.to_string(), restless);
                    }
                    change
                }
            };
            events.extend(change.map(|Change { from, changes }| Event {
                wwid: wwid.clone(),
                node: node.clone(),
                from,
                to: cell.state,
                changes: changes.filter(|changes| *changes > 1),
                reasons: cell.reasons.clone(),
            }));
        }
    }
    if let Some((damping, _)) = damping {
        *damping = still_restless;
    }
    events
}

/// The part of an event beside the present state.
struct Change {
    from: Option<CellState>,
    changes: Option<u32>,
}

fn undamped(before: Option<CellState>, now: CellState) -> Option<Change> {
    let same = before.unwrap_or(CellState::Optimal) == now;
    (!same).then_some(Change {
        from: before,
        changes: None,
    })
}

fn damped(
    previous: Option<&StatusCell>,
    current: &StatusCell,
    restless: Option<Restless>,
    now: i64,
) -> (Option<Change>, Option<Restless>) {
    let before = previous.map(|cell| cell.state);
    let state = current.state;
    let changed = before.unwrap_or(CellState::Optimal) != state;
    if restless.is_none() && !changed {
        return (None, None);
    }
    let mut restless = restless.unwrap_or(Restless {
        told: before.map(|state| state.as_str().to_owned()),
        since: now,
        changes: 0,
    });
    if changed {
        restless.since = now;
        // A brief unknown does not count as a change.
        let known = current.is_reported() && previous.is_none_or(StatusCell::is_reported);
        restless.changes = restless.changes.saturating_add(known.into());
    }
    let told = restless.told.as_deref().and_then(CellState::from_name);

    let worse =
        current.is_reported() && state > told.unwrap_or(CellState::Optimal).max(CellState::Optimal);
    let settled = now.saturating_sub(restless.since) >= SETTLE_SECONDS;
    if !worse && !settled {
        return (None, Some(restless));
    }
    let same = told.unwrap_or(CellState::Optimal) == state;
    let change = (!same || restless.changes > 1).then_some(Change {
        from: told,
        changes: Some(restless.changes),
    });
    // After a change for the worse more of them may follow: they are counted.
    let watched = worse.then(|| Restless {
        told: Some(state.as_str().to_owned()),
        since: now,
        changes: 0,
    });
    (change, watched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(state: Option<&str>) -> Snapshot {
        let nodes = state.map_or("{}".to_owned(), |state| {
            format!(r#"{{"pve1": {{"state": "{state}", "reasons": [{{"code": "x"}}]}}, "../x": {{"state": "failed"}}}}"#)
        });
        let text =
            format!(r#"{{"luns": [{{"wwid": "3600a", "nodes": {nodes}}}, {{"wwid": "a/b"}}]}}"#);
        let status: StatusLuns<'_> = serde_json::from_str(&text).unwrap();
        status.into()
    }

    /// The event at each time, if any: (seconds, state, event). An event is `from>to`, with the number
    /// of changes if there were several.
    fn walk(looks: &[(i64, &str, &str)]) {
        let (mut damping, mut previous) = (Damping::default(), cells(Some("optimal")));
        for (now, state, wanted) in looks {
            let current = cells(Some(*state).filter(|state| *state != "-"));
            damping = Damping::parse(Some(damping.to_json().as_bytes()));
            let events = health_events(&previous, &current, Some((&mut damping, *now)));
            let told = events.iter().map(|event| {
                let changes = event.changes.map(|changes| format!(" x{changes}"));
                let from = event.from.map_or("-", CellState::as_str);
                format!(
                    "{from}>{}{}",
                    event.to.as_str(),
                    changes.unwrap_or_default()
                )
            });
            assert_eq!(
                told.collect::<Vec<_>>().join(","),
                *wanted,
                "at {now} of {looks:?}"
            );
            previous = current;
        }
    }

    #[test]
    fn worse_states_at_once_and_better_ones_once_they_last() {
        walk(&[
            (0, "optimal", ""),
            (10, "degraded", "optimal>degraded"),
            (20, "degraded", ""),
            (30, "failed", "degraded>failed"),
            (1000, "degraded", ""),
            (1299, "degraded", ""),
            (1300, "degraded", "failed>degraded"),
            (1310, "optimal", ""),
            (1610, "optimal", "degraded>optimal"),
            (2000, "optimal", ""),
        ]);
    }

    #[test]
    fn a_flapping_path_gives_one_event_and_then_a_summary() {
        let mut looks = vec![(0, "degraded", "optimal>degraded")];
        for n in 1..100 {
            let state = if n % 2 == 0 { "degraded" } else { "optimal" };
            looks.push((10 * n, state, ""));
        }
        looks.extend([
            (1289, "optimal", ""),
            (1290, "optimal", "degraded>optimal x99"),
        ]);
        walk(&looks);
        // The last state may be the first one.
        walk(&[
            (0, "degraded", "optimal>degraded"),
            (10, "optimal", ""),
            (20, "degraded", ""),
            (320, "degraded", "degraded>degraded x2"),
            (330, "degraded", ""),
        ]);
    }

    #[test]
    fn a_brief_unknown_is_not_an_event() {
        walk(&[
            (0, "unknown", ""),
            (60, "optimal", ""),
            (400, "optimal", ""),
        ]);
        walk(&[
            (0, "unknown", ""),
            (300, "unknown", "optimal>unknown"),
            (310, "failed", "unknown>failed"),
        ]);
    }

    #[test]
    fn cells_that_appear_and_disappear() {
        walk(&[(0, "-", ""), (10, "optimal", ""), (400, "optimal", "")]);
        walk(&[
            (0, "-", ""),
            (10, "missing", "->missing"),
            (20, "-", ""),
            (500, "-", ""),
        ]);
    }

    #[test]
    fn without_damping_each_difference_is_an_event() {
        for (from, to, count) in [
            (Some("optimal"), Some("optimal"), 0),
            (Some("degraded"), Some("optimal"), 1),
            (Some("optimal"), Some("unknown"), 1),
            (None, Some("optimal"), 0),
            (None, Some("failed"), 1),
            (Some("failed"), None, 0),
        ] {
            let events = health_events(&cells(from), &cells(to), None);
            assert_eq!(events.len(), count, "{from:?} {to:?}");
        }
    }
}
