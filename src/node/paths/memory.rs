//! The file `paths.json`: the numbers of paths that a node remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Configured, MAX_PATHS};
use crate::Wwid;
use crate::node::Content;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// The version of the file that is written, and the only one that is read.
const VERSION: i64 = 1;

/// What a node remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    luns: BTreeMap<Wwid, Remembered>,
}

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
struct File<'a> {
    version: i64,
    luns: BTreeMap<&'a Wwid, Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    paths: u32,
    allow_listed: u8,
}

#[derive(Deserialize)]
struct WireFile<'a> {
    #[serde(borrow, default)]
    luns: Option<BTreeMap<String, Object<WireEntry<'a>>>>,
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
        Ok(Self {
            luns: luns.collect::<Result<_, _>>()?,
        })
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let entry = |remembered: &Remembered| Entry {
            paths: remembered.paths,
            allow_listed: remembered.allow_listed.into(),
        };
        let luns = self.luns.iter().map(|(wwid, lun)| (wwid, entry(lun)));
        let file = File {
            version: VERSION,
            luns: luns.collect(),
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

    /// Forgets the LUNs that have left the allow-list, and those that were never on it and have no map.
    pub fn forget(&mut self, configured: &Configured, present: &BTreeMap<Wwid, u32>) {
        self.luns.retain(|wwid, lun| {
            if configured.is_allow_listed(wwid) {
                lun.allow_listed = true;
                return true;
            }
            !lun.allow_listed && present.contains_key(wwid)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
