//! multipathd's own layout of the reply, read by its lines.
//!
//! multipathd puts texts between quotes without escaping them (`PRINT_JSON_*` in
//! libmultipath/print.c), in whatever encoding the array or the administrator used. A product name
//! with quotes makes the reply invalid for all maps, or, worse, leaves it valid with another meaning:
//! `x"},{"uuid":"q`. Only the layout can be relied on: there is one field a line, and its text is
//! everything between `: "` and the quote at the end of the line.
//!
//! ```text
//! {
//!    "major_version": 0,
//!    "minor_version": 1,
//!    "maps": [{
//!       "name" : "san-a",
//!       ...
//!       "path_groups": [{
//!          ...
//!          "paths": [{
//!             "dev" : "sda",
//!             ...
//!          },{
//!             ...
//!          }]
//!       }]
//!    },{
//!       ...
//!    }]
//! }
//! ```
//!
//! A reply has this layout if it begins like that, up to the first name. No text of others stands
//! before that, and no JSON writer prints both `"maps": [{` and `"name" : `.
//!
//! A line feed within a text looks like the end of multipathd's line. SCSI devices cannot send one (the
//! kernel replaces control characters in vendor, product and revision), and aliases come from lines
//! of multipath.conf, but an NVMe model or the name of an iSCSI target may contain one. So where the
//! lines are indented as multipathd does it, a map starts only where most of a map's fields follow,
//! and each map, group and path needs all fields that the others have. A text that poses as a path or
//! a map would have to contain these, which is longer than any text that multipathd keeps (223 bytes
//! of a target's name, 40 of a model). So the map with that text is left out, and no other.

mod lines;
mod reader;

use memchr::{memchr, memchr_iter, memmem};

use super::parse::Document;
use super::{MapError, ParseError};
use crate::wire::scalar::Scalar;
use lines::{
    FieldSets, Fields, Indent, Line, Lines, all_fields, first_field, first_fields, is_name, quoted,
};
use reader::Reader;

/// A reply of multipathd's layout, of which the first lines have been read.
pub(super) struct Layout<'a> {
    major_version: Scalar<'a>,
    indent: Indent,
    /// What follows the line `"maps": [{`.
    rest: &'a [u8],
    /// Number of that line, from 1.
    line: usize,
}

impl<'a> Layout<'a> {
    /// The layout, if the text begins with it.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let mut lines = Lines::of(text);
        let mut major_version = Scalar::Null;
        if lines.next()?.trim_ascii() != b"{" {
            return None;
        }
        let maps = loop {
            let line = lines.next()?;
            let content = line.trim_ascii();
            if let Some(version) = content.strip_prefix(b"\"major_version\": ") {
                let version = std::str::from_utf8(version.strip_suffix(b",")?).ok()?;
                major_version = serde_json::from_str(version).ok()?;
            } else if content == b"\"maps\": [{" {
                break line;
            } else if !content.starts_with(b"\"minor_version\": ") {
                return None;
            }
        };
        let first = lines.clone().next()?;
        // The blank before the colon, which writers of JSON do not print beside `"maps": [{`.
        let quoted = first
            .get(..memmem::find(first, b"\" : ")?)?
            .trim_ascii_start();
        quoted.strip_prefix(b"\"").filter(|name| is_name(name))?;
        let exact = maps.starts_with(b"   \"") && first.starts_with(b"      \"");
        Some(Self {
            major_version,
            indent: if exact { Indent::Exact } else { Indent::Any },
            rest: lines.rest,
            line: lines.number,
        })
    }

    /// Reads the maps. `text` is the whole reply.
    pub(super) fn read(self, text: &[u8]) -> Result<Document<'a>, ParseError> {
        let body = self
            .body()
            .ok_or_else(|| ParseError::at_end_of(text, "EOF while parsing an object".into()))?;
        let mut reader = Reader::new(body, self.line, self.indent);
        let maps: Vec<_> = self
            .split(body)
            .into_iter()
            .map(|text| reader.map(text))
            .collect();
        // Checking the whole is faster than checking each text.
        let is_json = reader.utf8.is_some()
            && !has_special(body)
            && memchr_iter(b'"', body).count() == reader.quotes;
        let found = reader.found;
        let is_complete = |common: FieldSets| {
            let mut sets = common.into_iter().zip(found);
            self.indent == Indent::Any || sets.all(|(common, found)| common & found == found)
        };
        let maps = maps.into_iter().map(|(map, common)| match map {
            Ok(map) if !is_complete(common) => Err((map.label(), MapError::Incomplete)),
            map => map.map_err(|error| (None, error)),
        });
        Ok(Document {
            maps: maps.collect(),
            repaired_lines: match is_json {
                true => Vec::new(),
                false => repaired_lines(body, self.line + 1),
            },
            major_version: self.major_version,
        })
    }

    /// The lines of the maps, without those that end the list and the reply, whatever the texts within
    /// look like.
    fn body(&self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_end().strip_suffix(b"}")?;
        let rest = rest.trim_ascii_end().strip_suffix(b"}]")?;
        let end = rest.iter().rposition(|byte| *byte != b' ')? + 1;
        let (body, indent) = rest.split_at_checked(end)?;
        let is_indented = self.indent == Indent::Any || indent.len() == 3;
        (body.ends_with(b"\n") && is_indented).then_some(body)
    }

    /// The lines of each map. Those of all but the last one end with the line `},{`.
    fn split(&self, body: &'a [u8]) -> Vec<&'a [u8]> {
        let separators = memmem::find_iter(body, b"},{");
        let starts = separators.filter_map(|at| self.start_after(body, at));
        let starts: Vec<_> = [0].into_iter().chain(starts).collect();
        if self.indent == Indent::Any {
            return parts(body, &starts);
        }
        // A map begins with its own fields, up to `path_groups`. More of them may follow a text with a
        // line feed or a line that cannot be read.
        let candidates = parts(body, &starts);
        let first: Vec<u32> = candidates.iter().map(|text| first_fields(text)).collect();
        let all = first.iter().fold(0, |all, some| all | some);
        let are_most = |some: u32| 2 * some.count_ones() > all.count_ones();
        let is_start = |number: usize, text: &[u8], first: u32| {
            number == 0 || are_most(first) || are_most(all_fields(text))
        };
        let candidates = (0..).zip(candidates).zip(first).zip(starts);
        let starts =
            candidates.filter(|(((number, text), first), _)| is_start(*number, text, *first));
        parts(body, &starts.map(|(_, start)| start).collect::<Vec<_>>())
    }

    /// Where the next map may start, if `},{` at this place is a line that could separate two maps: it
    /// is indented as such, or else followed by the field that the first map begins with.
    fn start_after(&self, body: &[u8], at: usize) -> Option<usize> {
        let before = body.get(..at)?;
        let indent = before.iter().rev().take_while(|byte| **byte == b' ');
        let indent = indent.count();
        let is_indented = self.indent == Indent::Any || indent == 3;
        if !is_indented || !before.get(..at - indent)?.ends_with(b"\n") {
            return None;
        }
        let end = at + memchr(b'\n', body.get(at..)?)?;
        let next = body.get(end + 1..)?;
        let is_separator = body.get(at..end)?.trim_ascii_end() == b"},{"
            && (self.indent == Indent::Exact || first_field(next)? == first_field(body)?);
        is_separator.then_some(end + 1)
    }
}

/// Whether there are characters that a JSON text would escape, quotes aside.
fn has_special(lines: &[u8]) -> bool {
    let special = |byte: u8| (byte < b' ' && byte != b'\n') || byte == b'\\';
    // In pieces, for which the compiler uses vector instructions.
    let mut pieces = lines.chunks(256);
    pieces.any(|piece| {
        piece
            .iter()
            .fold(false, |found, byte| found | special(*byte))
    })
}

/// Numbers of the lines with a text that JSON would escape. `first` is the number of the first line.
fn repaired_lines(lines: &[u8], first: usize) -> Vec<usize> {
    let is_json = |text: &[u8]| {
        let quoted = memchr(b'"', text).is_some();
        !quoted && !has_special(text) && std::str::from_utf8(text).is_ok()
    };
    let is_odd = |line: &[u8]| match Fields::of(0).read(line, Indent::Any) {
        Some(Line::Field { value, .. }) => quoted(value).is_some_and(|text| !is_json(text)),
        _ => false,
    };
    let lines = Lines::of(lines).zip(first..);
    lines
        .filter(|(line, _)| is_odd(line))
        .map(|(_, number)| number)
        .collect()
}

/// The parts of a text that start at these places.
fn parts<'a>(text: &'a [u8], starts: &[usize]) -> Vec<&'a [u8]> {
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let parts = starts.iter().zip(ends);
    parts
        .filter_map(|(start, end)| text.get(*start..end))
        .collect()
}
