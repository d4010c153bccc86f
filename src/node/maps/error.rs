//! Why a text gives no maps, or lacks one.

use thiserror::Error;

use super::MAX_TEXT_LEN;
use crate::types::wwid::InvalidWwid;

const PREFIX: &str = "could not parse multipathd maps JSON";

/// Why a text gives no maps at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// There is no text. For a node without maps, multipathd prints an empty list.
    #[error("{PREFIX}: the text is empty (is multipathd running?)")]
    Empty,
    /// The text is one of multipathd's error replies.
    #[error("{PREFIX}: multipathd answered {0:?}")]
    Reply(String),
    /// The text is longer than [`MAX_TEXT_LEN`].
    #[error("{PREFIX}: the text has {0} bytes, multipathd never sends more than {MAX_TEXT_LEN}")]
    TooLong(usize),
    /// The text is not JSON, or JSON of another shape.
    #[error("{PREFIX}: {message} at line {line} column {column}")]
    Json {
        /// What was expected and found.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// The format has another major version than 0.
    #[error("{PREFIX}: format version {0} is not known, only 0 is")]
    Version(String),
    /// None of the maps could be read; this is the first one.
    #[error("{PREFIX}: {0}")]
    NoMap(SkippedMap),
}

/// A map that was left out of the result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("map {number}{}: {error}, left out", self.label())]
#[non_exhaustive]
pub struct SkippedMap {
    /// Position in the list, from 1.
    pub number: usize,
    /// Its WWID or name, if it has one.
    pub name: Option<String>,
    /// What is wrong with it. Part of the message, so not a [source](std::error::Error::source).
    pub error: MapError,
}

impl SkippedMap {
    fn label(&self) -> String {
        let label = |name: &String| format!(" ({name:?})");
        self.name.as_ref().map(label).unwrap_or_default()
    }
}

/// What can be wrong with a single map.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MapError {
    /// The text does not have the shape of a map.
    #[error("{message} at line {line} column {column}")]
    Shape {
        /// What was expected and found.
        message: String,
        /// Line in the text, from 1.
        line: usize,
        /// Column in that line in bytes, from 1; 0 if it is unknown.
        column: usize,
    },
    /// There is no `uuid`.
    #[error("no uuid")]
    NoWwid,
    /// The `uuid` is not a WWID.
    #[error("uuid {uuid:?}: {reason}")]
    Wwid {
        /// The text of the field.
        uuid: String,
        /// What is wrong with it.
        reason: InvalidWwid,
    },
    /// A field is not a number, or out of its range.
    #[error("{field} {value:?} is not a number from {min} to {max}")]
    Number {
        /// Name of the field.
        field: &'static str,
        /// The value, as far as it can be shown.
        value: String,
        /// Smallest valid value.
        min: i64,
        /// Largest valid value.
        max: i64,
    },
    /// A field should be a text and is something else.
    #[error("{0} is not a text")]
    Text(&'static str),
    /// A path has no device name.
    #[error("a path without dev")]
    NoDevice,
    /// Fields are missing that multipathd prints of each map, group and path.
    #[error("fields are missing that the others have (is there a line feed in a text?)")]
    Incomplete,
}
