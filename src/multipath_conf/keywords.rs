//! The table of multipathd's sections and keywords (libmultipath/dict.c): where a keyword may be,
//! which versions know it, how they read its value, and what can be wrong with it beyond that.

use super::blacklist::RuleKind;
use super::expressions::Usage;
use super::hazards::{self, Judge};
use super::polling::Interval;
use super::values::{INT_MAX, INT_MIN, Syntax, Zero};
use crate::types::tools_version::ToolsVersion;

/// A section of multipath.conf, or an entry in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ConfSection {
    /// Outside any section.
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

impl ConfSection {
    /// Its name in the text.
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

    /// The section or entry of this name in this one.
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

    /// Whether it is an entry, which may be repeated.
    pub(super) fn is_entry(self) -> bool {
        matches!(
            self,
            Self::BlacklistDevice
                | Self::ExceptionsDevice
                | Self::Device
                | Self::Protocol
                | Self::Multipath
        )
    }

    /// The keywords that an entry must have, or multipathd ignores it.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Device => &["vendor", "product"],
            Self::Protocol => &["type"],
            Self::Multipath => &["wwid"],
            _ => &[],
        }
    }

    /// Whether multipathd keeps an entry with these keywords.
    pub(super) fn is_kept(self, has: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::BlacklistDevice | Self::ExceptionsDevice => has("vendor") || has("product"),
            _ => self.required().iter().all(|name| has(name)),
        }
    }
}

/// The keywords that say which devices an entry of `devices` is for. Entries with equal values are
/// merged.
pub(super) const DEVICE_KEY: [&str; 3] = ["vendor", "product", "revision"];

/// Whether multipathd expects a brace after this name, whatever section it is in.
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
    /// The name under which multipathd prints it, if that differs.
    pub printed: Option<&'static str>,
    pub syntax: Syntax,
    /// The first version that reads it otherwise, and how.
    changed: Option<(ToolsVersion, Syntax)>,
    pub sections: &'static [ConfSection],
    /// The first version that knows it; `None` if all do.
    pub since: Option<ToolsVersion>,
    /// Whether it may be repeated, so that each one counts.
    pub repeatable: bool,
    pub role: Role,
    /// Where its expressions are compiled, if its value has any.
    pub expressions: Option<Usage>,
}

/// What a value can do beyond what multipathd reports.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    None,
    /// Some values that multipathd accepts silently are harmful: this finds them.
    Judged(Judge),
    /// It is one of the two intervals that can crash multipathd together.
    Polling(Interval),
    /// It is an entry of a blacklist or of its exceptions.
    Rule(RuleKind),
}

const fn number(min: i64, zero: Zero) -> Syntax {
    Syntax::Int {
        min,
        max: INT_MAX,
        zero,
    }
}

use ConfSection::{
    Blacklist, BlacklistDevice, Defaults, Device, Exceptions, ExceptionsDevice, Multipath,
    Overrides, Protocol,
};

const D: &[ConfSection] = &[Defaults];
const DM: &[ConfSection] = &[Defaults, Multipath];
const DO: &[ConfSection] = &[Defaults, Overrides];
const DVO: &[ConfSection] = &[Defaults, Device, Overrides];
const DVM: &[ConfSection] = &[Defaults, Device, Multipath];
const DVOM: &[ConfSection] = &[Defaults, Device, Overrides, Multipath];
const DVOP: &[ConfSection] = &[Defaults, Device, Overrides, Protocol];
const V: &[ConfSection] = &[Device];
const M: &[ConfSection] = &[Multipath];
const P: &[ConfSection] = &[Protocol];
const FILTERS: &[ConfSection] = &[Blacklist, Exceptions];
const FILTER_DEVICES: &[ConfSection] = &[BlacklistDevice, ExceptionsDevice];

const fn keyword(name: &'static str, sections: &'static [ConfSection], syntax: Syntax) -> Keyword {
    Keyword {
        name,
        printed: None,
        syntax,
        changed: None,
        sections,
        since: None,
        repeatable: false,
        role: Role::None,
        expressions: None,
    }
}

/// An entry of a blacklist or of its exceptions.
const fn rule(name: &'static str, kind: RuleKind) -> Keyword {
    let mut keyword = keyword(name, FILTERS, Syntax::Regex).expressions(Usage::Once);
    keyword.repeatable = true;
    keyword.role = Role::Rule(kind);
    keyword
}

impl Keyword {
    const fn since(mut self, major: u32, minor: u32, patch: u32) -> Self {
        self.since = Some(ToolsVersion::new(major, minor, patch));
        self
    }

    const fn changed(mut self, since: (u32, u32, u32), syntax: Syntax) -> Self {
        self.changed = Some((ToolsVersion::new(since.0, since.1, since.2), syntax));
        self
    }

    const fn ignored_since(self, major: u32, minor: u32, patch: u32) -> Self {
        self.changed((major, minor, patch), Syntax::Ignored)
    }

    const fn printed_as(mut self, name: &'static str) -> Self {
        self.printed = Some(name);
        self
    }

    const fn judged(mut self, judge: Judge) -> Self {
        self.role = Role::Judged(judge);
        self
    }

    const fn polling(mut self, interval: Interval) -> Self {
        self.role = Role::Polling(interval);
        self
    }

    const fn expressions(mut self, usage: Usage) -> Self {
        self.expressions = Some(usage);
        self
    }

    /// Whether all versions know it and read it alike.
    pub(super) fn is_unchanged(&self) -> bool {
        self.since.is_none() && self.changed.is_none()
    }

    /// How this version reads its value; `None` if it does not know the keyword.
    pub(super) fn syntax_in(&self, version: ToolsVersion) -> Option<Syntax> {
        match self.changed {
            _ if self.since.is_some_and(|since| version < since) => None,
            Some((since, syntax)) if version >= since => Some(syntax),
            _ => Some(self.syntax),
        }
    }

    /// The keyword of this name in this section, in any version.
    pub(super) fn find(name: &[u8], section: ConfSection) -> Option<&'static Self> {
        if name.is_empty() {
            return None; // a quote: comparing with an empty text is slow
        }
        let start = KEYWORDS.partition_point(|keyword| keyword.name.as_bytes() < name);
        let named = KEYWORDS.iter().skip(start);
        named
            .take_while(|keyword| keyword.name.as_bytes() == name)
            .find(|keyword| keyword.sections.contains(&section))
    }
}

/// All keywords, sorted by name.
pub(super) static KEYWORDS: &[Keyword] = &[
    keyword("alias", M, Syntax::NoSlash),
    keyword("alias_prefix", DVO, Syntax::NoSlash).judged(hazards::alias_prefix),
    keyword("all_tg_pt", DVO, Syntax::YesNo),
    keyword("allow_usb_devices", D, Syntax::YesNo),
    keyword(
        "auto_resize",
        D,
        Syntax::Choice(&["never", "grow_only", "grow_shrink"]),
    )
    .since(0, 9, 7),
    keyword("bindings_file", D, Syntax::Path).ignored_since(0, 9, 7),
    keyword("checker", DVO, Syntax::Text)
        .printed_as("path_checker")
        .judged(hazards::path_checker),
    keyword("checker_timeout", D, number(0, Zero::Unset)),
    keyword("config_dir", D, Syntax::Ignored),
    keyword("deferred_remove", DVOM, Syntax::YesNo),
    keyword("delay_wait_checks", DVOM, Syntax::NoOrNumber),
    keyword("delay_watch_checks", DVOM, Syntax::NoOrNumber),
    keyword("detect_checker", DVO, Syntax::YesNo),
    keyword("detect_pgpolicy", DVO, Syntax::YesNo).since(0, 9, 6),
    keyword("detect_pgpolicy_use_tpg", DVO, Syntax::YesNo).since(0, 9, 6),
    keyword("detect_prio", DVO, Syntax::YesNo),
    keyword("dev_loss_tmo", DVOP, Syntax::DevLoss),
    rule("devnode", RuleKind::Devnode),
    keyword("disable_changed_wwids", D, Syntax::Silent).ignored_since(0, 9, 6),
    keyword("eh_deadline", DVOP, Syntax::OffOrNumber { max: INT_MAX }),
    keyword("enable_foreign", D, Syntax::Text).expressions(Usage::Foreign),
    keyword("failback", DVOM, Syntax::Failback),
    keyword(
        "fast_io_fail_tmo",
        DVOP,
        Syntax::OffOrNumber { max: INT_MAX },
    ),
    keyword("features", DVOM, FEATURES).judged(hazards::features),
    keyword("find_multipaths", D, Syntax::FindMultipaths).judged(hazards::find_multipaths),
    keyword("find_multipaths_timeout", D, number(INT_MIN, Zero::Unset)),
    keyword("flush_on_last_del", DVOM, Syntax::YesNo).changed((0, 9, 9), Syntax::FlushOnLastDel),
    keyword("force_sync", D, Syntax::YesNo),
    keyword("getuid_callout", DVO, Syntax::Ignored),
    keyword("ghost_delay", DVOM, Syntax::NoOrNumber),
    keyword("gid", DM, Syntax::Owner),
    keyword("hardware_handler", V, HARDWARE_HANDLER).judged(hazards::hardware_handler),
    keyword("log_checker_err", D, Syntax::Choice(&["once", "always"])),
    keyword("marginal_path_double_failed_time", DVOM, Syntax::NoOrNumber),
    keyword("marginal_path_err_rate_threshold", DVOM, Syntax::NoOrNumber),
    keyword(
        "marginal_path_err_recheck_gap_time",
        DVOM,
        Syntax::NoOrNumber,
    ),
    keyword("marginal_path_err_sample_time", DVOM, Syntax::NoOrNumber),
    // Debian 12 builds 0.9.4 without fpin
    keyword(
        "marginal_pathgroups",
        D,
        Syntax::MarginalPathgroups { fpin: false },
    )
    .changed((0, 11, 0), Syntax::MarginalPathgroups { fpin: true }),
    keyword("max_fds", D, Syntax::MaxFds),
    keyword("max_polling_interval", D, Syntax::Unsigned).polling(Interval::Longest),
    keyword("max_retries", D, Syntax::OffOrNumber { max: 5 }).since(0, 9, 7),
    keyword("max_sectors_kb", DVOM, number(0, Zero::Unset)),
    keyword("missing_uev_wait_timeout", D, number(0, Zero::Number)),
    keyword("mode", DM, Syntax::Mode),
    keyword("multipath_dir", D, Syntax::Ignored),
    keyword("no_path_retry", DVOM, Syntax::NoPathRetry),
    keyword("partition_delimiter", D, Syntax::NoSlash).judged(hazards::partition_delimiter),
    keyword("path_checker", DVO, Syntax::Text).judged(hazards::path_checker),
    keyword(
        "path_grouping_policy",
        DVOM,
        Syntax::GroupingPolicy(OLDER_POLICIES),
    )
    .changed((0, 9, 6), Syntax::GroupingPolicy(POLICIES)),
    keyword("path_selector", DVOM, PATH_SELECTOR).judged(hazards::path_selector),
    keyword("pg_timeout", DVM, Syntax::Ignored),
    keyword("polling_interval", D, Syntax::Unsigned).polling(Interval::Usual),
    keyword("prio", DVOM, Syntax::Text).judged(hazards::prioritizer),
    keyword("prio_args", DVOM, Syntax::Text).expressions(Usage::Arguments),
    keyword("prkeys_file", D, Syntax::Path).ignored_since(0, 9, 7),
    keyword("product", V, Syntax::Text).expressions(Usage::EachPath),
    keyword("product", FILTER_DEVICES, Syntax::Regex).expressions(Usage::Once),
    keyword("product_blacklist", V, Syntax::Text).expressions(Usage::Once),
    rule("property", RuleKind::Property),
    rule("protocol", RuleKind::Protocol),
    keyword("purge_disconnected", DVOM, Syntax::YesNo).since(0, 14, 0),
    keyword("queue_without_daemon", D, Syntax::YesNo),
    keyword("reassign_maps", D, Syntax::YesNo),
    keyword("recheck_wwid", DVO, Syntax::YesNo),
    keyword("remove_retries", D, number(0, Zero::Number)),
    keyword("reservation_key", DM, Syntax::ReservationKey),
    keyword("retain_attached_hw_handler", DVO, Syntax::YesNo),
    keyword("retrigger_delay", D, number(0, Zero::Number)),
    keyword("retrigger_tries", D, number(0, Zero::Number)),
    keyword("revision", V, Syntax::Text).expressions(Usage::EachPath),
    keyword("rr_min_io", DVOM, number(0, Zero::Unset)).ignored_since(0, 15, 0),
    keyword("rr_min_io_rq", DVOM, number(0, Zero::Unset)).ignored_since(0, 15, 0),
    keyword(
        "rr_weight",
        DVOM,
        Syntax::Choice(&["priorities", "uniform"]),
    )
    .ignored_since(0, 15, 0),
    keyword("san_path_err_forget_rate", DVOM, Syntax::NoOrNumber),
    keyword("san_path_err_recovery_time", DVOM, Syntax::NoOrNumber),
    keyword("san_path_err_threshold", DVOM, Syntax::NoOrNumber),
    keyword("skip_kpartx", DVOM, Syntax::YesNo),
    keyword("strict_timing", D, Syntax::YesNo),
    keyword("type", P, Syntax::Choice(PROTOCOLS)),
    keyword("uid", DM, Syntax::Owner),
    keyword("uid_attribute", DO, Syntax::Text).judged(hazards::uid_attribute),
    // judged with the entry
    keyword("uid_attribute", V, Syntax::Text),
    keyword("uid_attrs", D, Syntax::UidAttrs).judged(hazards::uid_attrs),
    keyword("user_friendly_names", DVOM, Syntax::YesNo).judged(hazards::user_friendly_names),
    keyword("uxsock_timeout", D, number(4000, Zero::Number)),
    keyword("vendor", V, Syntax::Text).expressions(Usage::EachPath),
    keyword("vendor", FILTER_DEVICES, Syntax::Regex).expressions(Usage::Once),
    keyword(
        "verbosity",
        D,
        Syntax::Int {
            min: 0,
            max: 4,
            zero: Zero::Number,
        },
    ),
    keyword("vpd_vendor", V, Syntax::VpdVendor),
    keyword("wwid", M, Syntax::Text),
    rule("wwid", RuleKind::Wwid),
    keyword("wwids_file", D, Syntax::Path).ignored_since(0, 9, 7),
];

const PATH_SELECTOR: Syntax = Syntax::Words {
    count: 1,
    example: "service-time 0",
};
const FEATURES: Syntax = Syntax::Words {
    count: 0,
    example: "1 retain_attached_hw_handler",
};
const HARDWARE_HANDLER: Syntax = Syntax::Words {
    count: 0,
    example: "1 alua",
};

/// In the order in which multipathd compares them.
const POLICIES: &[&str] = &[
    "failover",
    "multibus",
    "group_by_serial",
    "group_by_prio",
    "group_by_node_name",
    "group_by_tpg",
];

/// All but the last one.
const OLDER_POLICIES: &[&str] = POLICIES.split_at(5).0;

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
