//! What applying the configuration on a node would do.
//!
//! [`plan`] compares what the cluster wants with what the node has and lists every step, with its
//! reason; what is in line already is not mentioned. Carrying out exactly these steps, whenever
//! that is interrupted, and planning again leads to the same node:
//!
//! - a file is written or removed as a whole;
//! - the [`Record`] tells before each change of the allow-list what may have happened
//!   ([`Progress`]), so only what Proxmox VE has added is ever removed;
//! - what cannot be read is left alone, and so is what was not understood;
//! - nothing is taken away because of a file of the cluster that may be about to be saved
//!   ([`Certainty`]);
//! - [`Node::reconfigure_due`] remembers that multipathd has yet to be told.

mod allow_list;
mod diff;
mod drop_ins;
mod reading;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use allow_list::{Action, Reason, Step};
pub use diff::diff;
pub use drop_ins::{DropIn, DropInAction, DropInReason, DropInStep};
pub use reading::{Certainty, Reading, SETTLED_AFTER};
pub use record::{InvalidRecord, Progress, Record};

use crate::Wwid;
use crate::config::{self, Config};
use crate::tools_version::ToolsVersion;

/// What the cluster wants.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// `multipath.cfg`.
    pub config: &'a Config<'a>,
    /// `multipath-overrides.conf`.
    pub overrides: &'a [u8],
    /// How certain the configuration is.
    pub config_is: Certainty,
    /// How certain the overrides are.
    pub overrides_are: Certainty,
}

impl<'a> Cluster<'a> {
    /// What is known to be saved.
    pub fn settled(config: &'a Config<'a>, overrides: &'a [u8]) -> Self {
        Self {
            config,
            overrides,
            config_is: Certainty::Settled,
            overrides_are: Certainty::Settled,
        }
    }
}

/// A file of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content<'a> {
    /// There is none.
    #[default]
    Absent,
    /// Its bytes.
    Text(&'a [u8]),
    /// It is there, but cannot be read, for this reason.
    Unreadable(String),
}

/// What the node has.
#[derive(Clone, Debug, Default)]
pub struct Node<'a> {
    /// The drop-ins that are there.
    pub drop_ins: BTreeMap<DropIn, Content<'a>>,
    /// `/etc/multipath/wwids`.
    pub wwids: Content<'a>,
    /// The record of what Proxmox VE has added to it.
    pub record: Content<'a>,
    /// WWIDs of the maps that are in use; none if nobody has looked.
    pub used: Option<BTreeSet<Wwid>>,
    /// The version of multipath-tools, if it is known.
    pub version: Option<ToolsVersion>,
    /// Whether something was changed since multipathd has read its configuration.
    pub reconfigure_due: bool,
}

impl<'a> Node<'a> {
    fn drop_in(&self, file: DropIn) -> &Content<'a> {
        self.drop_ins.get(&file).unwrap_or(&Content::Absent)
    }
}

/// The steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Whether the cluster has a configuration: a LUN, a default, or overrides.
    pub configured: bool,
    /// The drop-ins that are to be changed, or would be.
    pub drop_ins: Vec<DropInStep>,
    /// The WWIDs that are to be added or removed, or would be.
    pub wwids: Vec<Step>,
    /// Whether there is a record that cannot be read or understood: it must not be replaced.
    pub record_unreadable: bool,
    /// Whether something waits until it is known that the cluster's files are saved. Reading them once
    /// more, [`SETTLED_AFTER`] seconds later, tells.
    pub unconfirmed: bool,
    /// Whether multipathd has to read its configuration again, if it runs.
    pub reconfigure: bool,
    /// Whether there is anything to do.
    pub changes: bool,
    /// What an administrator has to see to. The rest is done nevertheless.
    pub errors: Vec<String>,
}

/// Plans what applying the configuration and the administrator's overrides would do on a node.
pub fn plan(cluster: &Cluster<'_>, node: &Node<'_>) -> Plan {
    let config = cluster.config;
    let overrides = crate::overrides::trimmed(cluster.overrides);
    let configured =
        !config.ids.is_empty() || !config.kept.blocks.is_empty() || !overrides.is_empty();
    let luns = config::luns(config);
    let mut plan = Plan {
        configured,
        ..Plan::default()
    };

    let wanted = drop_ins::Wanted {
        configured,
        defaults: &config::effective_defaults(config),
        luns: &luns,
        overrides: &overrides,
        cluster,
    };
    plan.drop_ins = drop_ins::steps(&wanted, node, &mut plan.errors);
    let record = record::read(&node.record)
        .map_err(|err| plan.errors.push(err))
        .ok();
    plan.record_unreadable = record.is_none();
    let listed = luns.keys().collect();
    plan.wwids = allow_list::steps(cluster, listed, record.as_ref(), node, &mut plan.errors);

    let is_write = |step: &Step| matches!(step.action, Action::Add | Action::Remove);
    plan.reconfigure = node.reconfigure_due
        || plan
            .drop_ins
            .iter()
            .any(|step| step.action != DropInAction::Keep)
        || plan.wwids.iter().any(is_write);
    plan.changes = plan.reconfigure || plan.wwids.iter().any(|step| step.action != Action::Keep);
    plan.unconfirmed = plan
        .drop_ins
        .iter()
        .any(|step| step.reason == DropInReason::Unconfirmed)
        || plan
            .wwids
            .iter()
            .any(|step| step.reason == Reason::Unconfirmed);
    plan
}
