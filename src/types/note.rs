//! Notes on a map, which do not change its state.

use serde::Serialize;

use super::words::words;

words! {
    /// The kind of a [`Note`]. Peers get only this of a note.
    #[non_exhaustive]
    NoteCode {
        /// All active paths run through one HBA of the node; iSCSI: from one of its addresses.
        SingleHba = "single-hba",
        /// All active paths run through one port of the array.
        SingleTargetPort = "single-target-port",
        /// All active paths lead to one node of the array; iSCSI: to one target.
        SingleTarget = "single-target",
        /// The map has more paths than are configured.
        MorePathsThanConfigured = "more-paths-than-configured",
        /// The map is suspended: all I/O waits until it is resumed.
        Suspended = "suspended",
        /// All active paths are marginal: they fail now and then.
        AllPathsMarginal = "all-paths-marginal",
        /// The path checker finds all active paths unusable, while device-mapper still uses them.
        AllCheckersFaulty = "all-checkers-faulty",
    }
}

/// A note on a map, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// What the note is about.
    pub code: NoteCode,
    /// What all active paths run through: a WWPN, a WWNN, a PCI or an IP address, an IQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The configured number of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<u32>,
    /// The number of active paths, all of which the note is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Note {
    /// A note without facts.
    pub(crate) fn bare(code: NoteCode) -> Self {
        Self {
            code,
            through: None,
            configured: None,
            count: None,
        }
    }

    pub(crate) fn through(code: NoteCode, through: &str) -> Self {
        Self {
            through: Some(through.to_owned()),
            ..Self::bare(code)
        }
    }

    pub(crate) fn of_paths(code: NoteCode, count: usize) -> Self {
        Self {
            count: u32::try_from(count).ok(),
            ..Self::bare(code)
        }
    }

    pub(crate) fn configured(code: NoteCode, configured: u32) -> Self {
        Self {
            configured: Some(configured),
            ..Self::bare(code)
        }
    }
}
