//! A node's maps, reduced to what its peers need.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::node::maps::Map;
use crate::types::reason::WireReason;
use crate::wire::scalar::Scalar;
use crate::{Health, NoteCode, Reason, Transport, Wwid};

/// The part of a map that goes into a summary, as a map's serialized form has it.
///
/// Perl's callers hand parsed maps back, so that numbers may have become texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct MapHealth<'a> {
    #[serde(borrow)]
    wwid: Scalar<'a>,
    #[serde(borrow)]
    health: Scalar<'a>,
    #[serde(borrow)]
    paths_active: Scalar<'a>,
    #[serde(borrow)]
    paths_total: Scalar<'a>,
    #[serde(borrow)]
    paths_expected: Scalar<'a>,
    #[serde(borrow)]
    transport: Scalar<'a>,
    #[serde(borrow)]
    size: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    write_protected: Scalar<'a>,
    #[serde(borrow)]
    reasons: Option<Vec<WireReason<'a>>>,
    #[serde(borrow)]
    notes: Option<Vec<NoteOfMap<'a>>>,
}

/// A note, of whose facts none are broadcast.
#[derive(Debug, Deserialize)]
struct NoteOfMap<'a> {
    #[serde(borrow, default)]
    code: Scalar<'a>,
}

/// Health of one map as it is broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The map's health.
    pub state: Health,
    /// Number of active paths.
    pub paths_active: u32,
    /// Number of paths.
    pub paths_total: u32,
    /// Number of paths that there should be, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_expected: Option<u32>,
    /// Transport, if the paths agree on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The map's name on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the map is read-only (1) or not (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_protected: Option<u8>,
    /// Why the state is not optimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is worth knowing beside the state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteCode>,
}

impl From<&Map> for Summary {
    fn from(map: &Map) -> Self {
        Self {
            state: map.health,
            paths_active: u32::try_from(map.paths_active).unwrap_or(u32::MAX),
            paths_total: u32::try_from(map.paths_total).unwrap_or(u32::MAX),
            paths_expected: map.paths_expected,
            transport: map.transport,
            size: map.size,
            name: Some(map.name.clone()),
            write_protected: map.write_protected,
            reasons: map.reasons.clone(),
            notes: map.notes.iter().map(|note| note.code).collect(),
        }
    }
}

impl MapHealth<'_> {
    /// The map's identifier and summary; nothing where it has no valid WWID.
    ///
    /// Where `health` is absent it follows from the numbers of paths.
    pub fn summary(&self) -> Option<(Wwid, Summary)> {
        let wwid = Wwid::new(&self.wwid.as_text()?).ok()?;
        let number = |scalar: &Scalar<'_>| u32::try_from(scalar.as_int().unwrap_or(0)).unwrap_or(0);
        let (active, total) = (number(&self.paths_active), number(&self.paths_total));
        let given = self
            .health
            .as_text()
            .and_then(|name| Health::from_name(&name));
        let summary = Summary {
            state: given.unwrap_or_else(|| Health::from_paths(active as usize, total as usize)),
            paths_active: active,
            paths_total: total,
            paths_expected: self
                .paths_expected
                .as_int()
                .and_then(|number| u32::try_from(number).ok()),
            transport: self
                .transport
                .as_text()
                .and_then(|name| Transport::from_name(&name)),
            size: self.size.as_int().and_then(|size| u64::try_from(size).ok()),
            name: self.name.as_text().map(Cow::into_owned),
            write_protected: match self.write_protected {
                Scalar::Null => None,
                ref flag => Some(flag.is_true().into()),
            },
            reasons: self
                .reasons
                .iter()
                .flatten()
                .filter_map(WireReason::reason)
                .collect(),
            notes: self
                .notes
                .iter()
                .flatten()
                .filter_map(|note| NoteCode::from_name(note.code.as_str()?))
                .collect(),
        };
        Some((wwid, summary))
    }
}

/// Collects the summaries of a node's maps by WWID.
///
/// Of two maps with one WWID, which a node should not have, the worse one counts.
pub fn summarize(maps: impl IntoIterator<Item = (Wwid, Summary)>) -> BTreeMap<Wwid, Summary> {
    let mut summaries = BTreeMap::new();
    for (wwid, summary) in maps {
        match summaries.entry(wwid) {
            Entry::Vacant(entry) => {
                entry.insert(summary);
            }
            Entry::Occupied(mut entry) if entry.get().state < summary.state => {
                entry.insert(summary);
            }
            Entry::Occupied(_) => {}
        }
    }
    summaries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Vec<MapHealth<'_>> {
        serde_json::from_str(json).unwrap_or_else(|err| unreachable!("{err}"))
    }

    #[test]
    fn numbers_may_be_texts_and_odd_maps_have_no_summary() {
        let maps = read(
            r#"[{"wwid": "3600a", "health": "degraded", "paths-active": "1", "paths-total": 2,
                 "transport": "fc", "size": "512",
                 "paths-expected": "4", "name": "san-a", "write-protected": "0",
                 "reasons": [{"code": "path-failed", "count": 1, "devs": ["sdb"]}],
                 "notes": [{"code": "single-hba", "through": "0x1"}, {"code": "other"}]},
                {"wwid": "../a", "health": "optimal", "reasons": null}, {}]"#,
        );
        let summaries = summarize(maps.iter().filter_map(MapHealth::summary));
        let wanted = r#"{"3600a":{"state":"degraded","paths-active":1,"paths-total":2,"paths-expected":4,"transport":"fc","size":512,"name":"san-a","write-protected":0,"reasons":[{"code":"path-failed","count":1,"devs":["sdb"]}],"notes":["single-hba"]}}"#;
        assert_eq!(
            serde_json::to_string(&summaries).ok().as_deref(),
            Some(wanted)
        );
    }

    #[test]
    fn the_worse_of_two_maps_counts() {
        for json in [
            r#"[{"wwid": "a", "health": "optimal"}, {"wwid": "a", "health": "failed"}]"#,
            r#"[{"wwid": "a", "health": "failed"}, {"wwid": "a", "health": "optimal"}]"#,
        ] {
            let maps = read(json);
            let summaries = summarize(maps.iter().filter_map(MapHealth::summary));
            let states: Vec<_> = summaries.values().map(|summary| summary.state).collect();
            assert_eq!(states, [Health::Failed]);
        }
    }
}
