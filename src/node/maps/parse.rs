//! The text of `multipathd show maps json`.

use super::fields::{PrintedMap, show};
use super::layout::Layout;
use super::{Map, MapError, ParseError, SkippedMap, json};
use crate::wire::scalar::Scalar;

/// Longest text in bytes that is parsed: multipathd's replies are shorter than 32 MiB.
pub const MAX_TEXT_LEN: usize = 32 << 20;

/// Most skipped maps that are described one by one.
const MAX_WARNINGS: usize = 10;

/// The maps of a text.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MapList {
    /// The maps, in the order of the text.
    pub maps: Vec<Map>,
    /// Maps that were left out because they could not be read.
    pub skipped: Vec<SkippedMap>,
    /// Numbers of the lines, from 1, with a text that multipathd should have escaped.
    pub repaired_lines: Vec<usize>,
}

impl MapList {
    /// Warnings for an administrator, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let [first, rest @ ..] = self.repaired_lines.as_slice() {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            warnings.push(format!(
                "multipathd maps JSON: line {first}{more} repaired: multipathd does not escape \
                 quotes, backslashes and bytes that are not UTF-8 (an alias or an array's \
                 vendor or product name?)"
            ));
        }
        let skipped = self.skipped.iter().take(MAX_WARNINGS);
        warnings.extend(skipped.map(|map| format!("multipathd maps JSON: {map}")));
        if self.skipped.len() > MAX_WARNINGS {
            let more = self.skipped.len() - MAX_WARNINGS;
            warnings.push(format!("multipathd maps JSON: {more} more maps left out"));
        }
        warnings
    }
}

/// A reply of which only the fields have been read.
pub(super) struct Document<'a> {
    /// Version of the format.
    pub(super) major_version: Scalar<'a>,
    /// Each map, or what is wrong with it beside its label.
    pub(super) maps: Vec<Result<PrintedMap<'a>, (Option<String>, MapError)>>,
    /// See [`MapList::repaired_lines`].
    pub(super) repaired_lines: Vec<usize>,
}

/// Parses the text that `multipathd show maps json` prints.
///
/// multipathd puts texts between quotes without escaping them, so its own layout is read by lines,
/// one field a line: a text is everything between the first quote and the last one of its line, even
/// where the whole is valid JSON. [`MapList::repaired_lines`] lists where that made a difference.
/// JSON of any other layout is read as JSON.
///
/// # Errors
///
/// A map that cannot be read is left out and listed in [`MapList::skipped`]; it is an error if no map
/// remains. So is a truncated text, one of multipathd's error replies, and a major version of the
/// format other than 0.
///
/// ```
/// use pve_multipath::node::maps;
///
/// let reply = br#"{"major_version": 0, "minor_version": 1, "maps": [{
///     "name": "mpatha", "uuid": "36001405aabbccdd", "sysfs": "dm-0", "dm_st": "active",
///     "path_groups": [{"dm_st": "active", "pri": 50, "group": 1, "paths": [
///         {"dev": "sda", "dm_st": "active", "dev_st": "running", "chk_st": "ready", "pri": 50},
///         {"dev": "sdb", "dm_st": "failed", "dev_st": "offline", "chk_st": "faulty", "pri": 50}
///     ]}]
/// }]}"#;
/// let list = maps::parse(reply)?;
/// let map = &list.maps[0];
/// assert_eq!(map.health.as_str(), "degraded");
/// assert_eq!((map.paths_active, map.paths_total), (1, 2));
/// # Ok::<(), maps::ParseError>(())
/// ```
pub fn parse(text: &[u8]) -> Result<MapList, ParseError> {
    if text.len() > MAX_TEXT_LEN {
        return Err(ParseError::TooLong(text.len()));
    }
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Err(ParseError::Empty);
    }
    if let Some(reply) = plain_reply(trimmed) {
        return Err(ParseError::Reply(reply));
    }
    let document = match Layout::of(text) {
        Some(layout) => layout.read(text)?,
        None => json::read(text)?,
    };
    match &document.major_version {
        Scalar::Null => {}
        version if version.as_int() == Some(0) => {}
        version => return Err(ParseError::Version(show(version))),
    }
    let mut list = MapList {
        repaired_lines: document.repaired_lines,
        ..MapList::default()
    };
    for (printed, number) in document.maps.into_iter().zip(1..) {
        let (name, error) = match printed {
            Ok(printed) => match printed.map() {
                Ok(map) => {
                    list.maps.push(map);
                    continue;
                }
                Err(error) => (printed.label(), error),
            },
            Err(skipped) => skipped,
        };
        list.skipped.push(SkippedMap {
            number,
            name,
            error,
        });
    }
    match list.skipped.first() {
        Some(first) if list.maps.is_empty() => Err(ParseError::NoMap(first.clone())),
        _ => Ok(list),
    }
}

/// An error reply such as `timeout` or `fail`: short, printable, and not the start of JSON.
pub(super) fn plain_reply(trimmed: &[u8]) -> Option<String> {
    let line = trimmed.split(|&b| b == b'\n').next()?;
    let first = line.first()?;
    let printable = |b: &u8| b.is_ascii_graphic() || *b == b' ';
    let plain = first.is_ascii_alphabetic() && line.len() <= 200 && line.iter().all(printable);
    let literal = matches!(trimmed, b"null" | b"true" | b"false");
    (plain && !literal).then(|| String::from_utf8_lossy(line).into_owned())
}

impl ParseError {
    /// An error at the place that follows this text.
    pub(super) fn at_end_of(text: &[u8], message: String) -> Self {
        Self::Json {
            message,
            line: text.iter().filter(|&&b| b == b'\n').count() + 1,
            column: text.iter().rev().take_while(|&&b| b != b'\n').count() + 1,
        }
    }
}
