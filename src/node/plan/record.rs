//! The record of the entries that Proxmox VE has added to a node's WWIDs file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Content;
use crate::Wwid;
use crate::wire::object::Object;

/// Version of the format.
const VERSION: u64 = 1;

/// How far the adding of an entry has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It was not in the file when this was written, and `multipath -a` may have run since: an entry that
    /// is there now is ours.
    Adding,
    /// `multipath -a` has succeeded.
    Added,
}

/// The entries that Proxmox VE has added on a node, or is adding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// By WWID.
    pub wwids: BTreeMap<Wwid, Progress>,
}

/// The record as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile<K: Ord> {
    version: u64,
    wwids: BTreeMap<K, Progress>,
}

/// Why a text is not a record. Then it is unknown which entries are ours, and none may be removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// Not JSON, or not of the shape of a record.
    #[error("it cannot be understood: {0}")]
    Json(serde_json::Error),
    /// Written by a newer version.
    #[error("it has version {0}, which only a newer version of this software understands")]
    Version(u64),
    /// An entry that is not a WWID.
    #[error(transparent)]
    Wwid(#[from] crate::types::wwid::InvalidWwid),
}

impl Record {
    /// Parses the text of a record.
    ///
    /// # Errors
    ///
    /// The text is not a record of this version. Unknown fields are an error, too.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidRecord> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }

        let Object(Head { version }) = serde_json::from_slice(text).map_err(InvalidRecord::Json)?;
        if version != VERSION {
            return Err(InvalidRecord::Version(version));
        }
        let Object(file): Object<RecordFile<String>> =
            serde_json::from_slice(text).map_err(InvalidRecord::Json)?;
        let wwid = |(wwid, progress): (String, Progress)| Ok((Wwid::new(&wwid)?, progress));
        let wwids: Result<_, InvalidRecord> = file.wwids.into_iter().map(wwid).collect();
        Ok(Self { wwids: wwids? })
    }

    /// The text of the record, with one entry a line; none for an empty record, which is not written as a file.
    pub fn to_text(&self) -> Option<String> {
        if self.wwids.is_empty() {
            return None;
        }
        let file = RecordFile {
            version: VERSION,
            wwids: self.wwids.iter().map(|(k, v)| (k.as_str(), *v)).collect(),
        };
        let text = serde_json::to_string_pretty(&file).ok()?;
        Some(text + "\n")
    }
}

/// The node's record. Without a file, no entry is ours.
pub(super) fn read(content: &Content<'_>) -> Result<Record, String> {
    let unreadable = |err: &dyn std::fmt::Display| {
        format!(
            "nothing is removed from the node's WWIDs file, since the record of our entries cannot be \
             read: {err}; if no entry has to be removed, delete the record"
        )
    };
    match content {
        Content::Absent => Ok(Record::default()),
        Content::Text(text) => Record::parse(text).map_err(|err| unreadable(&err)),
        Content::Unreadable(err) => Err(unreadable(err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_refused() {
        let mut record = Record::default();
        assert_eq!(record.to_text(), None);
        for (wwid, progress) in [("3600a", Progress::Adding), ("3600b", Progress::Added)] {
            let wwid = Wwid::new(wwid).ok();
            record.wwids.extend(wwid.map(|wwid| (wwid, progress)));
        }
        let text = "{\n  \"version\": 1,\n  \"wwids\": {\n    \"3600a\": \"adding\",\n    \
                    \"3600b\": \"added\"\n  }\n}\n";
        assert_eq!(record.to_text().as_deref(), Some(text));
        assert_eq!(Record::parse(text.as_bytes()).ok(), Some(record));
        for text in [
            "",
            "{}",
            "[]",
            "[1, {}]",
            "{\"version\": 2, \"wwids\": {}}",
            "{\"version\": 1}",
            "{\"version\": 1, \"wwids\": []}",
            "{\"version\": 1, \"wwids\": {\"a b\": \"added\"}}",
            "{\"version\": 1, \"wwids\": {\"3600a\": \"removed\"}}",
            "{\"version\": 1, \"wwids\": {}, \"more\": 1}",
            "{\"version\": 1, \"wwids\": {\"3600a\": \"added\"}} {}",
            "{\"version\": 1, \"wwids\": {\"3600a\": \"add",
        ] {
            assert!(Record::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
