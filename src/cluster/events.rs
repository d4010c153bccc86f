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
//!
//! A port that broke is one event ([`Event::Cause`]), and one more when that is over. The events of LUNs that
//! it explains are left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::scalar::Scalar;
use crate::{CellState, NodeName, Wwid};

/// Seconds that a change for the better has to last before it is an event.
pub const SETTLE_SECONDS: i64 = 300;

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of a LUN on a node.
    Lun {
        /// The LUN.
        wwid: Wwid,
        /// The node.
        node: NodeName,
        /// The states.
        #[serde(flatten)]
        change: Change,
        /// Why the state is not optimal, as in the status.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<serde_json::Value>,
    },
    /// Of a port that explains lost paths. Its state is the worst one of its LUNs, `optimal` without any.
    Cause {
        /// The cause, as the status has it or had it last.
        cause: serde_json::Value,
        /// The states.
        #[serde(flatten)]
        change: Change,
    },
}

/// From which state to which one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The state of the last event; none if there was nothing to have one.
    pub from: Option<CellState>,
    /// The present state. The same as before if several changes ended where they began.
    pub to: CellState,
    /// Number of changes since the last event, if there were several. A brief `unknown` does not count
    /// as a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<u32>,
}

/// The states of the LUNs by WWID and node, and of the causes, from a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    luns: BTreeMap<Wwid, BTreeMap<NodeName, StatusCell>>,
    /// By what tells them apart.
    causes: BTreeMap<String, (StatusCell, serde_json::Value)>,
}

#[derive(Clone, Debug, PartialEq)]
struct StatusCell {
    state: CellState,
    reasons: Vec<serde_json::Value>,
    /// Whether a cause explains the state.
    is_explained: bool,
}

/// A status as [`Status`](crate::cluster::status::Status) serializes it; callers may have kept one of an
/// older version.
#[derive(Debug, Deserialize)]
pub struct StatusLuns<'a> {
    #[serde(borrow, default)]
    luns: Vec<StatusLun<'a>>,
    #[serde(default)]
    causes: Vec<serde_json::Value>,
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
    #[serde(borrow, default)]
    causes: Vec<Scalar<'a>>,
}

impl StatusCell {
    fn of(state: CellState) -> Self {
        Self {
            state,
            reasons: Vec::new(),
            is_explained: false,
        }
    }

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
        // The worst state of each cause's LUNs.
        let mut worst: Vec<Option<CellState>> = vec![None; status.causes.len()];
        let mut cell = |(node, cell): (String, WireCell<'_>)| {
            let state = CellState::from_name(cell.state.as_str()?)?;
            let mut is_explained = false;
            let positions = cell.causes.iter().filter_map(Scalar::as_int);
            for position in positions.filter_map(|position| usize::try_from(position).ok()) {
                if let Some(worst) = worst.get_mut(position) {
                    *worst = (*worst).max(Some(state));
                    is_explained = true;
                }
            }
            let reasons = cell.reasons;
            let cell = StatusCell {
                state,
                reasons,
                is_explained,
            };
            Some((NodeName::new(&node).ok()?, cell))
        };
        let luns = status.luns.into_iter().filter_map(|lun| {
            let wwid = Wwid::new(&lun.wwid.as_text()?).ok()?;
            Some((wwid, lun.nodes.into_iter().filter_map(&mut cell).collect()))
        });
        let luns = luns.collect();
        let causes = status.causes.into_iter().zip(worst);
        let causes = causes.filter_map(|(cause, state)| {
            let field = |name: &str| cause.get(name);
            // A port with a name may get another host.
            let host = field("host").filter(|_| field("initiator").is_none());
            let names = ["code", "node", "initiator", "target"].map(field);
            let key = serde_json::json!([names, host]).to_string();
            Some((key, (StatusCell::of(state?), cause)))
        });
        let causes = causes.collect();
        Self { luns, causes }
    }
}

/// Changes that have not settled yet. The caller keeps it from call to call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Damping {
    /// The cells that have changed recently, by WWID and node.
    #[serde(default)]
    restless: BTreeMap<String, BTreeMap<String, Restless>>,
    /// The causes that have changed recently, with what was last known of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    causes: BTreeMap<String, (Restless, serde_json::Value)>,
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
    /// Whether a cause was told in place of that event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    explained: bool,
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

/// The events between two statuses: of causes, then of LUNs by WWID and node.
///
/// `damping` comes with the present time in seconds since the epoch; `previous` then has to be the
/// `current` of the previous call. A clock that was set back delays events.
pub fn health_events(
    previous: &Snapshot,
    current: &Snapshot,
    mut damping: Option<(&mut Damping, i64)>,
) -> Vec<Event> {
    let now = damping.as_ref().map(|(_, now)| *now);
    let mut last = damping
        .as_mut()
        .map_or_else(Damping::default, |(damping, _)| std::mem::take(*damping));
    let mut next = Damping::default();
    let mut events = Vec::new();

    // A cause that is no longer there has ended.
    let restless = last.causes.iter().map(|(key, (_, cause))| (key, cause));
    let causes = [previous, current]
        .into_iter()
        .flat_map(|snapshot| &snapshot.causes);
    let known = restless.chain(causes.map(|(key, (_, cause))| (key, cause)));
    let known = known.map(|(key, cause)| (key.clone(), cause.clone()));
    let known: BTreeMap<String, serde_json::Value> = known.collect();
    let ended = StatusCell::of(CellState::Optimal);
    for (key, cause) in known {
        let before = previous.causes.get(&key).map(|(cell, _)| cell);
        let cell = current.causes.get(&key).map_or(&ended, |(cell, _)| cell);
        let restless = last.causes.remove(&key).map(|(restless, _)| restless);
        let (change, restless) = changed(before, cell, restless, now);
        if let Some(restless) = restless {
            next.causes.insert(key, (restless, cause.clone()));
        }
        events.extend(change.map(|(change, _)| Event::Cause { cause, change }));
    }

    for (wwid, nodes) in &current.luns {
        for (node, cell) in nodes {
            let before = previous.luns.get(wwid).and_then(|nodes| nodes.get(node));
            let (change, restless) = changed(before, cell, last.take(wwid, node), now);
            if let Some(restless) = restless {
                let nodes = next.restless.entry(wwid.to_string()).or_default();
                nodes.insert(node.to_string(), restless);
            }
            let change = change.filter(|(_, is_explained)| !is_explained);
            events.extend(change.map(|(change, _)| Event::Lun {
                wwid: wwid.clone(),
                node: node.clone(),
                change,
                reasons: cell.reasons.clone(),
            }));
        }
    }
    if let Some((damping, _)) = damping {
        *damping = next;
    }
    events
}

/// The change of a cell, whether a cause is told in its place, and what to remember. Without a time, nothing is
/// damped.
fn changed(
    before: Option<&StatusCell>,
    cell: &StatusCell,
    restless: Option<Restless>,
    now: Option<i64>,
) -> (Option<(Change, bool)>, Option<Restless>) {
    let Some(now) = now else {
        let is_explained = cell.is_explained || before.is_some_and(|cell| cell.is_explained);
        let change = undamped(before.map(|cell| cell.state), cell.state);
        return (change.map(|change| (change, is_explained)), None);
    };
    damped(before, cell, restless, now)
}

fn undamped(before: Option<CellState>, now: CellState) -> Option<Change> {
    let same = before.unwrap_or(CellState::Optimal) == now;
    (!same).then_some(Change {
        from: before,
        to: now,
        changes: None,
    })
}

fn damped(
    previous: Option<&StatusCell>,
    current: &StatusCell,
    restless: Option<Restless>,
    now: i64,
) -> (Option<(Change, bool)>, Option<Restless>) {
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
        explained: previous.is_some_and(|cell| cell.is_explained),
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
        to: state,
        changes: Some(restless.changes).filter(|changes| *changes > 1),
    });
    // What gets better after a cause was told for it ends with that cause.
    let is_explained = current.is_explained || (restless.explained && !worse);
    // After a change for the worse more of them may follow: they are counted.
    let watched = worse.then(|| Restless {
        told: Some(state.as_str().to_owned()),
        since: now,
        changes: 0,
        explained: current.is_explained,
    });
    (change.map(|change| (change, is_explained)), watched)
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
                let (Event::Lun { change, .. } | Event::Cause { change, .. }) = event;
                let changes = change.changes.map(|changes| format!(" x{changes}"));
                let from = change.from.map_or("-", CellState::as_str);
                format!(
                    "{from}>{}{}",
                    change.to.as_str(),
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

    /// A status with three LUNs on pve1, those of `lost` with a cause.
    fn with_cause(states: [&str; 3], lost: usize) -> Snapshot {
        let luns: Vec<_> = states
            .iter()
            .zip(["a", "b", "c"])
            .enumerate()
            .map(|(number, (state, wwid))| {
                let causes: &[u32] = if number < lost { &[0] } else { &[] };
                serde_json::json!({ "wwid": wwid, "nodes": { "pve1": { "state": state, "causes": causes } } })
            })
            .collect();
        let cause = serde_json::json!({ "code": "initiator-port", "node": "pve1", "initiator": "0x21", "host": lost });
        let causes: Vec<_> = (0..lost.min(1)).map(|_| cause.clone()).collect();
        let text = serde_json::json!({ "luns": luns, "causes": causes }).to_string();
        serde_json::from_str::<StatusLuns<'_>>(&text)
            .unwrap()
            .into()
    }

    #[test]
    fn a_cause_is_one_event_and_one_when_it_ends() {
        let well = ["optimal"; 3];
        let (mut damping, mut previous) = (Damping::default(), with_cause(well, 0));
        for (now, states, lost, wanted) in [
            (0, ["degraded", "degraded", "optimal"], 2, "0x21 ->degraded"),
            (10, ["degraded"; 3], 3, ""),
            (
                20,
                ["failed", "degraded", "degraded"],
                3,
                "0x21 degraded>failed",
            ),
            // A LUN that gets worse on its own.
            (
                1_000,
                ["failed", "degraded", "failed"],
                2,
                "c degraded>failed",
            ),
            (2_000, ["degraded", "degraded", "degraded"], 2, ""),
            (
                2_300,
                ["degraded", "degraded", "degraded"],
                2,
                "0x21 failed>degraded,c failed>degraded",
            ),
            (3_000, well, 0, ""),
            (3_299, well, 0, ""),
            (3_300, well, 0, "0x21 degraded>optimal,c degraded>optimal"),
            (9_000, well, 0, ""),
        ] {
            let current = with_cause(states, lost);
            damping = Damping::parse(Some(damping.to_json().as_bytes()));
            let events = health_events(&previous, &current, Some((&mut damping, now)));
            let told = events.iter().map(|event| {
                let (what, change) = match event {
                    Event::Lun { wwid, change, .. } => (wwid.as_str(), change),
                    Event::Cause { cause, change } => {
                        (cause["initiator"].as_str().unwrap(), change)
                    }
                };
                let from = change.from.map_or("-", CellState::as_str);
                format!("{what} {from}>{}", change.to.as_str())
            });
            assert_eq!(told.collect::<Vec<_>>().join(","), wanted, "at {now}");
            previous = current;
        }
        let undamped = health_events(&with_cause(well, 0), &with_cause(["degraded"; 3], 2), None);
        assert_eq!(undamped.len(), 2);
    }
}
