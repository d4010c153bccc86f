//! The uses of a node as JSON, for its peers.
//!
//! ```json
//! { "maps": { "3600...": [{ "code": "volume-group", "vg": "vg-a", "active": 2, "volumes": ["lv"] }] },
//!   "unread": { "swaps": "..." }, "time": 1795252500 }
//! ```

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use super::NodeUses;
use super::kind::{Input, MAX_USES, Use, WireUse};
use crate::Wwid;
use crate::types::label::Label;

/// Most maps of a report, as many as in that on their health.
pub const MAX_MAPS: usize = 16_384;

/// Why uses cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadUses {
    /// The text is no JSON, or not that of an object with `maps`.
    #[error("the uses are not in the form of a report: {0}")]
    Form(String),
    /// There are too many maps.
    #[error("the uses are those of more than {MAX_MAPS} maps")]
    TooMany,
}

/// How much of the uses is sent. What does not fit is left out from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Everything.
    Full,
    /// All but the names of logical volumes.
    WithoutVolumes,
    /// The numbers of uses only, each as a [`Use::Counted`].
    Counts,
}

impl Detail {
    /// All of them, the longest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::WithoutVolumes, Self::Counts];

    fn apply(self, uses: &[Use]) -> Vec<Use> {
        match self {
            Self::Full => uses.to_vec(),
            Self::WithoutVolumes => {
                let mut uses = uses.to_vec();
                for used in &mut uses {
                    if let Use::VolumeGroup { volumes, .. } = used {
                        volumes.clear();
                    }
                }
                uses
            }
            Self::Counts => {
                let (known, unknown): (Vec<_>, Vec<_>) =
                    uses.iter().partition(|used| used.is_known());
                let count = known.iter().map(|used| match used {
                    Use::More { count } | Use::Counted { count } => *count,
                    _ => 1,
                });
                let count = count.fold(0, u32::saturating_add);
                let counted = (count > 0).then_some(Use::Counted { count });
                counted
                    .into_iter()
                    .chain(unknown.into_iter().cloned())
                    .collect()
            }
        }
    }
}

impl NodeUses {
    /// These uses without those that a device is merely open and that the look before did not have.
    pub fn lasting(&self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self.clone();
        };
        let mut lasting = self.clone();
        for (wwid, uses) in &mut lasting.maps {
            let before = before.maps.get(wwid).map(Vec::as_slice).unwrap_or_default();
            let place = |used: &Use| match used {
                Use::Open { on, .. } => Some(on.clone()),
                _ => None,
            };
            uses.retain(|used| {
                let mut places = before.iter().filter_map(place);
                place(used).is_none_or(|open| places.any(|before| before == open))
            });
        }
        lasting
    }

    /// The text that tells peers. LUNs without uses are left out: that they are there is in the report on
    /// their health. A report that is packed has its time elsewhere.
    pub fn to_json(&self, detail: Detail, time: Option<i64>) -> String {
        struct Maps<'u>(&'u BTreeMap<Wwid, Vec<Use>>, Detail);

        impl Serialize for Maps<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let used = self.0.iter().filter(|(_, uses)| !uses.is_empty());
                serializer.collect_map(used.map(|(wwid, uses)| (wwid, self.1.apply(uses))))
            }
        }

        #[derive(Serialize)]
        struct Report<'u> {
            maps: Maps<'u>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            unread: &'u BTreeMap<Input, String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<i64>,
        }

        // Neither keys nor values can fail to serialize: all are texts, numbers and lists of these.
        serde_json::to_string(&Report {
            maps: Maps(&self.maps, detail),
            unread: &self.unread,
            time,
        })
        .unwrap_or_default()
    }

    /// Reads what a peer has sent. Single uses that make no sense are [`Use::Other`]: something uses the LUN.
    pub fn from_json(text: &[u8]) -> Result<Self, BadUses> {
        let value = serde_json::from_slice(text).map_err(|err| BadUses::Form(err.to_string()))?;
        Self::from_value(&value)
    }

    fn from_value(value: &Value) -> Result<Self, BadUses> {
        let maps = value.get("maps").and_then(Value::as_object);
        let maps = maps.ok_or_else(|| BadUses::Form("no object 'maps'".to_owned()))?;
        if maps.len() > MAX_MAPS {
            return Err(BadUses::TooMany);
        }
        let maps = maps.iter().filter_map(|(wwid, uses)| {
            let uses = match uses {
                Value::Array(uses) => uses.iter().take(MAX_USES + 1).map(read).collect(),
                _ => vec![Use::Other],
            };
            Some((Wwid::new(wwid).ok()?, uses))
        });
        let maps = maps.collect();
        let unread = value.get("unread").and_then(Value::as_object);
        let unread = unread.into_iter().flatten().map(|(input, err)| {
            let input = serde_json::from_value(input.clone().into()).unwrap_or(Input::Other);
            let err = err.as_str().and_then(|err| Label::name(err.as_bytes()));
            (
                input,
                err.map_or_else(String::new, |err| err.as_str().to_owned()),
            )
        });
        let unread = unread.collect();
        Ok(Self { maps, unread })
    }
}

fn read(value: &Value) -> Use {
    WireUse::deserialize(value).map_or(Use::Other, |used| used.read())
}

impl<'de> Deserialize<'de> for NodeUses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(D::Error::custom)
    }
}
