//! What applying the configuration on a node would do.
//!
//! [`plan`] compares what the cluster wants with what the node has, and lists every step with its
//! reason; what is in line already is not listed. Carrying out exactly these steps, being interrupted at
//! any point, and planning again leads to the same node:
//!
//! - a file is written or removed as a whole;
//! - before each change of the WWIDs file, the [`Record`] tells what may have happened ([`Progress`]),
//!   so only entries that Proxmox VE added are ever removed;
//! - what cannot be read or is not understood is left alone;
//! - nothing is taken away because of a file of the cluster that may be in the middle of being saved
//!   ([`Certainty`]);
//! - [`Node::reconfigure_due`] remembers that multipathd has yet to read its configuration.
//!
//! Two conditions make multipathd remove maps when it reads its configuration: an alias that is the name
//! of another device, and paths of different sizes. Such an alias is kept from it ([`TakenAlias`]), and
//! while there are such paths, it is not told to read its configuration ([`Plan::held_back`]).

mod aliases;
mod certainty;
mod devices;
mod diff;
mod drop_ins;
mod outlook;
mod record;
mod wwids;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use aliases::{AliasReason, TakenAlias};
pub use certainty::{Certainty, Reading, SETTLED_AFTER};
pub use devices::{Devices, Disk, Mapped, Uneven};
pub use diff::diff;
pub use drop_ins::{DropIn, DropInAction, DropInReason, DropInStep};
pub use outlook::{Hidden, Outlook, Rename, Vanishing};
pub use record::{InvalidRecord, Progress, Record};
pub use wwids::{WwidAction, WwidReason, WwidStep};

use crate::Wwid;
use crate::config::settings::Settings;
use crate::config::{self, Config};
use crate::multipath_conf::blacklisted::File;
pub use crate::node::Content;
use crate::node::maps::InUse;
use crate::node::wwids_file::parse_wwids;
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
    /// Files that are known to be saved.
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
    /// Not looked up yet.
    #[default]
    NotAsked,
    /// These maps are in use.
    Known(InUse),
    /// It could not be found out, for this reason.
    Unknown(String),
}

/// The files of multipathd's configuration that are not ours.
#[derive(Clone, Debug, Default)]
pub enum Others<'a> {
    /// Not looked up yet.
    #[default]
    NotAsked,
    /// `/etc/multipath.conf` and the files in `/etc/multipath/conf.d`, with these paths as names.
    Known(Vec<File<'a>>),
    /// They could not be read, for this reason.
    Unknown(String),
}

/// What the node has.
#[derive(Clone, Debug, Default)]
pub struct Node<'a> {
    /// The drop-ins that are there.
    pub drop_ins: BTreeMap<DropIn, Content<'a>>,
    /// `/etc/multipath/wwids`.
    pub wwids: Content<'a>,
    /// The record of the entries that Proxmox VE has added to it.
    pub record: Content<'a>,
    /// Its block devices.
    pub devices: Devices,
    /// Which of its maps are in use.
    pub usage: Usage,
    /// The same at least two seconds later. udev and LVM open new and changed devices for a moment.
    pub usage_again: Usage,
    /// The other files of multipathd's configuration.
    pub others: Others<'a>,
    /// The version of multipath-tools, if known.
    pub version: Option<ToolsVersion>,
    /// Whether something has changed since multipathd read its configuration.
    pub reconfigure_due: bool,
}

impl<'a> Node<'a> {
    fn drop_in(&self, file: DropIn) -> &Content<'a> {
        self.drop_ins.get(&file).unwrap_or(&Content::Absent)
    }

    /// Whether the LUN's map is in use by something that lasts; none if that is unknown.
    fn is_held(&self, wwid: &Wwid) -> Option<bool> {
        let Usage::Known(used) = &self.usage else {
            return None;
        };
        let is_held = used.held.contains(wwid);
        match &self.usage_again {
            Usage::Known(again) => Some(is_held && again.held.contains(wwid)),
            Usage::Unknown(_) if is_held => None,
            Usage::NotAsked | Usage::Unknown(_) => Some(is_held),
        }
    }
}

/// Something about the node that the plan depends on, and that is expensive to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// [`Devices::disks`], and the slaves of the mapped devices.
    Disks,
    /// [`Node::usage`].
    Usage,
    /// [`Node::usage_again`].
    UsageAgain,
    /// [`Node::others`].
    Others,
}

/// The steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Whether the cluster has a configuration: a LUN, a default, or overrides.
    pub configured: bool,
    /// The drop-ins that change, or would change but for the step's reason.
    pub drop_ins: Vec<DropInStep>,
    /// The WWIDs that are added or removed, or would be but for the step's reason; sorted.
    pub wwids: Vec<WwidStep>,
    /// The aliases that LUNs do not get on this node.
    pub taken_aliases: Vec<TakenAlias>,
    /// Whether the record cannot be read or understood. Then it must not be replaced.
    pub record_unreadable: bool,
    /// Whether a step waits until the cluster's files are known to be saved, which reading them again
    /// after [`SETTLED_AFTER`] seconds tells.
    pub unconfirmed: bool,
    /// Whether multipathd has to read its configuration again, if it is running.
    pub reconfigure: bool,
    /// The maps whose paths have different sizes, if a reconfigure is due.
    pub uneven: Vec<Uneven>,
    /// Why multipathd must not read its configuration now, although a reconfigure is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    /// The LUNs with paths but without a map, to which `multipathd add map` gives one meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maps_to_add: Vec<Wwid>,
    /// What multipathd will do beside that, if a reconfigure is due.
    #[serde(flatten)]
    pub outlook: Outlook,
    /// Whether there is anything to do now.
    pub changes: bool,
    /// Problems for an administrator to solve. The other steps are carried out nevertheless.
    pub errors: Vec<String>,
    /// What has to be looked up for the plan to be complete.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub questions: BTreeSet<Question>,
}

/// Most maps that [`Plan::held_back`] names.
const MAX_MAPS: usize = 3;

/// Plans what applying the configuration and the administrator's overrides would do on a node.
///
/// If [`Plan::questions`] is not empty, the caller looks that up, adds it to `node` and plans again.
///
/// ```
/// use pve_multipath::config;
/// use pve_multipath::node::plan::{Cluster, Content, DropIn, Node, WwidAction, plan};
///
/// let parsed = config::parse("multipath.cfg", b"wwid: 3600a\n\talias san-a\n");
/// let node = Node {
///     wwids: Content::Text(b"/3600b/\n"),
///     ..Node::default()
/// };
/// let plan = plan(&Cluster::settled(&parsed.config, b""), &node);
/// let files: Vec<_> = plan.drop_ins.iter().map(|step| step.file).collect();
/// assert_eq!(files, [DropIn::Defaults, DropIn::Aliases]);
/// // The entry of 3600b is not ours, and stays.
/// let wwids: Vec<_> = plan.wwids.iter().map(|step| (step.wwid.as_str(), step.action)).collect();
/// assert_eq!(wwids, [("3600a", WwidAction::Add)]);
/// ```
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
    plan.wwids = wwids::steps(cluster, listed, record.as_ref(), node, &mut plan.errors);

    plan.reconfigure = plan.needs_reconfigure(node);
    if plan.reconfigure {
        plan.look_at_sizes(&all_luns, node);
        plan.reconfigure = plan.needs_reconfigure(node);
        plan.look_ahead(&wanted, node);
    }
    plan.changes = plan.has_steps(node);
    plan.unconfirmed = plan
        .drop_ins
        .iter()
        .any(|step| step.reason == DropInReason::Unconfirmed)
        || plan
            .wwids
            .iter()
            .any(|step| step.reason == WwidReason::Unconfirmed);
    plan.look_at_usage(node);
    plan
}

impl Plan {
    /// What is done about a WWID.
    fn action(&self, wwid: &Wwid) -> Option<WwidAction> {
        let by_wwid = |step: &WwidStep| step.wwid.cmp(wwid);
        let position = self.wwids.binary_search_by(by_wwid).ok()?;
        self.wwids.get(position).map(|step| step.action)
    }

    fn needs_reconfigure(&self, node: &Node<'_>) -> bool {
        let is_write =
            |step: &WwidStep| matches!(step.action, WwidAction::Add | WwidAction::Remove);
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
            || self
                .wwids
                .iter()
                .any(|step| step.action != WwidAction::Keep)
    }

    /// Holds back the reconfigure, and what needs one, if it would remove maps that should stay.
    fn look_at_sizes(&mut self, luns: &BTreeMap<Wwid, Settings>, node: &Node<'_>) {
        if node.devices.disks.is_none() {
            self.questions.insert(Question::Disks);
            return;
        }
        self.uneven = node.devices.uneven();
        for map in &mut self.uneven {
            map.used = node.is_held(&map.wwid);
        }

        // Maps of LUNs that are not in the WWIDs file are removed in any case.
        let listed: Option<BTreeSet<&[u8]>> = match &node.wwids {
            Content::Absent => Some(BTreeSet::new()),
            Content::Text(text) => Some(parse_wwids(text).into_iter().collect()),
            Content::Unreadable(_) => None,
        };
        let is_listed = |wwid: &Wwid| match self.action(wwid) {
            Some(WwidAction::Add) => true,
            Some(WwidAction::Remove) => false,
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
            if step.action == WwidAction::Remove {
                (step.action, step.reason) = (WwidAction::Keep, WwidReason::ReconfigureWaits);
            }
        }
    }

    /// Finds out what multipathd will do beside these steps.
    fn look_ahead(&mut self, wanted: &drop_ins::Wanted<'_>, node: &Node<'_>) {
        match &node.others {
            Others::NotAsked => drop(self.questions.insert(Question::Others)),
            Others::Known(others) => self.outlook = outlook::outlook(self, wanted, others, node),
            Others::Unknown(err) => self.errors.push(format!(
                "it is unknown what other files of multipathd's configuration set: {err}"
            )),
        }
    }

    /// Asks for the usage of maps if a step depends on it.
    fn look_at_usage(&mut self, node: &Node<'_>) {
        let is_used = |map: &Uneven| map.used == Some(true);
        if node.usage_again == Usage::NotAsked && self.uneven.iter().any(is_used) {
            self.questions.insert(Question::UsageAgain);
        }
        let is_unknown = |step: &WwidStep| step.reason == WwidReason::UseUnknown;
        if !self.wwids.iter().any(is_unknown) && self.held_back.is_none() {
            return;
        }
        match &node.usage {
            Usage::Known(_) => {}
            Usage::NotAsked => drop(self.questions.insert(Question::Usage)),
            Usage::Unknown(err) => {
                let error = format!("it is unknown which maps are in use: {err}");
                self.errors.push(error);
            }
        }
    }
}
