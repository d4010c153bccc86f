//! What is worth knowing of a map whose state is not worse for it.

use serde::{Serialize, Serializer};

/// The kind of a [`Note`]; peers get no more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteCode {
    /// All active paths run through one HBA of the node; iSCSI: from one of its addresses.
    SingleHba,
    /// All active paths run through one port of the array.
    SingleTargetPort,
    /// All active paths lead to one node of the array; iSCSI: to one target.
    SingleTarget,
    /// The map has more paths than are configured.
    MorePathsThanConfigured,
    /// The map is suspended: all I/O waits until it is resumed.
    Suspended,
    /// All active paths are marginal: they fail now and then.
    AllPathsMarginal,
    /// The path checker finds all active paths unusable, while device-mapper still uses them.
    AllCheckersFaulty,
}

impl NoteCode {
    const ALL: [Self; 7] = [
        Self::SingleHba,
        Self::SingleTargetPort,
        Self::SingleTarget,
        Self::MorePathsThanConfigured,
        Self::Suspended,
        Self::AllPathsMarginal,
        Self::AllCheckersFaulty,
    ];

    /// The name used in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleHba => "single-hba",
            Self::SingleTargetPort => "single-target-port",
            Self::SingleTarget => "single-target",
            Self::MorePathsThanConfigured => "more-paths-than-configured",
            Self::Suspended => "suspended",
            Self::AllPathsMarginal => "all-paths-marginal",
            Self::AllCheckersFaulty => "all-checkers-faulty",
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

impl Serialize for NoteCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A note on a map, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// What the note says.
    pub code: NoteCode,
    /// What all active paths run through: a WWPN, a WWNN, a PCI or an IP address, an IQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The configured number of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<u32>,
    /// How many active paths the note is about, which are all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Note {
    /// A note of which nothing but the code is known.
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
