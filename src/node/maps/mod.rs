//! The maps of one node: what `multipathd show maps json` answers.
//!
//! [`parse`] reads the text, [`parse_reply`] the whole outcome of the command with the daemon's
//! error replies. The format is that of multipath-tools 0.9 to 0.15: its `major_version` has been
//! 0 in every release, and fields that a version does not know are absent.

mod device_state;
mod expected;
mod in_use;
mod json;
mod layout;
mod reply;
mod single_points;
mod sysfs;

use std::borrow::Cow;

use serde::Serialize;

use crate::types::reason::{Device, MAX_DEVICES};
use crate::{Health, Note, Reason, Transport, Wwid};

pub use expected::{expect_paths, node_maps};
pub use in_use::{InUse, OddAnswer, in_use};
pub use json::{MAX_TEXT_LEN, OddMap, ParseError, ParseErrorKind, Parsed, Problem, parse};
pub use reply::{DaemonState, Reply, ReplyError, daemon_state, devices, parse_reply};
pub use sysfs::{BlockDevices, Devices};

/// One assembled multipath device on a node.
///
/// Serialized with the names and in the form that Perl's callers know; what has no value is left
/// out. Texts are as multipathd printed them, its markers for "no value" aside.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Map<'a> {
    /// Identifier of the LUN.
    pub wwid: Wwid,
    /// Name below `/dev/mapper`, local to the node: an alias, `mpatha`, or the WWID.
    pub name: Cow<'a, str>,
    /// Kernel name of the map, `dm-N`, or `undef`.
    pub sysfs: Cow<'a, str>,
    /// State of the device-mapper device: `active`, `suspend` or `undef`.
    pub dm_state: Cow<'a, str>,
    /// Number of paths over all groups.
    pub paths_total: usize,
    /// Number of paths that device-mapper has in state `active`.
    pub paths_active: usize,
    /// Derived from the numbers of paths, see [`Health::from_paths`] and [`Map::expect`].
    pub health: Health,
    /// Why the map is not optimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is worth knowing beside the state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note<'a>>,
    /// Number of paths that there should be, as far as it is known; see [`Map::expect`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_expected: Option<u32>,
    /// The map's paths, by group.
    pub path_groups: Vec<PathGroup<'a>>,
    /// Transport, if all paths that have one agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Vendor that the array reports (SCSI INQUIRY), trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Cow<'a, str>>,
    /// Product that the array reports, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Cow<'a, str>>,
    /// Firmware revision that the array reports, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Cow<'a, str>>,
    /// What happens to I/O while no path is left: `on`, `off`, `12 chk` (that many checks),
    /// `22 sec` (retries are running, that many seconds left).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queueing: Option<Cow<'a, str>>,
    /// When a preferred path group is used again: `immediate`, `manual`, `followover`, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failback: Option<Cow<'a, str>>,
    /// Features of the device-mapper table, such as `1 queue_if_no_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Cow<'a, str>>,
    /// Hardware handler of the device-mapper table, such as `1 alua`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_handler: Option<Cow<'a, str>>,
    /// Whether the device is read-only (1) or not (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_protected: Option<u8>,
    /// Path failures since multipathd knows the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_faults: Option<u32>,
    /// Switches of the path group since multipathd knows the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_switches: Option<u32>,
    /// Loads of the map's table since multipathd knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_loads: Option<u32>,
    /// Seconds that I/O was queued for lack of a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_seconds: Option<u32>,
    /// How often queueing ended by its time-out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeouts: Option<u32>,
    /// Size in bytes, from sysfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Link below `/dev/disk/by-id`, where the block devices were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether something holds the map open on this node (1) or not (0), from sysfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u8>,
}

/// A group of paths that are used together.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PathGroup<'a> {
    /// Number of the group, from 1.
    pub group: u32,
    /// `active` (in use), `enabled` (ready to be), `disabled` or `undef`.
    pub dm_state: Cow<'a, str>,
    /// Priority of the group, -1 if no usable path has one.
    pub priority: i32,
    /// Path selector, such as `service-time 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Cow<'a, str>>,
    /// `marginal` where the group holds paths that are used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginal_state: Option<Cow<'a, str>>,
    /// The group's paths.
    pub paths: Vec<Path<'a>>,
}

/// One block device below a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Path<'a> {
    /// Kernel name, such as `sdb`, local to the node.
    pub dev: Cow<'a, str>,
    /// Device number, such as `8:16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_number: Option<Cow<'a, str>>,
    /// State that device-mapper has of the path: `active` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_state: Option<Cow<'a, str>>,
    /// State of the block device: `running`, `offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_state: Option<Cow<'a, str>>,
    /// What the path checker found last: `ready`, `ghost`, `faulty`, ...; it lags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_state: Option<Cow<'a, str>>,
    /// Name of the path checker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checker: Option<Cow<'a, str>>,
    /// Priority; -1 if there is none. A failed path keeps its last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// How the path reaches the LUN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Fibre Channel: node name of the HBA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_wwnn: Option<Cow<'a, str>>,
    /// Fibre Channel: port name of the HBA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_wwpn: Option<Cow<'a, str>>,
    /// Fibre Channel: node name of the target; iSCSI: its IQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_wwnn: Option<Cow<'a, str>>,
    /// Fibre Channel: port name of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_wwpn: Option<Cow<'a, str>>,
    /// PCI address of the HBA; iSCSI: the initiator's IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_adapter: Option<Cow<'a, str>>,
    /// Number of the LUN, `0x` and 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lun: Option<Cow<'a, str>>,
    /// `marginal` where the path fails now and then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginal_state: Option<Cow<'a, str>>,
}

impl Path<'_> {
    /// Whether device-mapper uses the path.
    pub fn is_active(&self) -> bool {
        self.dm_state.as_deref() == Some("active")
    }
}

impl<'a> Map<'a> {
    /// All paths of the map, in the order of its groups.
    pub fn paths(&self) -> impl Iterator<Item = &Path<'a>> {
        self.path_groups.iter().flat_map(|group| &group.paths)
    }

    /// The paths that device-mapper uses.
    fn active(&self) -> impl Iterator<Item = &Path<'a>> {
        self.paths().filter(|path| path.is_active())
    }

    /// Derives what follows from the paths and their states: their numbers, the health and its
    /// reasons, the notes, and the transport.
    fn derive(&mut self) {
        self.paths_total = self.paths().count();
        self.paths_active = self.paths().filter(|path| path.is_active()).count();
        self.health = Health::from_paths(self.paths_active, self.paths_total);
        self.reasons = self.health_reasons();
        self.notes = self.device_state_notes();
        self.notes.extend(self.single_points_of_failure());
        self.transport = self.common_transport();
    }

    fn health_reasons(&self) -> Vec<Reason> {
        let count = |number: usize| u32::try_from(number).ok();
        let reason = match self.health {
            Health::Optimal => return Vec::new(),
            Health::Failed if self.paths_total == 0 => Reason::NoPaths,
            Health::Failed => Reason::AllPathsFailed {
                count: count(self.paths_total),
            },
            Health::Degraded => {
                let failed = self.paths().filter(|path| !path.is_active());
                Reason::PathFailed {
                    count: count(self.paths_total.saturating_sub(self.paths_active)),
                    devs: failed
                        .filter_map(|p| Device::new(&p.dev))
                        .take(MAX_DEVICES)
                        .collect(),
                }
            }
        };
        vec![reason]
    }

    fn common_transport(&self) -> Option<Transport> {
        let mut known = self.paths().filter_map(|path| path.transport);
        let first = known.next()?;
        known.all(|transport| transport == first).then_some(first)
    }
}
