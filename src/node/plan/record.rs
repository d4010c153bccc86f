//! Which entries of a node's allow-list are ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Content;
use crate::Wwid;
use crate::wire::object::Object;

/// Version of the record's form.
const VERSION: u64 = 1;

/// How far the adding of an entry has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It was missing when this was written, and `multipath -a` may have run since. An entry that is
    /// there now is ours.
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
struct Form<K: Ord> {
    version: u64,
    wwids: BTreeMap<K, Progress>,
}

/// Why a text is no record. Then nobody knows what is ours, and nothing may be removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// No JSON, or not that of a record.
    #[error("it cannot be understood: {0}")]
    Json(serde_json::Error),
    /// Written by a newer version.
    #[error("it has version {0}, which only a newer version of this software understands")]
    Version(u64),
    /// An entry that is no WWID.
    #[error(transparent)]
    Wwid(#[from] crate::types::wwid::InvalidWwid),
}

impl Record {
    /// Reads the text of a record.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidRecord> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }

        let Object(Head { version }) = serde_json::from_slice(text).map_err(InvalidRecord::Json)?;
        if version != VERSION {
            return Err(InvalidRecord::Version(version));
        }
        let Object(form): Object<Form<String>> =
            serde_json::from_slice(text).map_err(InvalidRecord::Json)?;
        let wwid = |(wwid, progress): (String, Progress)| Ok((Wwid::new(&wwid)?, progress));
        let wwids: Result<_, InvalidRecord> = form.wwids.into_iter().map(wwid).collect();
        Ok(Self { wwids: wwids? })
    }

    /// The text of the record, one line for each entry. An empty record is none at all.
    pub fn to_text(&self) -> Option<String> {
        if self.wwids.is_empty() {
            return None;
        }
        let form = Form {
            version: VERSION,
            wwids: self.wwids.iter().map(|(k, v)| (k.as_str(), *v)).collect(),
        };
        let text = serde_json::to_string_pretty(&form).ok()?;
        Some(text + "\n")
    }
}

/// The node's record. Without a file nothing is ours.
pub(super) fn read(content: &Content<'_>) -> Result<Record, String> {
    let unreadable = |err: &dyn std::fmt::Display| {
        format!(
            "nothing is removed from the node's allow-list, since the record of what is ours cannot \
             be read: {err}; once none of it needs to be removed, remove the record"
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
    fn only_what_was_written_is_read() {
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
