//! multipathd's keywords, with the versions that know them (libmultipath/dict.c).

use crate::types::tools_version::ToolsVersion;

/// A section of multipath.conf, or an entry of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Section {
    /// Outside of all sections.
    Top,
    Defaults,
    Blacklist,
    BlacklistDevice,
    Exceptions,
    ExceptionsDevice,
    Devices,
    Device,
    Overrides,
    Protocol,
    Multipaths,
    Multipath,
}

impl Section {
    /// The name that opens it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Top => "top level",
            Self::Defaults => "defaults",
            Self::Blacklist => "blacklist",
            Self::Exceptions => "blacklist_exceptions",
            Self::BlacklistDevice | Self::ExceptionsDevice | Self::Device => "device",
            Self::Devices => "devices",
            Self::Overrides => "overrides",
            Self::Protocol => "protocol",
            Self::Multipaths => "multipaths",
            Self::Multipath => "multipath",
        }
    }

    /// The section of this name inside of this one.
    pub(super) fn inner(self, name: &[u8]) -> Option<Self> {
        Some(match (self, name) {
            (Self::Top, b"defaults") => Self::Defaults,
            (Self::Top, b"blacklist") => Self::Blacklist,
            (Self::Top, b"blacklist_exceptions") => Self::Exceptions,
            (Self::Top, b"devices") => Self::Devices,
            (Self::Top, b"overrides") => Self::Overrides,
            (Self::Top, b"multipaths") => Self::Multipaths,
            (Self::Blacklist, b"device") => Self::BlacklistDevice,
            (Self::Exceptions, b"device") => Self::ExceptionsDevice,
            (Self::Devices, b"device") => Self::Device,
            (Self::Overrides, b"protocol") => Self::Protocol,
            (Self::Multipaths, b"multipath") => Self::Multipath,
            _ => return None,
        })
    }

    /// Whether there may be several of it without a complaint.
    pub(super) fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::BlacklistDevice
                | Self::ExceptionsDevice
                | Self::Device
                | Self::Protocol
                | Self::Multipath
        )
    }
}

/// Whether multipathd takes a name for that of a section wherever it stands.
pub(super) fn is_section_name(name: &[u8]) -> bool {
    let names: [&[u8]; 7] = [
        b"defaults",
        b"blacklist",
        b"blacklist_exceptions",
        b"devices",
        b"device",
        b"multipaths",
        b"multipath",
    ];
    names.contains(&name)
}

/// A keyword that takes a value.
#[derive(Debug)]
pub(super) struct Keyword {
    pub name: &'static str,
    /// The name under which multipathd prints it, if it is another one.
    pub printed: Option<&'static str>,
    pub kind: Kind,
    pub sections: &'static [Section],
    /// The first version that knows it, if not all do.
    pub since: Option<ToolsVersion>,
    /// The first version that ignores it.
    pub ignored_since: Option<ToolsVersion>,
    /// Whether several of it add up.
    pub repeatable: bool,
}

/// How multipathd reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number in a range.
    Int {
        min: i64,
        max: i64,
        zero: Zero,
    },
    /// A number without a sign.
    Unsigned,
    /// `yes`, `no`, `1`, `0`
    YesNo,
    /// Any text.
    Text,
    /// Any text without a slash.
    NoSlash,
    /// A path from the root.
    Path,
    /// Words, of which the one at `count` says how many follow.
    Words {
        count: usize,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    FindMultipaths,
    MarginalPathgroups,
    FlushOnLastDel,
    GroupingPolicy,
    Failback,
    NoPathRetry,
    /// `no` or a number.
    NoOrNumber,
    /// `off`, `0` or a number.
    OffOrNumber {
        max: i64,
    },
    DevLoss,
    MaxFds,
    Mode,
    Owner,
    ReservationKey,
    UidAttrs,
    VpdVendor,
    /// An extended regular expression, perhaps after a `!`.
    Regex,
    /// Read and dropped without a word.
    Silent,
    /// Read and dropped.
    Ignored,
}

/// What 0 is to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    /// A number.
    Number,
    /// "Not set".
    Unset,
}

const INT_MAX: i64 = i32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;

const fn number(min: i64, zero: Zero) -> Kind {
    Kind::Int {
        min,
        max: INT_MAX,
        zero,
    }
}

use Section::{
    Blacklist, BlacklistDevice, Defaults, Device, Exceptions, ExceptionsDevice, Multipath,
    Overrides, Protocol,
};

const D: &[Section] = &[Defaults];
const DM: &[Section] = &[Defaults, Multipath];
const DVO: &[Section] = &[Defaults, Device, Overrides];
const DVM: &[Section] = &[Defaults, Device, Multipath];
const DVOM: &[Section] = &[Defaults, Device, Overrides, Multipath];
const DVOP: &[Section] = &[Defaults, Device, Overrides, Protocol];
const V: &[Section] = &[Device];
const M: &[Section] = &[Multipath];
const P: &[Section] = &[Protocol];
const FILTERS: &[Section] = &[Blacklist, Exceptions];
const FILTER_DEVICES: &[Section] = &[BlacklistDevice, ExceptionsDevice];

const fn keyword(name: &'static str, sections: &'static [Section], kind: Kind) -> Keyword {
    Keyword {
        name,
        printed: None,
        kind,
        sections,
        since: None,
        ignored_since: None,
        repeatable: false,
    }
}

impl Keyword {
    const fn since(mut self, major: u32, minor: u32, patch: u32) -> Self {
        self.since = Some(ToolsVersion::new(major, minor, patch));
        self
    }

    const fn ignored_since(mut self, major: u32, minor: u32, patch: u32) -> Self {
        self.ignored_since = Some(ToolsVersion::new(major, minor, patch));
        self
    }

    const fn printed_as(mut self, name: &'static str) -> Self {
        self.printed = Some(name);
        self
    }

    const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Whether this version knows it.
    pub(super) fn is_known_to(&self, version: ToolsVersion) -> bool {
        self.since.is_none_or(|since| version >= since)
    }

    /// How this version reads its value.
    pub(super) fn kind_in(&self, version: ToolsVersion) -> Kind {
        match self.ignored_since {
            Some(since) if version >= since => Kind::Ignored,
            _ => self.kind,
        }
    }

    /// The keyword of this name in this section, whichever version knows it.
    pub(super) fn find(name: &[u8], section: Section) -> Option<&'static Self> {
        if name.is_empty() {
            return None; // a quote; comparing nothing with something takes the C library long
        }
        let start = KEYWORDS.partition_point(|keyword| keyword.name.as_bytes() < name);
        let named = KEYWORDS.iter().skip(start);
        named
            .take_while(|keyword| keyword.name.as_bytes() == name)
            .find(|keyword| keyword.sections.contains(&section))
    }
}

/// All keywords.
pub(super) static KEYWORDS: &[Keyword] = &[
    keyword("alias", M, Kind::NoSlash),
    keyword("alias_prefix", DVO, Kind::NoSlash),
    keyword("all_tg_pt", DVO, Kind::YesNo),
    keyword("allow_usb_devices", D, Kind::YesNo),
    keyword(
        "auto_resize",
        D,
        Kind::Choice(&["never", "grow_only", "grow_shrink"]),
    )
    .since(0, 9, 7),
    keyword("bindings_file", D, Kind::Path).ignored_since(0, 9, 7),
    keyword("checker", DVO, Kind::Text).printed_as("path_checker"),
    keyword("checker_timeout", D, number(0, Zero::Unset)),
    keyword("config_dir", D, Kind::Ignored),
    keyword("deferred_remove", DVOM, Kind::YesNo),
    keyword("delay_wait_checks", DVOM, Kind::NoOrNumber),
    keyword("delay_watch_checks", DVOM, Kind::NoOrNumber),
    keyword("detect_checker", DVO, Kind::YesNo),
    keyword("detect_pgpolicy", DVO, Kind::YesNo).since(0, 9, 6),
    keyword("detect_pgpolicy_use_tpg", DVO, Kind::YesNo).since(0, 9, 6),
    keyword("detect_prio", DVO, Kind::YesNo),
    keyword("dev_loss_tmo", DVOP, Kind::DevLoss),
    keyword("devnode", FILTERS, Kind::Regex).repeatable(),
    keyword("disable_changed_wwids", D, Kind::Silent).ignored_since(0, 9, 6),
    keyword("eh_deadline", DVOP, Kind::OffOrNumber { max: INT_MAX }),
    keyword("enable_foreign", D, Kind::Text),
    keyword("failback", DVOM, Kind::Failback),
    keyword("fast_io_fail_tmo", DVOP, Kind::OffOrNumber { max: INT_MAX }),
    keyword("features", DVOM, Kind::Words { count: 0 }),
    keyword("find_multipaths", D, Kind::FindMultipaths),
    keyword("find_multipaths_timeout", D, number(INT_MIN, Zero::Unset)),
    keyword("flush_on_last_del", DVOM, Kind::FlushOnLastDel),
    keyword("force_sync", D, Kind::YesNo),
    keyword("getuid_callout", DVO, Kind::Ignored),
    keyword("ghost_delay", DVOM, Kind::NoOrNumber),
    keyword("gid", DM, Kind::Owner),
    keyword("hardware_handler", V, Kind::Words { count: 0 }),
    keyword("log_checker_err", D, Kind::Choice(&["once", "always"])),
    keyword("marginal_path_double_failed_time", DVOM, Kind::NoOrNumber),
    keyword("marginal_path_err_rate_threshold", DVOM, Kind::NoOrNumber),
    keyword("marginal_path_err_recheck_gap_time", DVOM, Kind::NoOrNumber),
    keyword("marginal_path_err_sample_time", DVOM, Kind::NoOrNumber),
    keyword("marginal_pathgroups", D, Kind::MarginalPathgroups),
    keyword("max_fds", D, Kind::MaxFds),
    keyword("max_polling_interval", D, Kind::Unsigned),
    keyword("max_retries", D, Kind::OffOrNumber { max: 5 }).since(0, 9, 7),
    keyword("max_sectors_kb", DVOM, number(0, Zero::Unset)),
    keyword("missing_uev_wait_timeout", D, number(0, Zero::Number)),
    keyword("mode", DM, Kind::Mode),
    keyword("multipath_dir", D, Kind::Ignored),
    keyword("no_path_retry", DVOM, Kind::NoPathRetry),
    keyword("partition_delimiter", D, Kind::NoSlash),
    keyword("path_checker", DVO, Kind::Text),
    keyword("path_grouping_policy", DVOM, Kind::GroupingPolicy),
    keyword("path_selector", DVOM, Kind::Words { count: 1 }),
    keyword("pg_timeout", DVM, Kind::Ignored),
    keyword("polling_interval", D, Kind::Unsigned),
    keyword("prio", DVOM, Kind::Text),
    keyword("prio_args", DVOM, Kind::Text),
    keyword("prkeys_file", D, Kind::Path).ignored_since(0, 9, 7),
    keyword("product", V, Kind::Text),
    keyword("product", FILTER_DEVICES, Kind::Regex),
    keyword("product_blacklist", V, Kind::Text),
    keyword("property", FILTERS, Kind::Regex).repeatable(),
    keyword("protocol", FILTERS, Kind::Regex).repeatable(),
    keyword("purge_disconnected", DVOM, Kind::YesNo).since(0, 14, 0),
    keyword("queue_without_daemon", D, Kind::YesNo),
    keyword("reassign_maps", D, Kind::YesNo),
    keyword("recheck_wwid", DVO, Kind::YesNo),
    keyword("remove_retries", D, number(0, Zero::Number)),
    keyword("reservation_key", DM, Kind::ReservationKey),
    keyword("retain_attached_hw_handler", DVO, Kind::YesNo),
    keyword("retrigger_delay", D, number(0, Zero::Number)),
    keyword("retrigger_tries", D, number(0, Zero::Number)),
    keyword("revision", V, Kind::Text),
    keyword("rr_min_io", DVOM, number(0, Zero::Unset)).ignored_since(0, 15, 0),
    keyword("rr_min_io_rq", DVOM, number(0, Zero::Unset)).ignored_since(0, 15, 0),
    keyword("rr_weight", DVOM, Kind::Choice(&["priorities", "uniform"])).ignored_since(0, 15, 0),
    keyword("san_path_err_forget_rate", DVOM, Kind::NoOrNumber),
    keyword("san_path_err_recovery_time", DVOM, Kind::NoOrNumber),
    keyword("san_path_err_threshold", DVOM, Kind::NoOrNumber),
    keyword("skip_kpartx", DVOM, Kind::YesNo),
    keyword("strict_timing", D, Kind::YesNo),
    keyword("type", P, Kind::Choice(PROTOCOLS)),
    keyword("uid", DM, Kind::Owner),
    keyword("uid_attribute", DVO, Kind::Text),
    keyword("uid_attrs", D, Kind::UidAttrs),
    keyword("user_friendly_names", DVOM, Kind::YesNo),
    keyword("uxsock_timeout", D, number(4000, Zero::Number)),
    keyword("vendor", V, Kind::Text),
    keyword("vendor", FILTER_DEVICES, Kind::Regex),
    keyword(
        "verbosity",
        D,
        Kind::Int {
            min: 0,
            max: 4,
            zero: Zero::Number,
        },
    ),
    keyword("vpd_vendor", V, Kind::VpdVendor),
    keyword("wwid", M, Kind::Text),
    keyword("wwid", FILTERS, Kind::Regex).repeatable(),
    keyword("wwids_file", D, Kind::Path).ignored_since(0, 9, 7),
];

/// Names of transports (libmultipath/structs.c).
const PROTOCOLS: &[&str] = &[
    "undef",
    "ccw",
    "cciss",
    "scsi:fcp",
    "scsi:spi",
    "scsi:ssa",
    "scsi:sbp",
    "scsi:srp",
    "scsi:iscsi",
    "scsi:sas",
    "scsi:adt",
    "scsi:ata",
    "scsi:usb",
    "scsi:unspec",
    "nvme:pcie",
    "nvme:rdma",
    "nvme:fc",
    "nvme:tcp",
    "nvme:loop",
    "nvme:apple-nvme",
    "nvme:unspec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_stand_once_for_a_section() {
        assert!(KEYWORDS.is_sorted_by_key(|keyword| keyword.name));
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            for other in KEYWORDS.iter().skip(index + 1) {
                let shares = other.sections.iter().any(|s| keyword.sections.contains(s));
                assert!(other.name != keyword.name || !shares, "{}", other.name);
            }
        }
    }
}
