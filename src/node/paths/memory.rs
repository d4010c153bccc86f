//! The file `paths.json`: the numbers of paths that a node remembers, and their ends.
//!
//! ```json
//! { "version": 1, "luns": { "3600...": { "paths": 2, "allow-listed": 1 } },
//!   "ends": [{ "initiator": "0x21...", "host": 1, "target": "0x50..." }, { "host": 2 }],
//!   "ends-of": { "3600...": [0, 1] } }
//! ```
//!
//! The ends are apart since there may be some before a number has settled, and since versions that do not know
//! them read the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Configured, MAX_PATHS};
use crate::Wwid;
use crate::node::Content;
use crate::node::ports::Ends;
use crate::wire::lenient::Lenient;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// The version of the file that is written, and the only one that is read.
const VERSION: i64 = 1;

/// What a node remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    luns: BTreeMap<Wwid, Remembered>,
    /// The ends of paths by LUN, sorted. A daemon copies the memory in each pass.
    ends: Arc<BTreeMap<Wwid, Arc<[Ends]>>>,
}

/// Most paths of a LUN whose ends are remembered.
pub const MAX_ENDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remembered {
    paths: u32,
    /// Whether the LUN has been seen on the allow-list.
    allow_listed: bool,
}

/// Why a file gives no [`Memory`].
///
/// Then it is unknown what the node remembers, which is not the same as nothing: the file must stay as it
/// is until an administrator has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The file exists but cannot be read, for this reason.
    #[error("{0}")]
    Unreadable(String),
    /// The text is not a JSON object with the fields of this version.
    #[error(
        "the numbers of paths in paths.json cannot be read: {0}; once it is removed, they are \
         learned anew"
    )]
    Json(String),
    /// The text has another version of the format.
    #[error(
        "the numbers of paths in paths.json cannot be read: it has version {0}, only {VERSION} is \
         known; with a newer pve-multipath, or once it is removed, they are remembered again"
    )]
    Version(String),
    /// A key is not a WWID, or its value not a number of paths.
    #[error(
        "the numbers of paths in paths.json cannot be read: {0:?} is not a LUN with a number of \
         paths; once it is removed, they are learned anew"
    )]
    Lun(String),
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    version: i64,
    luns: BTreeMap<&'a Wwid, Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ends: Vec<&'a Ends>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ends_of: BTreeMap<&'a Wwid, Vec<usize>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    paths: u32,
    allow_listed: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireFile<'a> {
    #[serde(borrow, default)]
    luns: Option<BTreeMap<String, Object<WireEntry<'a>>>>,
    #[serde(default)]
    ends: Vec<Lenient<Ends>>,
    #[serde(default)]
    ends_of: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireEntry<'a> {
    #[serde(borrow, default)]
    paths: Scalar<'a>,
    #[serde(borrow, default)]
    allow_listed: Scalar<'a>,
}

impl Memory {
    /// What the file says. One that does not exist says nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or those of [`parse`](Self::parse).
    pub fn read(content: &Content<'_>) -> Result<Self, MemoryError> {
        match content {
            Content::Absent => Ok(Self::default()),
            Content::Text(text) => Self::parse(text),
            Content::Unreadable(error) => Err(MemoryError::Unreadable(error.clone())),
        }
    }

    /// Parses the text of the file. A file that does not exist is not an empty one: it is the
    /// [default](Memory::default) memory.
    ///
    /// # Errors
    ///
    /// The text is not one of this version, or holds something that is not a LUN with a number of paths.
    pub fn parse(text: &[u8]) -> Result<Self, MemoryError> {
        let json = |error: serde_json::Error| MemoryError::Json(error.to_string());
        // The version first: another one may have anything else.
        let Object(fields): Object<BTreeMap<String, Scalar<'_>>> =
            serde_json::from_slice(text).map_err(json)?;
        let version = fields.get("version").cloned().unwrap_or_default();
        if version.as_int() != Some(VERSION) {
            let version = version.into_text();
            return Err(MemoryError::Version(
                version.unwrap_or("unknown".into()).into(),
            ));
        }
        let Object(file): Object<WireFile<'_>> = serde_json::from_slice(text).map_err(json)?;
        let luns = file
            .luns
            .ok_or_else(|| MemoryError::Json("there is no object 'luns'".into()))?;
        let luns = luns.into_iter().map(|(name, Object(entry))| {
            let paths = entry
                .paths
                .as_int()
                .and_then(|paths| u32::try_from(paths).ok());
            let paths = paths.filter(|paths| (1..=MAX_PATHS).contains(paths));
            match (Wwid::new(&name), paths) {
                (Ok(wwid), Some(paths)) => {
                    let allow_listed = entry.allow_listed.is_true();
                    Ok((
                        wwid,
                        Remembered {
                            paths,
                            allow_listed,
                        },
                    ))
                }
                _ => Err(MemoryError::Lun(name)),
            }
        });
        let ends_of = file.ends_of.iter().filter_map(|(name, positions)| {
            let ends = positions.iter().take(MAX_ENDS);
            let ends = ends.filter_map(|position| file.ends.get(*position)?.0.clone());
            let mut ends: Vec<Ends> = ends.collect();
            ends.sort_unstable();
            Some((Wwid::new(name).ok()?, ends.into()))
        });
        let ends = Arc::new(ends_of.collect());
        Ok(Self {
            luns: luns.collect::<Result<_, _>>()?,
            ends,
        })
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let entry = |remembered: &Remembered| Entry {
            paths: remembered.paths,
            allow_listed: remembered.allow_listed.into(),
        };
        let luns = self.luns.iter().map(|(wwid, lun)| (wwid, entry(lun)));
        // Most LUNs have the same ports.
        let all = self.ends.values().flat_map(|ends| ends.iter());
        let mut positions: BTreeMap<&Ends, usize> = all.map(|ends| (ends, 0)).collect();
        for (number, position) in positions.values_mut().enumerate() {
            *position = number;
        }
        let ends_of = self.ends.iter().map(|(wwid, ends)| {
            let ends = ends.iter().filter_map(|ends| positions.get(ends));
            (wwid, ends.copied().collect())
        });
        let file = File {
            version: VERSION,
            luns: luns.collect(),
            ends_of: ends_of.collect(),
            ends: positions.into_keys().collect(),
        };
        // Cannot fail: there are only texts and numbers.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// The remembered number of paths of a LUN.
    pub fn paths(&self, wwid: &Wwid) -> Option<u32> {
        self.luns.get(wwid).map(|lun| lun.paths)
    }

    /// Remembers this number of paths, up to 65,535. Zero is not remembered.
    pub fn remember(&mut self, wwid: &Wwid, paths: u32) {
        let paths = paths.min(MAX_PATHS);
        if paths == 0 {
            return;
        }
        let allow_listed = self.luns.get(wwid).is_some_and(|lun| lun.allow_listed);
        let lun = Remembered {
            paths,
            allow_listed,
        };
        self.luns.insert(wwid.clone(), lun);
    }

    /// Of how many LUNs a number of paths is remembered.
    pub fn len(&self) -> usize {
        self.luns.len()
    }

    /// Whether no number of paths is remembered.
    pub fn is_empty(&self) -> bool {
        self.luns.is_empty()
    }

    /// The remembered ends of a LUN's paths.
    pub fn ends(&self, wwid: &Wwid) -> &[Ends] {
        self.ends.get(wwid).map(AsRef::as_ref).unwrap_or_default()
    }

    /// Learns the ends of a LUN's active paths. If these are all that it should have, they replace what was
    /// remembered, so that those of an HBA that was replaced are forgotten; else they are added.
    pub fn learn_ends(&mut self, wwid: &Wwid, active: &[Ends], is_whole: bool) {
        let before = self.ends(wwid);
        let mut active: Vec<&Ends> = active.iter().collect();
        active.sort_unstable();
        let mut ends = Vec::with_capacity(before.len().max(active.len()));
        let mut before_left = before.iter().filter(|_| !is_whole).peekable();
        for end in active {
            while let Some(known) = before_left.next_if(|known| *known < end) {
                ends.push(known);
            }
            before_left.next_if(|known| *known == end);
            ends.push(end);
        }
        ends.extend(before_left);
        ends.truncate(MAX_ENDS);
        if !ends.iter().copied().eq(before) {
            let ends: Arc<[Ends]> = ends.into_iter().cloned().collect();
            Arc::make_mut(&mut self.ends).insert(wwid.clone(), ends);
        }
    }

    /// Forgets the ends of a LUN's paths.
    pub fn forget_ends(&mut self, wwid: &Wwid) {
        if self.ends.contains_key(wwid) {
            Arc::make_mut(&mut self.ends).remove(wwid);
        }
    }

    /// Forgets the LUNs that have left the allow-list, and those that were never on it and have no map.
    pub fn forget(&mut self, configured: &Configured, present: &BTreeMap<Wwid, u32>) {
        self.luns.retain(|wwid, lun| {
            if configured.is_allow_listed(wwid) {
                lun.allow_listed = true;
                return true;
            }
            !lun.allow_listed && present.contains_key(wwid)
        });
        let is_kept = |wwid: &Wwid| configured.is_allow_listed(wwid) || present.contains_key(wwid);
        if !self.ends.keys().all(is_kept) {
            Arc::make_mut(&mut self.ends).retain(|wwid, _| is_kept(wwid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::ports::{Initiator, PortName};

    #[test]
    fn the_file_is_read_back() {
        let mut memory = Memory::default();
        let wwid = Wwid::new("3600a").unwrap();
        memory.remember(&wwid, 4);
        let text = "{\n  \"version\": 1,\n  \"luns\": {\n    \"3600a\": {\n      \"paths\": 4,\n      \
            \"allow-listed\": 0\n    }\n  }\n}\n";
        assert_eq!(memory.to_json(), text);
        assert_eq!(Memory::parse(text.as_bytes()), Ok(memory));
        let written = Memory::default().to_json();
        assert_eq!(Memory::parse(written.as_bytes()), Ok(Memory::default()));
    }

    fn ends(text: &str) -> Vec<Ends> {
        let ports = text.split_whitespace().map(|ports| {
            let (initiator, target) = ports.split_once('-').unwrap();
            Ends {
                initiator: Initiator::new(PortName::new(initiator), None),
                target: PortName::new(target),
            }
        });
        ports.collect()
    }

    #[test]
    fn ends_are_added_until_the_lun_is_whole() {
        let wwid = Wwid::new("3600a").unwrap();
        let mut memory = Memory::default();
        for (active, is_whole, wanted) in [
            ("h1-t1 h2-t2 h1-t2 h2-t1", true, "h1-t1 h1-t2 h2-t1 h2-t2"),
            ("h2-t2 h2-t1", false, "h1-t1 h1-t2 h2-t1 h2-t2"),
            // Two paths between the same ports, and a new HBA.
            (
                "h2-t1 h2-t1 h3-t1",
                false,
                "h1-t1 h1-t2 h2-t1 h2-t1 h2-t2 h3-t1",
            ),
            ("h2-t1 h2-t2 h3-t1 h3-t2", true, "h2-t1 h2-t2 h3-t1 h3-t2"),
            ("", false, "h2-t1 h2-t2 h3-t1 h3-t2"),
        ] {
            memory.learn_ends(&wwid, &ends(active), is_whole);
            assert_eq!(memory.ends(&wwid), ends(wanted), "{active}");
            let read = Memory::parse(memory.to_json().as_bytes());
            assert_eq!(read, Ok(memory.clone()), "{active}");
        }
        memory.learn_ends(&wwid, &ends(&"h1-t1 ".repeat(100)), true);
        assert_eq!(memory.ends(&wwid).len(), MAX_ENDS);
        memory.forget_ends(&wwid);
        assert_eq!(memory, Memory::default());
    }

    #[test]
    fn luns_share_the_ports_in_the_file() {
        let mut memory = Memory::default();
        let wwids = ["3600a", "3600b"].map(|wwid| Wwid::new(wwid).unwrap());
        memory.learn_ends(&wwids[0], &ends("h1-t1 h2-t2"), true);
        memory.learn_ends(&wwids[1], &ends("h2-t2"), true);
        let file: serde_json::Value = serde_json::from_str(&memory.to_json()).unwrap();
        let ends = serde_json::json!([
            { "initiator": "h1", "target": "t1" },
            { "initiator": "h2", "target": "t2" },
        ]);
        assert_eq!(file["ends"], ends);
        let ends_of = serde_json::json!({ "3600a": [0, 1], "3600b": [1] });
        assert_eq!(file["ends-of"], ends_of);
        // What is left of a list that names ends that are not there.
        let text =
            r#"{"version":1,"luns":{},"ends":[{"host":1},7],"ends-of":{"a":[1,0,9],"../b":[0]}}"#;
        let read = Memory::parse(text.as_bytes()).unwrap();
        assert_eq!(read.ends(&Wwid::new("a").unwrap()).len(), 1);
    }

    #[test]
    fn unreadable_is_never_empty() {
        for text in [
            "",
            " ",
            "\0\0\0\0",
            "{",
            "[]",
            "null",
            "{}x",
            "{\"version\":1}",
            "{\"version\":1,\"luns\":[]}",
            "{\"version\":1,\"luns\":{\"a\":4}}",
        ] {
            let read = Memory::parse(text.as_bytes());
            assert!(
                matches!(read, Err(MemoryError::Json(_))),
                "{text:?}: {read:?}"
            );
        }
        for version in [
            "2",
            "0",
            "\"x\"",
            "null",
            "[]",
            "1.5",
            "99999999999999999999",
        ] {
            let text = format!("{{\"version\":{version},\"luns\":[]}}");
            let read = Memory::parse(text.as_bytes());
            assert!(
                matches!(read, Err(MemoryError::Version(_))),
                "{text}: {read:?}"
            );
        }
        for lun in [
            "\"../a\":{\"paths\":1}",
            "\"a\":{}",
            "\"a\":{\"paths\":0}",
            "\"a\":{\"paths\":-1}",
            "\"a\":{\"paths\":65536}",
            "\"a\":{\"paths\":1e999}",
        ] {
            let text = format!("{{\"version\":1,\"luns\":{{\"b\":{{\"paths\":2}},{lun}}}}}");
            assert!(Memory::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
