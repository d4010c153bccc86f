//! JSON that others have written: jq, a test, a person. Here a backslash is an escape, unlike in
//! multipathd's own [layout](super::layout).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::PrintedMap;
use super::parse::Document;
use super::{MapError, ParseError};
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// The reply. Each map is read on its own, so that one of another shape does not cost the others.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default)]
    major_version: Scalar<'a>,
    #[serde(borrow)]
    maps: Vec<&'a RawValue>,
}

/// Reads the text as JSON.
pub(super) fn read(text: &[u8]) -> Result<Document<'_>, ParseError> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let valid = text.get(..error.valid_up_to()).unwrap_or(text);
        ParseError::at_end_of(valid, "invalid UTF-8".into())
    })?;
    let Object(reply): Object<Reply<'_>> =
        serde_json::from_str(text).map_err(|error| ParseError::Json {
            message: without_position(&error),
            line: error.line(),
            column: error.column(),
        })?;
    let mut start = Start {
        text,
        offset: 0,
        line: 1,
        column: 1,
    };
    let maps = reply.maps.into_iter().map(|raw| {
        let map: Result<Object<PrintedMap<'_>>, _> = serde_json::from_str(raw.get());
        map.map(|Object(map)| map).map_err(|error| {
            start.advance_to(raw.get());
            (None, start.locate(&error))
        })
    });
    Ok(Document {
        major_version: reply.major_version,
        maps: maps.collect(),
        repaired_lines: Vec::new(),
    })
}

/// The message of an error without the position that serde_json appends.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&suffix).unwrap_or(&text).to_owned()
}

/// Where a part of a text starts. It only moves forward, so that all parts together cost one pass.
struct Start<'t> {
    text: &'t str,
    offset: usize,
    /// Line, from 1.
    line: usize,
    /// Column in bytes, from 1.
    column: usize,
}

impl Start<'_> {
    /// Moves to `part`, a slice of the text.
    fn advance_to(&mut self, part: &str) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let passed = self.text.as_bytes().get(self.offset..offset);
        for byte in passed.unwrap_or_default() {
            self.column += 1;
            if *byte == b'\n' {
                (self.line, self.column) = (self.line + 1, 1);
            }
        }
        self.offset = offset.max(self.offset);
    }

    /// An error within the part, with its position in the whole text.
    fn locate(&self, error: &serde_json::Error) -> MapError {
        let column = match error.line() {
            0 | 1 => self.column + error.column().saturating_sub(1),
            _ => error.column(),
        };
        MapError::Shape {
            message: without_position(error),
            line: self.line + error.line().saturating_sub(1),
            column,
        }
    }
}
