//! The maps of one node, as `multipathd show maps json` prints them.
//!
//! [`parse`] reads that text, [`parse_reply`] the outcome of the whole command, including the
//! daemon's error replies. The format is that of multipath-tools 0.9 to 0.15: its `major_version`
//! has been 0 in every release, and a version leaves out the fields that it does not know.
//!
//! Each module uses only those below it: `reply`, `parse`, `json` and `layout` (the two ways to read
//! the text), `fields` (from printed fields to a [`Map`]), `notes`, `sysfs`, `error`, `state`.
//! `in_use` stands alone.

mod error;
mod fields;
mod in_use;
mod json;
mod layout;
mod notes;
mod parse;
mod reply;
mod state;
mod sysfs;

use serde::Serialize;

use crate::types::reason::{Device, MAX_DEVICES};
use crate::{Health, Note, NoteCode, Reason, Transport, Wwid};

pub use crate::types::daemon::DaemonState;
pub use error::{MapError, ParseError, SkippedMap};
pub use in_use::{InUse, UnexpectedLine, in_use};
pub use parse::{MAX_TEXT_LEN, MapList, parse};
pub use reply::{Reply, ReplyError, daemon_state, parse_reply, wanted_devices};
pub use state::{CheckerState, DeviceState, GroupState, MapState, MarginalState, PathState};
pub(crate) use sysfs::SECTOR_BYTES;
pub use sysfs::{SysfsFacts, WantedDevices};

/// One assembled multipath device on a node.
///
/// Serialized under the names that the Perl interface documents. A field without a value is left
/// out. Texts are as multipathd printed them, except that its markers for "no value" (`[undef]`,
/// `##`, ...) count as none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Map {
    /// Identifier of the LUN.
    pub wwid: Wwid,
    /// Name below `/dev/mapper`, local to the node: an alias, `mpatha`, or the WWID.
    pub name: String,
    /// Kernel name of the map, `dm-N`, or `undef`.
    pub sysfs: String,
    /// State of the device-mapper device.
    pub dm_state: MapState,
    /// Number of paths in all groups.
    pub paths_total: usize,
    /// Number of paths that device-mapper has in state `active`.
    pub paths_active: usize,
    /// Derived from the numbers of paths, see [`Health::from_paths`] and [`Map::expect`].
    pub health: Health,
    /// Why the map is not optimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Observations that do not change the health.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Number of paths that there should be, where it is known; see [`Map::expect`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_expected: Option<u32>,
    /// The map's paths, by group.
    pub path_groups: Vec<PathGroup>,
    /// The transport, if all paths with a known one agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Vendor that the array reports (SCSI INQUIRY), trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Product that the array reports, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Firmware revision that the array reports, trimmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What happens to I/O while no path is left: `on`, `off`, `12 chk` (for that many checks),
    /// `22 sec` (retries are running, with that many seconds left).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queueing: Option<String>,
    /// When a preferred path group is used again: `immediate`, `manual`, `followover`, or a number of
    /// seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failback: Option<String>,
    /// Features of the device-mapper table, such as `1 queue_if_no_path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Hardware handler of the device-mapper table, such as `1 alua`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_handler: Option<String>,
    /// Whether the device is read-only (1) or not (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_protected: Option<u8>,
    /// Path failures since multipathd started to monitor the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_faults: Option<u32>,
    /// Switches to another path group since multipathd started to monitor the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_switches: Option<u32>,
    /// Loads of the map's table since multipathd started to monitor it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_loads: Option<u32>,
    /// Seconds during which I/O was queued because no path was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_seconds: Option<u32>,
    /// How often queueing ended because it took too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeouts: Option<u32>,
    /// Size in bytes, from sysfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Link below `/dev/disk/by-id`, if the map was completed from sysfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether something on this node holds the map open (1) or not (0), from sysfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u8>,
}

/// Paths that are used together.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PathGroup {
    /// Number of the group, from 1.
    pub group: u32,
    /// State of the group.
    pub dm_state: GroupState,
    /// Priority of the group, -1 if no usable path has one.
    pub priority: i32,
    /// Path selector, such as `service-time 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Whether the group holds marginal paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginal_state: Option<MarginalState>,
    /// The group's paths.
    pub paths: Vec<Path>,
}

/// One block device below a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Path {
    /// Kernel name, such as `sdb`, local to the node.
    pub dev: String,
    /// Device number, such as `8:16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_number: Option<String>,
    /// Whether device-mapper uses the path. The health goes by this state alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_state: Option<PathState>,
    /// State of the block device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_state: Option<DeviceState>,
    /// The last result of the path checker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_state: Option<CheckerState>,
    /// Name of the path checker, such as `tur`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checker: Option<String>,
    /// Priority; -1 if there is none. A failed path keeps its last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// How the path reaches the LUN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Fibre Channel: node name of the HBA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_wwnn: Option<String>,
    /// Fibre Channel: port name of the HBA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_wwpn: Option<String>,
    /// Fibre Channel: node name of the target; iSCSI: its IQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_wwnn: Option<String>,
    /// Fibre Channel: port name of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_wwpn: Option<String>,
    /// PCI address of the HBA; iSCSI: the initiator's IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_adapter: Option<String>,
    /// Number of the LUN: `0x` and 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lun: Option<String>,
    /// Whether the path fails now and then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginal_state: Option<MarginalState>,
}

/// How many paths a map should have, and where the number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedPaths {
    /// The administrator set `expected-paths` in `multipath.cfg`.
    Configured(u32),
    /// The node remembers the number, see [`paths`](crate::node::paths).
    Remembered(u32),
}

impl Path {
    /// Whether device-mapper uses the path.
    pub fn is_active(&self) -> bool {
        self.dm_state == Some(PathState::Active)
    }
}

impl Map {
    /// All paths of the map, in the order of its groups.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.path_groups.iter().flat_map(|group| &group.paths)
    }

    /// The paths that device-mapper uses.
    fn active(&self) -> impl Iterator<Item = &Path> {
        self.paths().filter(|path| path.is_active())
    }

    /// Derives what follows from the paths and their states: their numbers, the health and its
    /// reasons, the notes, and the transport.
    fn derive(&mut self) {
        self.paths_total = self.paths().count();
        self.paths_active = self.active().count();
        self.health = Health::from_paths(self.paths_active, self.paths_total);
        self.reasons = self.health_reasons();
        self.notes = self.state_notes();
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
                        .filter_map(|path| Device::new(&path.dev))
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

    /// Sets how many paths there should be. With fewer, redundancy is lost although no path failed,
    /// so an optimal map becomes degraded. More than the administrator configured are only noted.
    ///
    /// To be called once, on a map as it was parsed.
    pub fn expect(&mut self, expected: ExpectedPaths) {
        let (ExpectedPaths::Configured(number) | ExpectedPaths::Remembered(number)) = expected;
        let present = u32::try_from(self.paths_total).unwrap_or(u32::MAX);
        self.paths_expected = Some(number);
        if present < number {
            self.health = self.health.max(Health::Degraded);
            self.reasons.push(Reason::PathGone {
                present,
                expected: number,
            });
        }
        if present > number && expected == ExpectedPaths::Configured(number) {
            let code = NoteCode::MorePathsThanConfigured;
            self.notes.push(Note::configured(code, number));
        }
    }
}
