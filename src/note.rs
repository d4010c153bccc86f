//! What is worth knowing of a map whose state is not worse for it.

use std::borrow::Cow;

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
}

impl NoteCode {
    /// The name used in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleHba => "single-hba",
            Self::SingleTargetPort => "single-target-port",
            Self::SingleTarget => "single-target",
            Self::MorePathsThanConfigured => "more-paths-than-configured",
        }
    }

    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::SingleHba,
            Self::SingleTargetPort,
            Self::SingleTarget,
            Self::MorePathsThanConfigured,
        ]
        .into_iter()
        .find(|code| code.as_str() == name)
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
pub struct Note<'a> {
    /// What the note says.
    pub code: NoteCode,
    /// What all active paths run through: a WWPN, a WWNN, a PCI or an IP address, an IQN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Cow<'a, str>>,
    /// The configured number of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<u32>,
}

impl<'a> Note<'a> {
    /// A note of which nothing but the code is known.
    pub(crate) fn bare(code: NoteCode) -> Self {
        Self {
            code,
            through: None,
            configured: None,
        }
    }

    pub(crate) fn through(code: NoteCode, through: Cow<'a, str>) -> Self {
        Self {
            through: Some(through),
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
