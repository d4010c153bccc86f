//! What a node reports of one of its maps. The one type for sending and receiving.

use std::collections::BTreeMap;

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parts::Context;
use crate::node::maps::Map;
use crate::node::paths::MAX_PATHS;
use crate::types::reason::{Device, MAX_DEVICES};
use crate::wire::lenient::{Lenient, Parts, fields, list, skip};
use crate::wire::scalar::Scalar;
use crate::{CellState, Health, NoteCode, Reason, Transport, Wwid};

/// Most reasons and notes that are read for one map.
const MAX_REASONS: usize = 8;

/// Longest name of a map in bytes: `DM_NAME_LEN` of the kernel's `dm-ioctl.h` without the final zero
/// byte.
const MAX_NAME_LEN: usize = 127;

/// State of one map on one node, as the node reports it.
///
/// Serialized as it is sent, `{ "state": "optimal", "paths-active": 4, ... }`, without what is not
/// known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// The map's health. In a report that was received also `unknown`, where the peer sent none of the
    /// known states.
    pub state: CellState,
    /// Number of active paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_active: Option<u32>,
    /// Number of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_total: Option<u32>,
    /// Number of paths that the map should have, as far as the node knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_expected: Option<u32>,
    /// Transport of all of its paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The map's name on the node: any text of 1 to 127 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Whether the map is read-only, sent as 1 or 0.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "flag")]
    pub write_protected: Option<bool>,
    /// Why the state is not optimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is worth knowing beside the state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteCode>,
}

fn flag<S: Serializer>(flag: &Option<bool>, serializer: S) -> Result<S::Ok, S::Error> {
    flag.map(u8::from).serialize(serializer)
}

impl From<&Map> for Entry {
    fn from(map: &Map) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            state: map.health.into(),
            paths_active: Some(count(map.paths_active)),
            paths_total: Some(count(map.paths_total)),
            paths_expected: map.paths_expected,
            transport: map.transport,
            size: map.size,
            name: Some(map.name.as_str().into()),
            write_protected: map.write_protected.map(|flag| flag != 0),
            reasons: map.reasons.clone(),
            notes: map.notes.iter().map(|note| note.code).collect(),
        }
    }
}

impl Entry {
    /// An entry of which only the state and its reasons are known.
    pub fn bare(state: CellState, reasons: Vec<Reason>) -> Self {
        Self {
            state,
            paths_active: None,
            paths_total: None,
            paths_expected: None,
            transport: None,
            size: None,
            name: None,
            write_protected: None,
            reasons,
            notes: Vec::new(),
        }
    }

    /// Reads a field of unchecked content: what makes no sense is left out.
    ///
    /// The fields of a parsed map have other names in two cases: `health`, and the notes are objects.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        let mut scalar = || from.next_value::<Scalar<'de>>();
        match name {
            "state" | "health" => {
                let state = scalar()?;
                let state = state.as_str().and_then(CellState::from_name);
                self.state = state.unwrap_or(CellState::Unknown);
            }
            "paths-active" => self.paths_active = paths(&scalar()?),
            "paths-total" => self.paths_total = paths(&scalar()?),
            "paths-expected" => self.paths_expected = paths(&scalar()?),
            "transport" => self.transport = scalar()?.as_str().and_then(Transport::from_name),
            "size" => {
                let size = scalar()?.as_int().and_then(|size| u64::try_from(size).ok());
                self.size = size.filter(|size| *size > 0);
            }
            "name" => {
                let name = scalar()?.into_text();
                let name = name.filter(|name| (1..=MAX_NAME_LEN).contains(&name.len()));
                self.name = name.map(Box::from);
            }
            "write-protected" => {
                self.write_protected = match scalar()?.as_int() {
                    Some(0) => Some(false),
                    Some(1) => Some(true),
                    _ => None,
                }
            }
            "reasons" => self.reasons = list::<_, MAX_REASONS, _>(from)?,
            "notes" => self.notes = list::<_, MAX_REASONS, _>(from)?,
            _ => skip(from)?,
        }
        Ok(())
    }

    /// What follows from the state and the numbers where a peer gives no reasons, as older versions do.
    /// Numbers that contradict the state are not repeated.
    fn derived_reason(&self) -> Reason {
        let count = match (self.paths_active, self.paths_total) {
            (Some(active), Some(total)) => Some(total.saturating_sub(active)),
            _ => None,
        };
        match self.state {
            CellState::Unknown | CellState::Optimal => Reason::UnknownState,
            CellState::Missing => Reason::NotAssembled,
            CellState::Failed if self.paths_total == Some(0) => Reason::NoPaths,
            CellState::Failed => Reason::AllPathsFailed {
                count: count.filter(|_| self.paths_active == Some(0)),
            },
            CellState::Degraded => Reason::PathFailed {
                count: count.filter(|count| *count > 0),
                devs: Vec::new(),
            },
        }
    }
}

/// A peer's entry with its context.
pub(super) struct ReadEntry {
    pub(super) entry: Entry,
    pub(super) context: Context,
    /// The number of fields that the context has; none if another one comes after any of them.
    pub(super) fields_at_end: Option<usize>,
}

impl<'de> Parts<'de> for ReadEntry {
    /// Optimal entries have no reasons, all others have at least one.
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut entry = Entry::bare(CellState::Unknown, Vec::new());
        let mut context = Context::default();
        let mut fields_at_end = Some(0);
        fields(object, |name, from| {
            if context.read(name, from)? {
                fields_at_end = fields_at_end.map(|count| count + 1);
                return Ok(());
            }
            fields_at_end = fields_at_end.filter(|count| *count == 0);
            entry.read(name, from)
        })?;
        // More active paths than paths: neither number can be believed.
        if entry.paths_total.is_some() && entry.paths_active > entry.paths_total {
            (entry.paths_active, entry.paths_total) = (None, None);
        }
        if entry.state == CellState::Optimal {
            entry.reasons.clear();
        } else if entry.reasons.is_empty() {
            entry.reasons.push(entry.derived_reason());
        }
        Ok(Some(Self {
            entry,
            context,
            fields_at_end,
        }))
    }
}

/// A number of paths that there can be.
fn paths(scalar: &Scalar<'_>) -> Option<u32> {
    let number = u32::try_from(scalar.as_int()?).ok();
    number.filter(|number| *number <= MAX_PATHS)
}

impl<'de> Parts<'de> for Reason {
    /// The reason, if it is one that a node can have for the state of its own maps, and its facts make
    /// sense.
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut code = Scalar::Null;
        let (mut count, mut present, mut expected) = (None, None, None);
        let mut devs = Vec::new();
        fields(object, |name, from| {
            let mut number = || {
                let number = from.next_value::<Scalar<'_>>()?.as_int();
                Ok(number.and_then(|number| u32::try_from(number).ok()))
            };
            match name {
                "code" => code = from.next_value()?,
                "count" => count = number()?,
                "present" => present = number()?,
                "expected" => expected = number()?,
                "devs" => devs = list::<_, MAX_DEVICES, _>(from)?,
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(match code.as_str() {
            Some("no-paths") => Some(Self::NoPaths),
            Some("all-paths-failed") => Some(Self::AllPathsFailed { count }),
            Some("path-failed") => Some(Self::PathFailed { count, devs }),
            Some("path-gone") => present
                .zip(expected)
                .map(|(present, expected)| Self::PathGone { present, expected }),
            _ => None,
        })
    }
}

impl Parts<'_> for Device {
    fn from_text(text: &str) -> Option<Self> {
        Self::new(text)
    }
}

impl<'de> Parts<'de> for NoteCode {
    /// As a peer sends it.
    fn from_text(text: &str) -> Option<Self> {
        Self::from_name(text)
    }

    /// Of a parsed map's note, of which no facts are sent.
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut code = Scalar::Null;
        fields(object, |name, from| match name {
            "code" => from.next_value().map(|value| code = value),
            _ => skip(from),
        })?;
        Ok(code.as_str().and_then(Self::from_name))
    }
}

/// The entries of a report by WWID. Of two maps with one WWID, which a node should not have, the
/// worse one counts.
pub fn entries(maps: impl IntoIterator<Item = (Wwid, Entry)>) -> BTreeMap<Wwid, Entry> {
    let mut entries: BTreeMap<Wwid, Entry> = BTreeMap::new();
    for (wwid, entry) in maps {
        let known = entries.get(&wwid).map(|known| known.state);
        if known.is_none_or(|known| known < entry.state) {
            entries.insert(wwid, entry);
        }
    }
    entries
}

/// A map in its serialized form, which Perl's callers hand back: numbers may have become texts.
#[derive(Clone, Debug)]
pub struct MapData(Option<(Wwid, Entry)>);

impl MapData {
    /// The map's WWID and entry; none where it has no valid WWID.
    pub fn into_entry(self) -> Option<(Wwid, Entry)> {
        self.0
    }
}

impl<'de> Deserialize<'de> for MapData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient::deserialize(deserializer).map(|Lenient(map)| map.unwrap_or(Self(None)))
    }
}

impl<'de> Parts<'de> for MapData {
    /// Where `health` is absent it follows from the numbers of paths.
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut wwid = None;
        let mut entry = Entry::bare(CellState::Unknown, Vec::new());
        fields(object, |name, from| match name {
            "wwid" => {
                let text = from.next_value::<Scalar<'_>>()?;
                wwid = text.as_text().and_then(|text| Wwid::new(&text).ok());
                Ok(())
            }
            _ => entry.read(name, from),
        })?;
        let active = *entry.paths_active.get_or_insert(0);
        let total = *entry.paths_total.get_or_insert(0);
        if matches!(entry.state, CellState::Unknown | CellState::Missing) {
            entry.state = Health::from_paths(active as usize, total as usize).into();
        }
        Ok(Some(Self(wwid.map(|wwid| (wwid, entry)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries_of(json: &str) -> BTreeMap<Wwid, Entry> {
        let maps: Vec<MapData> = serde_json::from_str(json).unwrap();
        entries(maps.into_iter().filter_map(MapData::into_entry))
    }

    #[test]
    fn maps_handed_back_by_perl() {
        let entries = entries_of(
            r#"[{"wwid": "3600a", "health": "degraded", "paths-active": "1", "paths-total": 2,
                 "transport": "fc", "size": "512",
                 "paths-expected": "4", "name": "san-a", "write-protected": "0",
                 "reasons": [{"code": "path-failed", "count": 1, "devs": ["sdb"]}],
                 "notes": [{"code": "single-hba", "through": "0x1"}, {"code": "other"}]},
                {"wwid": "../a", "health": "optimal", "reasons": null}, {}]"#,
        );
        let wanted = r#"{"3600a":{"state":"degraded","paths-active":1,"paths-total":2,"paths-expected":4,"transport":"fc","size":512,"name":"san-a","write-protected":0,"reasons":[{"code":"path-failed","count":1,"devs":["sdb"]}],"notes":["single-hba"]}}"#;
        assert_eq!(
            serde_json::to_string(&entries).ok().as_deref(),
            Some(wanted)
        );

        let entries = entries_of(r#"[{"wwid": "a", "paths-active": 1, "paths-total": "2"}]"#);
        let wanted = r#"{"a":{"state":"degraded","paths-active":1,"paths-total":2}}"#;
        assert_eq!(
            serde_json::to_string(&entries).ok().as_deref(),
            Some(wanted)
        );
        let entries = entries_of(r#"[{"wwid": "a", "health": "missing"}]"#);
        let wanted = r#"{"a":{"state":"failed","paths-active":0,"paths-total":0}}"#;
        assert_eq!(
            serde_json::to_string(&entries).ok().as_deref(),
            Some(wanted)
        );
    }

    #[test]
    fn the_worse_of_two_maps_counts() {
        for json in [
            r#"[{"wwid": "a", "health": "optimal"}, {"wwid": "a", "health": "failed"}]"#,
            r#"[{"wwid": "a", "health": "failed"}, {"wwid": "a", "health": "optimal"}]"#,
        ] {
            let states: Vec<_> = entries_of(json).values().map(|entry| entry.state).collect();
            assert_eq!(states, [CellState::Failed]);
        }
    }

    /// What is sent of a map is what its receivers read.
    #[test]
    fn an_entry_comes_back_as_it_was_sent() {
        let entry = Entry {
            state: CellState::Degraded,
            paths_active: Some(3),
            paths_total: Some(4),
            paths_expected: Some(4),
            transport: Some(Transport::Fc),
            size: Some(1 << 40),
            name: Some("san-a".into()),
            write_protected: Some(true),
            reasons: vec![
                Reason::PathFailed {
                    count: Some(1),
                    devs: Device::new("sdb").into_iter().collect(),
                },
                Reason::PathGone {
                    present: 3,
                    expected: 4,
                },
            ],
            notes: vec![NoteCode::SingleHba],
        };
        let text = serde_json::to_string(&entry).unwrap();
        let Lenient(read) = serde_json::from_str::<Lenient<ReadEntry>>(&text).unwrap();
        assert_eq!(read.map(|read| read.entry), Some(entry));
    }
}
