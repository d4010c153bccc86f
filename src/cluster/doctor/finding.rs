//! What keeps LUNs from being there, in sentences, with what helps.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::node::boot::BootRisk;
use crate::types::absence::Absence;
use crate::{NodeName, Severity, Wwid};

/// Most LUNs that a finding names; its count includes the others.
pub const MAX_LUNS: usize = 8;

/// Something that keeps LUNs from being there, or may at the next boot.
///
/// Serialized as `{ severity, code, text, help?, node?, luns?, count?, age?, since? }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The node that it is about; none for the cluster.
    pub node: Option<NodeName>,
    /// What it is.
    pub cause: Cause,
    /// The LUNs that it is about, at most [`MAX_LUNS`]; none if it is about the node.
    pub luns: Vec<Wwid>,
    /// How many LUNs it is about.
    pub count: usize,
    /// Whether LUNs are missing because of it.
    pub severity: Severity,
}

/// What may keep a LUN from being there. The order is that in which they are listed for a node: what explains
/// more comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The LUN is not on the cluster's allow-list.
    NotListed,
    /// Something that the examination needs could not be read.
    Unread(String),
    /// multipath-tools is not installed.
    NotInstalled,
    /// multipathd is not running.
    Stopped,
    /// multipathd does not answer.
    NoAnswer,
    /// The node is not online.
    Offline,
    /// The node has never sent a report.
    NeverReported,
    /// The node's last report is out of date.
    Stale {
        /// Its age in seconds, negative for the future.
        age: Option<i64>,
    },
    /// The node's report cannot be read.
    Unreadable(String),
    /// The node could not apply the configuration.
    ApplyFailed {
        /// What the node said.
        error: String,
        /// When, in seconds since the epoch.
        since: Option<i64>,
    },
    /// A part of the configuration cannot be applied.
    NotApplicable(String),
    /// The configuration has changes that are not applied.
    Pending,
    /// Another file of multipathd's configuration overrides a value.
    Drift(String),
    /// A LUN has no map, for this reason.
    Absent(Absence),
    /// Another node has no map of a LUN and does not say why.
    NoMap,
    /// The node sees a LUN, and multipathd should have made its map.
    Unexplained,
    /// A LUN has a map, and something uses a path past it.
    PastMap {
        /// What does.
        by: Absence,
    },
    /// The node may not find its root file system at the next boot.
    Boot(BootRisk),
}

impl Cause {
    /// Its code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotListed => "not-allow-listed",
            Self::Unread(_) => "not-read",
            Self::NotInstalled => "not-installed",
            Self::Stopped => "daemon-stopped",
            Self::NoAnswer => "daemon-silent",
            Self::Offline => "node-offline",
            Self::NeverReported => "no-report",
            Self::Stale { .. } => "reporter-stale",
            Self::Unreadable(_) => "bad-broadcast",
            Self::ApplyFailed { .. } => "apply-failed",
            Self::NotApplicable(_) => "not-applicable",
            Self::Pending => "not-applied",
            Self::Drift(_) => "drift",
            Self::Absent(absence) => absence.code(),
            Self::NoMap => "not-assembled",
            Self::Unexplained => "unexplained",
            Self::PastMap { .. } => "past-map",
            Self::Boot(BootRisk::NoHook) => "no-boot-package",
            Self::Boot(BootRisk::Changed { .. }) => "initramfs-outdated",
        }
    }

    /// What an administrator can do, with the command.
    fn help(&self, node: Option<&NodeName>, lun: Option<&Wwid>) -> Option<String> {
        let node = node.map_or("the node", NodeName::as_str);
        let lun = lun.map_or("LUN", Wwid::as_str);
        Some(match self {
            Self::NotListed => format!("pvemultipath wwid add {lun}"),
            Self::Unread(_) | Self::Offline => return None,
            Self::NotInstalled => "apt-get install multipath-tools".to_owned(),
            Self::Stopped => "systemctl enable --now multipathd".to_owned(),
            Self::NoAnswer => "journalctl --unit multipathd".to_owned(),
            Self::NeverReported | Self::Stale { .. } => format!(
                "on {node}: systemctl status pvemultipathd pvestatd (is the package installed there?)"
            ),
            Self::Unreadable(_) => format!("install the same version of the package on {node}"),
            Self::ApplyFailed { .. } | Self::NoMap => {
                let what = if *self == Self::NoMap {
                    "doctor"
                } else {
                    "apply"
                };
                format!("on {node}: pvemultipath {what}")
            }
            Self::NotApplicable(_) => "pvemultipath plan".to_owned(),
            Self::Pending => "pvemultipath apply".to_owned(),
            Self::Drift(_) => {
                "remove the value from the other file: grep -r KEYWORD /etc/multipath.conf \
                 /etc/multipath/conf.d"
                    .to_owned()
            }
            Self::Absent(absence) => absence.help(lun),
            Self::Unexplained => format!("multipathd add map {lun}; journalctl --unit multipathd"),
            Self::PastMap {
                by: Absence::Held {
                    group: Some(group), ..
                },
            } => format!("vgchange -an {group}; vgchange -ay {group}"),
            Self::PastMap { .. } => "stop what uses the path, and start it on the map".to_owned(),
            Self::Boot(BootRisk::NoHook) => "apt-get install multipath-tools-boot".to_owned(),
            Self::Boot(BootRisk::Changed { .. }) => "update-initramfs -u".to_owned(),
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed => f.write_str("not on the cluster's allow-list"),
            Self::Unread(error) => write!(f, "not examined: {error}"),
            Self::NotInstalled => f.write_str("multipath-tools is not installed"),
            Self::Stopped => f.write_str("multipathd is not running"),
            Self::NoAnswer => f.write_str("multipathd does not answer"),
            Self::Offline => f.write_str("the node is offline"),
            Self::NeverReported => f.write_str("the node has not sent a report"),
            Self::Stale { .. } => f.write_str("the last report of the node is out of date"),
            Self::Unreadable(detail) => {
                write!(f, "the report of the node cannot be read: {detail}")
            }
            Self::ApplyFailed { error, .. } => {
                write!(f, "the node could not apply the configuration: {error}")
            }
            Self::NotApplicable(error) => write!(f, "not applied: {error}"),
            Self::Pending => f.write_str("the configuration has changes that are not applied yet"),
            Self::Drift(what) => write!(f, "overridden by another file: {what}"),
            Self::Absent(absence) => absence.fmt(f),
            Self::NoMap => f.write_str("the node has no map"),
            Self::Unexplained => {
                f.write_str("no map, although multipathd has its paths and nothing forbids it")
            }
            Self::PastMap { by } => match by {
                Absence::Held { devs, by, group } => {
                    let devs: Vec<&str> = devs.iter().map(|dev| dev.as_str()).collect();
                    let devs = devs.join(", ");
                    match group {
                        Some(group) => write!(
                            f,
                            "volume group '{group}' is active on the path {devs} instead of the map: {by}"
                        ),
                        None => write!(f, "the path {devs} is used instead of the map: {by}"),
                    }
                }
                by => by.fmt(f),
            },
            Self::Boot(BootRisk::NoHook) => f.write_str(
                "the root file system is on this map, and the initramfs does not know multipath: \
                 multipath-tools-boot is not installed",
            ),
            Self::Boot(BootRisk::Changed { file }) => write!(
                f,
                "the root file system is on this map, and {file} has changed since the initramfs of \
                 the running kernel was made"
            ),
        }
    }
}

impl Absence {
    /// Its code, as it is serialized.
    fn code(&self) -> &'static str {
        match self {
            Self::NotVisible => "not-visible",
            Self::OtherWwid { .. } => "other-wwid",
            Self::Blacklisted { .. } => "blacklisted",
            Self::MissingProperty => "missing-property",
            Self::NoWwid { .. } => "no-wwid",
            Self::NotMonitored => "not-monitored",
            Self::NativeNvme => "native-nvme",
            Self::Held { .. } => "held",
            Self::NotInWwidsFile => "not-in-wwids-file",
            Self::AliasTaken { .. } => "alias-taken",
            Self::PathsOffline { .. } => "paths-offline",
        }
    }

    fn help(&self, lun: &str) -> String {
        match self {
            Self::NotVisible => {
                "check the zoning, the mapping on the array and the login (iscsiadm -m session), then scan: \
                 for host in /sys/class/scsi_host/host*; do echo '- - -' >$host/scan; done"
            }
            Self::OtherWwid { wwid } => {
                return format!("pvemultipath wwid remove {lun}; pvemultipath wwid add {wwid}");
            }
            Self::Blacklisted { .. } | Self::MissingProperty => {
                "remove the rule, or add the LUN to blacklist_exceptions in \
                 /etc/pve/multipath-overrides.conf; then multipathd reconfigure"
            }
            Self::NoWwid { .. } => "bring a path back (cables, switch, array), then multipathd reconfigure",
            Self::NotMonitored => "multipathd reconfigure; journalctl --unit multipathd",
            Self::NativeNvme => "boot with nvme_core.multipath=N, or use the LUN without multipathd",
            Self::Held { .. } => {
                return format!(
                    "stop what uses the path (vgchange -an VG, mdadm --stop DEVICE, umount), then \
                     multipathd add map {lun}"
                );
            }
            Self::NotInWwidsFile => "pvemultipath apply",
            Self::AliasTaken { .. } => return format!("pvemultipath wwid set {lun} --alias ALIAS"),
            Self::PathsOffline { .. } => "bring a path back: check cables, switch and array",
        }
        .to_owned()
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("severity", &self.severity)?;
        map.serialize_entry("code", self.cause.code())?;
        map.serialize_entry("text", &self.cause.to_string())?;
        if let Some(help) = self.cause.help(self.node.as_ref(), self.luns.first()) {
            map.serialize_entry("help", &help)?;
        }
        if let Some(node) = &self.node {
            map.serialize_entry("node", node)?;
        }
        if !self.luns.is_empty() {
            map.serialize_entry("luns", &self.luns)?;
            map.serialize_entry("count", &self.count)?;
        }
        match &self.cause {
            Cause::Stale { age: Some(age) } => map.serialize_entry("age", age)?,
            Cause::ApplyFailed {
                since: Some(since), ..
            } => map.serialize_entry("since", since)?,
            _ => {}
        }
        map.end()
    }
}
