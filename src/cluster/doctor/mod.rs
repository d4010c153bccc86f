//! Why LUNs are missing: on this node from what it has itself, on the others from what they report.

mod finding;

use std::collections::{BTreeMap, BTreeSet};

pub use finding::{Cause, Finding, MAX_LUNS};

use super::report::{Broadcast, Freshness, nodes};
use super::status::{self, Status, StatusArgs};
use crate::config::AllowList;
use crate::node::Content;
use crate::node::absent::{absent, past_maps};
use crate::node::boot::BootRisk;
use crate::node::candidates::Inputs;
use crate::node::maps::{DaemonState, Reply, daemon_state};
use crate::{CellState, NodeName, Reason, Severity, Wwid};

/// Most findings. Those of this node come first.
pub const MAX_FINDINGS: usize = 500;

/// Exit code of a shell, and of the glue, for a program that is not there.
const NO_PROGRAM: i32 = 127;

/// What is known.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The node whose details are in `here`.
    pub node: NodeName,
    /// The cluster's allow-list.
    pub allow_list: AllowList,
    /// The one LUN that is asked about; none for all.
    pub lun: Option<Wwid>,
    /// The node's own details.
    pub here: Option<Here<'a>>,
    /// The arguments for the cluster's status, if they are known.
    pub status: Option<StatusArgs<'a>>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// The details of a node.
#[derive(Debug)]
pub struct Here<'a> {
    /// The outcome of `multipathd show daemon`, if it is known.
    pub daemon: Option<Reply<'a>>,
    /// Its disks.
    pub inputs: Inputs<'a>,
    /// What of multipathd's replies about them cannot be read.
    pub unread: Vec<String>,
    /// `/etc/multipath/wwids`.
    pub wwids_file: Content<'a>,
    /// Whether there are changes to apply.
    pub pending: bool,
    /// What cannot be applied, and why.
    pub errors: Vec<String>,
    /// Values that another file overrides.
    pub drift: Vec<String>,
    /// What may go wrong at the next boot, and the maps that the root file system is on.
    pub boot: Option<(BTreeSet<Wwid>, BootRisk)>,
}

/// What was found, by node and cause.
#[derive(Default)]
struct Found(BTreeMap<(Option<NodeName>, Cause), (Severity, BTreeSet<Wwid>)>);

impl Found {
    /// About a node or the cluster.
    fn add(&mut self, node: Option<&NodeName>, severity: Severity, cause: Cause) {
        self.about(node, severity, cause, None);
    }

    fn extend(
        &mut self,
        node: &NodeName,
        severity: Severity,
        causes: impl IntoIterator<Item = Cause>,
    ) {
        for cause in causes {
            self.add(Some(node), severity, cause);
        }
    }

    /// About a LUN as well, if one is given. The worse severity counts.
    fn about(
        &mut self,
        node: Option<&NodeName>,
        severity: Severity,
        cause: Cause,
        lun: Option<&Wwid>,
    ) {
        let found = self.0.entry((node.cloned(), cause));
        let (worst, luns) = found.or_insert_with(|| (severity, BTreeSet::new()));
        *worst = severity.min(*worst);
        luns.extend(lun.cloned());
    }
}

/// Everything that keeps LUNs from being there. An empty list if nothing was found.
pub fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Found::default();
    for error in &facts.unread {
        found.add(None, Severity::Warning, Cause::Unread(error.clone()));
    }
    if let Some(lun) = facts
        .lun
        .as_ref()
        .filter(|lun| !facts.allow_list.contains_key(*lun))
    {
        found.about(None, Severity::Error, Cause::NotListed, Some(lun));
    }
    let status = facts.status.as_ref().map(status::status);
    if let (Some(args), Some(status)) = (&facts.status, &status) {
        of_cluster(facts, args, status, &mut found);
    }
    if let Some(here) = &facts.here {
        of_node(facts, here, &wanted(facts, status.as_ref()), &mut found);
    }

    let finding = |((node, cause), (severity, luns)): (_, (_, BTreeSet<Wwid>))| Finding {
        node,
        cause,
        count: luns.len(),
        luns: luns.into_iter().take(MAX_LUNS).collect(),
        severity,
    };
    let mut found: Vec<Finding> = found.0.into_iter().map(finding).collect();
    found.sort_by_key(|finding| {
        let node = finding.node.as_ref();
        node.is_some_and(|node| *node != facts.node)
    });
    found.truncate(MAX_FINDINGS);
    found
}

/// The LUNs that the node should have.
fn wanted(facts: &Facts<'_>, status: Option<&Status>) -> BTreeSet<Wwid> {
    let node = facts.node.as_str();
    let args = facts.status.as_ref();
    let has_reported = args.is_some_and(|args| report(args, &facts.node).1.is_none());
    let expectations = args.and_then(|args| args.expectations.as_ref());
    let is_expected = |wwid: &Wwid| {
        let Some(expectations) = expectations else {
            return true;
        };
        let names = expectations.nodes_of(wwid);
        names.0.is_empty() || names.0.iter().any(|name| name == node)
    };
    let in_matrix: BTreeSet<&Wwid> = { status.into_iter() }
        .flat_map(|status| status.luns.luns())
        .filter(|lun| lun.nodes.get(node).is_some())
        .map(|lun| lun.wwid)
        .collect();
    let listed = facts.allow_list.keys().filter(|wwid| match &facts.lun {
        Some(lun) => lun == *wwid,
        None if has_reported => in_matrix.contains(wwid),
        None => is_expected(wwid),
    });
    listed.cloned().collect()
}

/// A node's report, and why it does not count, if it does not.
fn report(args: &StatusArgs<'_>, node: &NodeName) -> (Option<Broadcast>, Option<Cause>) {
    let text = args
        .kv
        .as_ref()
        .and_then(|kv| kv.get(node.as_str())?.as_ref());
    let Some(text) = text.filter(|text| !text.0.is_empty()) else {
        return (None, Some(Cause::NeverReported));
    };
    let continuation = |key: &str| args.continued(key, node.as_str());
    match Broadcast::decode_values(&text.0, continuation) {
        Ok(broadcast) => {
            let error = match broadcast.freshness(args.now.as_int().unwrap_or(0)) {
                Freshness::Fresh => None,
                Freshness::Stale { age } => Some(Cause::Stale { age }),
            };
            (Some(broadcast), error)
        }
        Err(error) => (None, Some(unreadable(&error.reason()))),
    }
}

/// What the nodes' reports say, and which of them are not there.
fn of_cluster(facts: &Facts<'_>, args: &StatusArgs<'_>, status: &Status, found: &mut Found) {
    for lun in status.luns.luns() {
        if facts.lun.as_ref().is_some_and(|wanted| wanted != lun.wwid) {
            continue;
        }
        for (node, entry) in lun.nodes.iter() {
            let is_here = facts.here.is_some() && *node == facts.node;
            for reason in &entry.reasons {
                let cause = match (entry.state, reason) {
                    (_, Reason::NoReport) => Cause::NeverReported,
                    (_, Reason::NodeOffline) => Cause::Offline,
                    (_, Reason::ReporterStale { age }) => Cause::Stale { age: *age },
                    (_, Reason::BadBroadcast { .. } | Reason::NewerBroadcast { .. }) => {
                        unreadable(reason)
                    }
                    (CellState::Missing, _) if is_here => continue,
                    (CellState::Missing, Reason::NotAssembled) => Cause::NoMap,
                    (CellState::Missing, Reason::Absent(absence)) => Cause::Absent(absence.clone()),
                    _ => continue,
                };
                let (severity, lun) = match cause {
                    Cause::Offline => (Severity::Warning, None),
                    Cause::NoMap | Cause::Absent(_) => (Severity::Error, Some(lun.wwid)),
                    _ => (Severity::Error, None),
                };
                found.about(Some(node), severity, cause, lun);
            }
        }
    }
    for (node, errors) in &status.nodes {
        if let Some(apply) = &errors.apply {
            let cause = Cause::ApplyFailed {
                error: apply.apply_error.clone(),
                since: apply.apply_time,
            };
            found.add(Some(node), Severity::Error, cause);
        }
        if let Some(reason) = &errors.report_error {
            found.add(Some(node), Severity::Error, unreadable(reason));
        }
    }
    of_reports(facts, args, status, found);
}

/// What the nodes say of themselves, and which of them say nothing.
fn of_reports(facts: &Facts<'_>, args: &StatusArgs<'_>, status: &Status, found: &mut Found) {
    let is_asked = |lun: &Wwid| facts.lun.as_ref().is_none_or(|asked| asked == lun);
    let mut expected: BTreeSet<&NodeName> = BTreeSet::new();
    for lun in status.luns.luns().filter(|lun| is_asked(lun.wwid)) {
        expected.extend(lun.nodes.iter().map(|(node, _)| node));
    }
    let reporters = args.kv.iter().flatten().map(|(node, _)| node);
    for (node, is_online) in nodes(&args.members, reporters) {
        if facts.lun.is_some() && !expected.contains(&node) {
            continue;
        }
        if !is_online {
            found.add(Some(&node), Severity::Warning, Cause::Offline);
            continue;
        }
        let (broadcast, error) = report(args, &node);
        found.extend(&node, Severity::Warning, error);
        if facts.here.is_some() && node == facts.node {
            continue;
        }
        let Some(info) = broadcast.and_then(|broadcast| broadcast.node) else {
            continue;
        };
        // without LUNs, a node does not need it
        let daemon = info.software.multipathd.and_then(daemon_cause);
        found.extend(
            &node,
            Severity::Error,
            daemon.filter(|_| expected.contains(&node)),
        );
        let drift = info
            .drift
            .iter()
            .map(|drift| Cause::Drift(drift.to_string()));
        found.extend(&node, Severity::Warning, drift);
    }
}

/// What is wrong with a node's multipathd.
fn daemon_cause(state: DaemonState) -> Option<Cause> {
    match state {
        DaemonState::Running => None,
        DaemonState::Stopped => Some(Cause::Stopped),
        DaemonState::NoAnswer => Some(Cause::NoAnswer),
        DaemonState::NotInstalled => Some(Cause::NotInstalled),
    }
}

fn unreadable(reason: &Reason) -> Cause {
    Cause::Unreadable(match reason {
        Reason::BadBroadcast { detail } => detail.clone(),
        Reason::NewerBroadcast { format } => format!("a newer version made it (format {format})"),
        _ => String::new(),
    })
}

/// What the node itself has.
fn of_node(facts: &Facts<'_>, here: &Here<'_>, wanted: &BTreeSet<Wwid>, found: &mut Found) {
    let node = Some(&facts.node);
    // without LUNs, a node does not need it
    let severity = match wanted.is_empty() {
        true => Severity::Warning,
        false => Severity::Error,
    };
    let daemon = here
        .daemon
        .as_ref()
        .and_then(|reply| match reply.exit_code {
            Some(NO_PROGRAM) => Some(Cause::NotInstalled),
            _ => daemon_cause(daemon_state(reply)),
        });
    let is_down = daemon.is_some();
    match daemon {
        Some(cause) => found.add(node, severity, cause),
        None => {
            let unread = here.unread.iter().cloned().map(Cause::Unread);
            found.extend(&facts.node, Severity::Warning, unread);
        }
    }
    let errors = here.errors.iter().cloned().map(Cause::NotApplicable);
    found.extend(&facts.node, Severity::Error, errors);
    if here.pending {
        found.add(node, Severity::Warning, Cause::Pending);
    }
    let maps: BTreeSet<&str> = here
        .inputs
        .mapped
        .values()
        .filter_map(|map| map.wwid())
        .collect();
    // multipathd's configuration has no values of LUNs without a map
    let has_map = |of: &str| maps.contains(of) || !facts.allow_list.contains_key(of);
    let drift = here.drift.iter().filter(|text| {
        let of = text.split_once(": ");
        of.is_none_or(|(of, _)| has_map(of))
    });
    let drift = drift.cloned().map(Cause::Drift);
    found.extend(&facts.node, Severity::Warning, drift);

    // a recording may have neither multipathd's WWIDs nor udev's
    let mut disks = here.inputs.disks.values();
    let is_known = here.inputs.listing.is_some() || disks.any(|disk| disk.udev.is_some());
    let wanted = wanted.iter().filter(|_| is_known);
    let missing = wanted.filter(|wwid| !maps.contains(wwid.as_str()));
    for (wwid, absence) in absent(missing, &here.inputs, &here.wwids_file) {
        let cause = match absence {
            Some(absence) => Cause::Absent(absence),
            None if is_down => continue,
            None => Cause::Unexplained,
        };
        found.about(node, Severity::Error, cause, Some(&wwid));
    }
    for (wwid, by) in past_maps(&here.inputs) {
        if facts.lun.as_ref().is_none_or(|lun| *lun == wwid) {
            found.about(node, Severity::Error, Cause::PastMap { by }, Some(&wwid));
        }
    }
    if let Some((maps, risk)) = &here.boot {
        for wwid in maps {
            found.about(
                node,
                Severity::Warning,
                Cause::Boot(risk.clone()),
                Some(wwid),
            );
        }
    }
}
