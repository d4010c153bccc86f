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
//!
//! Two things on a node make multipathd remove maps when it reads its configuration: an alias that is
//! the name of another device, and paths of different sizes. The first is not given to it
//! ([`TakenAlias`]), because of the second it is not told to read ([`Plan::held_back`]).

mod aliases;
mod allow_list;
mod devices;
mod diff;
mod drop_ins;
mod reading;
mod record;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use aliases::{AliasReason, TakenAlias};
pub use allow_list::{Action, Reason, Step};
pub use devices::{Devices, Disk, Mapped, Uneven};
pub use diff::diff;
pub use drop_ins::{DropIn, DropInAction, DropInReason, DropInStep};
pub use reading::{Certainty, Reading, SETTLED_AFTER};
pub use record::{InvalidRecord, Progress, Record};

use crate::Wwid;
use crate::config::settings::Settings;
use crate::config::{self, Config};
pub use crate::node::Content;
use crate::node::maps::InUse;
use crate::node::wwids_file::entries;
use crate::types::tools_version::ToolsVersion;

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

/// Which maps are in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// Nobody has looked.
    #[default]
    NotAsked,
    /// These.
    Known(InUse),
    /// It cannot be found out, for this reason.
    Unknown(String),
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
    /// Its block devices.
    pub devices: Devices,
    /// Which of its maps are in use.
    pub usage: Usage,
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

/// Something about the node that the plan depends on, and that takes some effort to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// [`Devices::disks`], and of the others what they are made of.
    Disks,
    /// [`Node::usage`].
    Usage,
}

/// The steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Whether the cluster has a configuration: a LUN, a default, or overrides.
    pub configured: bool,
    /// The drop-ins that are to be changed, or would be.
    pub drop_ins: Vec<DropInStep>,
    /// The WWIDs that are to be added or removed, or would be, sorted.
    pub wwids: Vec<Step>,
    /// The aliases that LUNs do not get on this node.
    pub taken_aliases: Vec<TakenAlias>,
    /// Whether there is a record that cannot be read or understood: it must not be replaced.
    pub record_unreadable: bool,
    /// Whether something waits until it is known that the cluster's files are saved. Reading them once
    /// more, [`SETTLED_AFTER`] seconds later, tells.
    pub unconfirmed: bool,
    /// Whether multipathd has to read its configuration again, if it runs.
    pub reconfigure: bool,
    /// The maps whose paths have different sizes, if a reconfigure is due.
    pub uneven: Vec<Uneven>,
    /// Why multipathd must not read its configuration now, although that is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    /// The LUNs that have paths and no map, and get one by `multipathd add map` meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maps_to_add: Vec<Wwid>,
    /// Whether there is anything to do now.
    pub changes: bool,
    /// What an administrator has to see to. The rest is done nevertheless.
    pub errors: Vec<String>,
    /// What has to be found out for the plan to be complete.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub questions: BTreeSet<Question>,
}

/// Most maps that the reason for holding back names.
const MAX_MAPS: usize = 3;

/// Plans what applying the configuration and the administrator's overrides would do on a node.
pub fn plan(cluster: &Cluster<'_>, node: &Node<'_>) -> Plan {
    let config = cluster.config;
    let overrides = crate::multipath_conf::trimmed(cluster.overrides);
    let configured = !config.is_empty() || !overrides.is_empty();
    let mut plan = Plan {
        configured,
        ..Plan::default()
    };

    let all_luns = config::luns(config);
    let mut luns = Cow::Borrowed(&all_luns);
    plan.taken_aliases = aliases::taken(&all_luns, node);
    for alias in &plan.taken_aliases {
        plan.errors.extend(alias.error());
        if let Some(settings) = luns.to_mut().get_mut(&alias.wwid) {
            settings.remove("alias");
        }
    }
    let wanted = drop_ins::Wanted {
        configured,
        defaults: &config::effective_defaults(config),
        luns: &luns,
        all_luns: &all_luns,
        overrides: &overrides,
        cluster,
    };
    plan.drop_ins = drop_ins::steps(&wanted, node, &mut plan.errors);
    let record = record::read(&node.record)
        .map_err(|err| plan.errors.push(err))
        .ok();
    plan.record_unreadable = record.is_none();
    let listed = all_luns.keys().collect();
    plan.wwids = allow_list::steps(cluster, listed, record.as_ref(), node, &mut plan.errors);

    plan.reconfigure = plan.needs_reconfigure(node);
    if plan.reconfigure {
        plan.look_at_sizes(&all_luns, node);
        plan.reconfigure = plan.needs_reconfigure(node);
    }
    plan.changes = plan.has_steps(node);
    plan.unconfirmed = plan
        .drop_ins
        .iter()
        .any(|step| step.reason == DropInReason::Unconfirmed)
        || plan
            .wwids
            .iter()
            .any(|step| step.reason == Reason::Unconfirmed);
    plan.look_at_usage(node);
    plan
}

impl Plan {
    /// What is done about a WWID.
    fn action(&self, wwid: &Wwid) -> Option<Action> {
        let by_wwid = |step: &Step| step.wwid.cmp(wwid);
        let position = self.wwids.binary_search_by(by_wwid).ok()?;
        self.wwids.get(position).map(|step| step.action)
    }

    fn needs_reconfigure(&self, node: &Node<'_>) -> bool {
        let is_write = |step: &Step| matches!(step.action, Action::Add | Action::Remove);
        let is_change = |step: &DropInStep| step.action != DropInAction::Keep;
        node.reconfigure_due
            || self.drop_ins.iter().any(is_change)
            || self.wwids.iter().any(is_write)
    }

    fn has_steps(&self, node: &Node<'_>) -> bool {
        let is_due = match self.held_back {
            None => node.reconfigure_due,
            Some(_) => !self.maps_to_add.is_empty(),
        };
        is_due
            || self
                .drop_ins
                .iter()
                .any(|step| step.action != DropInAction::Keep)
            || self.wwids.iter().any(|step| step.action != Action::Keep)
    }

    /// Holds back what makes multipathd read its configuration, if it would remove maps then that
    /// nobody wants to be removed.
    fn look_at_sizes(&mut self, luns: &BTreeMap<Wwid, Settings>, node: &Node<'_>) {
        if node.devices.disks.is_none() {
            self.questions.insert(Question::Disks);
            return;
        }
        self.uneven = node.devices.uneven();
        for map in &mut self.uneven {
            if let Usage::Known(used) = &node.usage {
                map.used = Some(used.held.contains(&map.wwid));
            }
        }

        // Maps of what is not on the node's allow-list are removed in any case.
        let listed: Option<BTreeSet<&[u8]>> = match &node.wwids {
            Content::Absent => Some(BTreeSet::new()),
            Content::Text(text) => Some(entries(text).map(|entry| entry.wwid).collect()),
            Content::Unreadable(_) => None,
        };
        let is_listed = |wwid: &Wwid| match self.action(wwid) {
            Some(Action::Add) => true,
            Some(Action::Remove) => false,
            _ => listed
                .as_ref()
                .is_none_or(|listed| listed.contains(wwid.as_str().as_bytes())),
        };
        let is_kept = |map: &&Uneven| map.used != Some(true) && is_listed(&map.wwid);
        let kept: Vec<&Uneven> = self.uneven.iter().filter(is_kept).collect();
        if kept.is_empty() {
            return;
        }
        let mut maps: Vec<String> = kept
            .iter()
            .take(MAX_MAPS)
            .map(|map| map.describe())
            .collect();
        if kept.len() > MAX_MAPS {
            maps.push(format!("and {} more", kept.len() - MAX_MAPS));
        }
        let without_map = node.devices.without_map(luns.keys());
        self.maps_to_add = without_map
            .filter(|wwid| is_listed(wwid))
            .cloned()
            .collect();
        self.held_back = Some(format!(
            "multipathd is not told to read its configuration for now: it would remove maps that are \
            not in use, since their paths have different sizes: {}; rescan these paths, or delete those \
            that are dead",
            maps.join(", ")
        ));
        for step in &mut self.wwids {
            if step.action == Action::Remove {
                (step.action, step.reason) = (Action::Keep, Reason::ReconfigureWaits);
            }
        }
    }

    /// Asks for the usage of maps where something depends on it.
    fn look_at_usage(&mut self, node: &Node<'_>) {
        let is_unknown = |step: &Step| step.reason == Reason::UseUnknown;
        if !self.wwids.iter().any(is_unknown) && self.held_back.is_none() {
            return;
        }
        match &node.usage {
            Usage::Known(_) => {}
            Usage::NotAsked => drop(self.questions.insert(Question::Usage)),
            Usage::Unknown(err) => {
                let error = format!("nobody knows which maps are in use: {err}");
                self.errors.push(error);
            }
        }
    }
}
