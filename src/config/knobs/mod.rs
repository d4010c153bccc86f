//! The table of knobs: the settings that the cluster's configuration may have.
//!
//! Everything about a knob derives from it: validation ([`Knob::check`]), whether multipathd and the
//! kernel can use a value ([`Knob::assess`]), the schema for Proxmox VE's API ([`Knob::schema`]), the
//! rendered keyword, and the page `docs/knobs.md`.

mod check;
mod schema;
mod unusable;

pub use check::SchemaError;
pub use schema::Schema;
pub use unusable::{InvalidSelector, Unusable, check_path_selector, path_selectors};

use crate::types::alias;
use crate::types::tools_version::ToolsVersion;

/// A setting of the cluster's configuration.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Knob {
    /// Its name in `multipath.cfg` and in the API, in kebab-case.
    pub name: &'static str,
    /// The section types that have it.
    pub place: Place,
    /// Its possible values.
    pub values: KnobValues,
    /// The value that every node gets unless the configuration sets another; none leaves the choice to
    /// multipathd and its hardware table.
    pub managed: Option<&'static str>,
    /// multipathd's keyword; none for a knob that is not given to multipathd.
    pub keyword: Option<&'static str>,
    /// The first version of multipath-tools that ignores it.
    pub ignored_since: Option<ToolsVersion>,
    /// What it does, in a sentence.
    pub description: &'static str,
}

/// The section types that have a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Both.
    Both,
    /// `defaults` only.
    Defaults,
    /// `wwid` only.
    Wwid,
}

/// A section type of the cluster's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionType {
    /// The global knobs.
    Defaults,
    /// An allow-listed LUN.
    Wwid,
}

impl SectionType {
    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "defaults" => Some(Self::Defaults),
            "wwid" => Some(Self::Wwid),
            _ => None,
        }
    }

    /// The name in a section's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Wwid => "wwid",
        }
    }

    /// The knobs of this section type, sorted by name.
    pub fn knobs(self) -> impl Iterator<Item = &'static Knob> {
        KNOBS.iter().filter(move |knob| knob.is_for(self))
    }
}

/// The possible values of a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnobValues {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or a number without a sign.
    WordOrDigits {
        /// The words.
        words: &'static [&'static str],
        /// The greatest number that every supported version of multipath-tools reads as it is.
        most: u64,
        /// The word to use instead of 0, if multipathd reads 0 as "not set".
        instead_of_zero: Option<&'static str>,
    },
    /// A whole number.
    Integer {
        /// The least one.
        minimum: u64,
        /// The greatest one that every supported version of multipath-tools reads as it is.
        most: u64,
    },
    /// The alias of a LUN, see [`Alias`](crate::Alias).
    Alias,
    /// A path selector of the kernel with its arguments, `service-time 0`.
    PathSelector {
        /// Its greatest length in bytes.
        max_len: usize,
    },
}

/// The greatest number that multipathd does not cap (libmultipath/dict.c; tested with 0.9.4, 0.11.1
/// and 0.15.1).
const GREATEST: u64 = 2_147_483_647;

/// The greatest `polling_interval` in seconds: multipathd multiplies it by four, and since 0.11.1 it
/// loops forever if the result does not fit into 32 bits (tested with 0.11.1 and 0.15.1).
const GREATEST_POLLING_INTERVAL: u64 = 1_073_741_822;

/// The values of `path_grouping_policy` that every supported version of multipath-tools knows.
const GROUPING_POLICIES: &[&str] = &[
    "failover",
    "multibus",
    "group_by_serial",
    "group_by_prio",
    "group_by_node_name",
];

/// All knobs, sorted by name.
pub static KNOBS: [Knob; 11] = [
    Knob {
        name: "alias",
        place: Place::Wwid,
        values: KnobValues::Alias,
        managed: None,
        keyword: Some("alias"),
        ignored_since: None,
        description: "Name of the LUN's map on all nodes, below /dev/mapper. Names that another device \
            may have, such as 'sdb', 'mpatha' or 'pve-root', are refused.",
    },
    Knob {
        name: "expected-paths",
        place: Place::Both,
        values: KnobValues::Integer {
            minimum: 1,
            most: GREATEST,
        },
        managed: None,
        keyword: None,
        ignored_since: None,
        description: "Number of paths that a LUN should have on each node; with fewer it counts as \
            degraded. Not a setting of multipathd.",
    },
    Knob {
        name: "failback",
        place: Place::Both,
        values: KnobValues::WordOrDigits {
            words: &["manual", "immediate", "followover"],
            most: GREATEST,
            instead_of_zero: Some("immediate"),
        },
        managed: None,
        keyword: Some("failback"),
        ignored_since: None,
        description: "When to switch back to a path group with a higher priority: never automatically, at \
            once, when the first path of that group comes back, or after this many seconds.",
    },
    Knob {
        name: "find-multipaths",
        place: Place::Defaults,
        values: KnobValues::Choice(&["yes", "no", "strict", "greedy", "smart"]),
        managed: Some("strict"),
        keyword: Some("find_multipaths"),
        ignored_since: None,
        description: "Which devices multipathd uses. With 'strict', only allow-listed LUNs.",
    },
    Knob {
        name: "no-path-retry",
        place: Place::Both,
        values: KnobValues::WordOrDigits {
            words: &["queue", "fail"],
            most: GREATEST,
            instead_of_zero: None,
        },
        managed: None,
        keyword: Some("no_path_retry"),
        ignored_since: None,
        description: "What happens to I/O while a LUN has no path left: it is queued, fails at once, or fails \
            after this many path checks.",
    },
    Knob {
        name: "path-grouping-policy",
        place: Place::Both,
        values: KnobValues::Choice(GROUPING_POLICIES),
        managed: None,
        keyword: Some("path_grouping_policy"),
        ignored_since: None,
        description: "How paths are combined into path groups, of which one is used at a time.",
    },
    Knob {
        name: "path-selector",
        place: Place::Both,
        values: KnobValues::PathSelector { max_len: 64 },
        managed: None,
        keyword: Some("path_selector"),
        ignored_since: None,
        description: "The kernel's algorithm that distributes I/O over the paths of a group, with the \
            number of its arguments, such as 'service-time 0'.",
    },
    Knob {
        name: "polling-interval",
        place: Place::Defaults,
        values: KnobValues::Integer {
            minimum: 1,
            most: GREATEST_POLLING_INTERVAL,
        },
        managed: Some("5"),
        keyword: Some("polling_interval"),
        ignored_since: None,
        description: "Seconds between two checks of a path.",
    },
    Knob {
        name: "rr-min-io-rq",
        place: Place::Wwid,
        values: KnobValues::Integer {
            minimum: 1,
            most: GREATEST,
        },
        managed: None,
        keyword: Some("rr_min_io_rq"),
        ignored_since: Some(ToolsVersion::new(0, 15, 0)),
        description: "Number of requests that a path gets before the next path of its group is used.",
    },
    Knob {
        name: "rr-weight",
        place: Place::Wwid,
        values: KnobValues::Choice(&["priorities", "uniform"]),
        managed: None,
        keyword: Some("rr_weight"),
        ignored_since: Some(ToolsVersion::new(0, 15, 0)),
        description: "Whether paths get requests in proportion to their priority, or equally many.",
    },
    Knob {
        name: "user-friendly-names",
        place: Place::Defaults,
        values: KnobValues::Choice(&["yes", "no"]),
        managed: Some("no"),
        keyword: Some("user_friendly_names"),
        ignored_since: None,
        description: "Whether maps without an alias are named mpatha, mpathb and so on, which may differ \
            between nodes, instead of by their WWID.",
    },
];

impl Knob {
    /// The knob with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KNOBS.iter().find(|knob| knob.name == name)
    }

    /// Whether its values are numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.values, KnobValues::Integer { .. })
    }

    /// Whether sections of this type have it.
    pub fn is_for(&self, section: SectionType) -> bool {
        match self.place {
            Place::Both => true,
            Place::Defaults => section == SectionType::Defaults,
            Place::Wwid => section == SectionType::Wwid,
        }
    }

    /// Whether this version of multipath-tools ignores it.
    pub fn is_ignored_by(&self, version: ToolsVersion) -> bool {
        self.ignored_since.is_some_and(|since| version >= since)
    }
}

impl KnobValues {
    /// The greatest length of a value in bytes, if there is a limit.
    pub fn max_len(self) -> Option<usize> {
        match self {
            Self::Alias => Some(alias::MAX_LEN),
            Self::PathSelector { max_len } => Some(max_len),
            Self::Choice(_) | Self::WordOrDigits { .. } | Self::Integer { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(KNOBS.is_sorted_by(|a, b| a.name < b.name));
        for knob in &KNOBS {
            let keyword = knob.keyword.unwrap_or("expected_paths");
            assert_eq!(keyword.replace('_', "-"), knob.name);
            assert!(knob.description.ends_with('.'), "{}", knob.name);
            if let Some(managed) = knob.managed {
                assert!(knob.check(managed).is_ok(), "{}", knob.name);
                assert_eq!(knob.assess(managed), Ok(()), "{}", knob.name);
            }
        }
    }

    #[test]
    fn managed_defaults_name_only_what_was_named() {
        let managed = KNOBS.iter().filter_map(|k| Some((k.name, k.managed?)));
        assert_eq!(
            managed.collect::<Vec<_>>(),
            [
                ("find-multipaths", "strict"),
                ("polling-interval", "5"),
                ("user-friendly-names", "no")
            ]
        );
    }
}
