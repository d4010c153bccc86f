//! multipathd's own layout of its reply, which is read by its lines.
//!
//! multipathd pastes texts between quotes without escaping them (`PRINT_JSON_*` in
//! libmultipath/print.c), in whatever encoding the array or the administrator used. A product name
//! with quotes makes the reply invalid for all maps, or, worse, leaves it valid and says something
//! else: `x"},{"uuid":"q`. Only the layout can be relied on. There is one field a line, and its text
//! stands between `: "` and the quote at the end of the line, whatever it is.
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
//! A reply is of this layout if it begins like that, up to the first name. Nothing is pasted before
//! that, and no writer of JSON prints both `"maps": [{` and `"name" : `. JSON of other origin is left
//! to serde_json, since there a backslash is an escape.
//!
//! A line feed in a text looks like multipathd's own. multipathd does not read such texts from SCSI
//! devices (the kernel replaces control characters in vendor, product and revision), and its aliases
//! come from lines, but an NVMe model or the name of an iSCSI target may have one. Where the lines are
//! indented as multipathd does it, a map starts only where most of a map's fields follow, and each map,
//! group and path needs all fields that the others have. A text that makes a path or a map of its own
//! would have to bring these, which is longer than any text that multipathd keeps (223 bytes of a target's
//! name, 40 of a model). So the map with that text is left out, and no other.

use std::borrow::Cow;
use std::fmt::{self, Display};

use memchr::{memchr, memchr_iter, memmem};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::wire::scalar::Scalar;

/// A field as multipathd prints it.
struct Known {
    name: &'static str,
    /// What its line begins with, where the value is no list.
    start: &'static str,
}

macro_rules! known {
    ($indent:literal $($name:literal)*) => {
        &[$(Known { name: $name, start: concat!($indent, "\"", $name, "\" : ") }),*]
    };
}

/// The fields of maps, groups and paths, in the order in which multipathd prints them.
const FIELDS: [&[Known]; 3] = [
    known!("      " "name" "uuid" "sysfs" "failback" "queueing" "paths" "write_prot" "dm_st"
        "features" "hwhandler" "action" "path_faults" "vend" "prod" "rev" "switch_grp" "map_loads"
        "total_q_time" "q_timeouts" "path_groups"),
    known!("         " "selector" "pri" "dm_st" "marginal_st" "group" "paths"),
    known!("            " "dev" "dev_t" "dm_st" "dev_st" "chk_st" "checker" "pri" "host_wwnn"
        "target_wwnn" "host_wwpn" "target_wwpn" "host_adapter" "lun_hex" "marginal_st"),
];

/// The blanks before the end of a path; there are fewer before that of a group and a map.
const INDENT: &[u8] = b"         ";

/// A reply of multipathd's layout, of which the first lines have been read.
pub(super) struct Layout<'a> {
    /// Version of the format.
    pub(super) major_version: Scalar<'a>,
    indent: Indent,
    /// What follows the line `"maps": [{`.
    rest: &'a [u8],
    /// Number of that line, from 1.
    line: usize,
}

/// How lines are indented.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indent {
    /// As multipathd does it.
    Exact,
    /// Somehow, as in a text by hand; it means nothing.
    Any,
}

/// The maps of a reply.
pub(super) struct Maps<T> {
    /// Each map with the known fields that all of its parts have.
    maps: Vec<(Result<T, Flaw>, ByLevel)>,
    /// Numbers of the lines, from 1, with a text that would have to be escaped in JSON.
    pub(super) repaired_lines: Vec<usize>,
    indent: Indent,
    /// The known fields that any map, group and path has.
    found: ByLevel,
}

/// Sets of known fields: of a map, of groups, and of paths.
type ByLevel = [u32; 3];

/// Why a map cannot be read.
#[derive(Debug)]
pub(super) enum Flaw {
    /// A line that makes no sense.
    Line { message: String, line: usize },
    /// A field is missing that others have.
    Incomplete,
}

/// The end of the reply is missing.
pub(super) struct Truncated;

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

    /// The maps.
    pub(super) fn maps<T: Deserialize<'a>>(&self) -> Result<Maps<T>, Truncated> {
        let body = self.body().ok_or(Truncated)?;
        let mut reader = Reader {
            utf8: std::str::from_utf8(body).ok(),
            lines: Lines {
                rest: b"",
                number: self.line,
            },
            indent: self.indent,
            closed: None,
            found: [0; 3],
            common: [0; 3],
            quotes: 0,
        };
        let maps = self.split(body).into_iter().map(|text| reader.map(text));
        let maps = maps.collect();
        // Looking at the whole is faster than at each text.
        let is_json = reader.utf8.is_some()
            && !has_special(body)
            && memchr_iter(b'"', body).count() == reader.quotes;
        Ok(Maps {
            maps,
            repaired_lines: match is_json {
                true => Vec::new(),
                false => repaired_lines(body, self.line + 1),
            },
            indent: self.indent,
            found: reader.found,
        })
    }

    /// The lines of the maps, without those that end the list and the reply. What a text pasted in
    /// between looks like does not matter.
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
        // A map begins with its own fields, up to `path_groups`. After a text with a line feed, or a line
        // that makes no sense, there may be more of them.
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

    /// Where the next map may start, if `},{` at this place is a line that could separate two maps: with
    /// their indentation, or else followed by the field that the first map begins with.
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

impl<T> Maps<T> {
    /// Each map, or what is wrong with it and the map as far as it was read.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Result<T, (Option<T>, Flaw)>> {
        let Self { indent, found, .. } = self;
        let has_all = |(common, found): (u32, u32)| common & found == found;
        let is_complete = move |common: ByLevel| {
            indent == Indent::Any || common.into_iter().zip(found).all(has_all)
        };
        self.maps.into_iter().map(move |(map, common)| match map {
            Ok(map) if !is_complete(common) => Err((Some(map), Flaw::Incomplete)),
            map => map.map_err(|flaw| (None, flaw)),
        })
    }
}

/// Whether there are characters that a text in JSON does not have, but for quotes.
fn has_special(lines: &[u8]) -> bool {
    let special = |byte: u8| (byte < b' ' && byte != b'\n') || byte == b'\\';
    // In pieces, which the compiler looks at many bytes at a time.
    let mut pieces = lines.chunks(256);
    pieces.any(|piece| {
        piece
            .iter()
            .fold(false, |found, byte| found | special(*byte))
    })
}

/// Numbers of the lines, the first of which has this one, with a text that would have to be escaped in
/// JSON.
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

/// What stands between the quotes of a value, if it has any.
fn quoted(value: &[u8]) -> Option<&[u8]> {
    let value = value.strip_suffix(b",").unwrap_or(value);
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The name of the field in the first of these lines.
fn first_field(lines: &[u8]) -> Option<&str> {
    let line = lines.get(..memchr(b'\n', lines)?)?;
    Fields::of(0).read(line, Indent::Any)?.name()
}

/// The parts of a text that start at these places.
fn parts<'a>(text: &'a [u8], starts: &[usize]) -> Vec<&'a [u8]> {
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let parts = starts.iter().zip(ends);
    parts
        .filter_map(|(start, end)| text.get(*start..end))
        .collect()
}

/// The known fields of a map that the text begins with.
fn first_fields(text: &[u8]) -> u32 {
    let mut fields = Fields::of(0);
    let names = Lines::of(text).map_while(|line| fields.read(line, Indent::Exact)?.name());
    names.for_each(drop);
    fields.found
}

/// The known fields of a map in all lines of the text.
fn all_fields(text: &[u8]) -> u32 {
    let mut fields = Fields::of(0);
    let lines = Lines::of(text).filter_map(|line| fields.read(line, Indent::Exact));
    lines.for_each(drop);
    fields.found
}

/// The lines of a text.
#[derive(Clone)]
struct Lines<'a> {
    rest: &'a [u8],
    /// Number of the line that was taken last, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}

/// A line within the list of maps.
enum Line<'a> {
    /// `"name" : value,`, where the value may be `[{`.
    Field { name: &'a str, value: &'a [u8] },
    /// The end of a map, group or path.
    Close(Close),
}

impl<'a> Line<'a> {
    /// The name of the field.
    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Field { name, .. } => Some(name),
            Self::Close(_) => None,
        }
    }
}

/// What follows the end of a map, group or path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    /// `},{`: another one.
    Next,
    /// `}]`: the end of the list.
    List,
}

/// Reads the lines of a map (level 0), group (1) or path (2), and notes which of the known fields there
/// are.
struct Fields {
    level: usize,
    known: &'static [Known],
    /// A bit for each.
    found: u32,
    /// Position of the one to expect next, which spares the search.
    next: usize,
}

impl Fields {
    fn of(level: usize) -> Self {
        Self {
            level,
            known: FIELDS.get(level).copied().unwrap_or_default(),
            found: 0,
            next: 0,
        }
    }

    fn read<'a>(&mut self, line: &'a [u8], indent: Indent) -> Option<Line<'a>> {
        let content = match indent {
            Indent::Any => line.trim_ascii(),
            Indent::Exact => {
                if let Some(Known { name, start }) = self.known.get(self.next) {
                    if let Some(value) = line.strip_prefix(start.as_bytes()) {
                        self.found |= 1 << self.next;
                        self.next += 1;
                        return Some(Line::Field { name, value });
                    }
                }
                line.strip_prefix(INDENT.get(..3 * self.level + 3)?)?
            }
        };
        match (content, indent) {
            (b"},{", _) => Some(Line::Close(Close::Next)),
            (b"}]", _) => Some(Line::Close(Close::List)),
            (_, Indent::Exact) => self.field(content.strip_prefix(b"   ")?),
            (_, Indent::Any) => self.field(content),
        }
    }

    fn field<'a>(&mut self, content: &'a [u8]) -> Option<Line<'a>> {
        let content = content.strip_prefix(b"\"")?;
        let (name, rest) = content.split_at_checked(memchr(b'"', content)?)?;
        let rest = rest.strip_prefix(b"\"")?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let value = rest.strip_prefix(b": ")?;
        let name = std::str::from_utf8(name).ok()?;
        if let Some(position) = self.known.iter().position(|known| known.name == name) {
            self.found |= 1 << position;
            self.next = position + 1;
        }
        is_name(name.as_bytes()).then_some(Line::Field { name, value })
    }
}

fn is_name(name: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    !name.is_empty() && name.iter().all(allowed)
}

/// Reads one map after the other.
struct Reader<'a> {
    /// The lines of all maps, if they are UTF-8.
    utf8: Option<&'a str>,
    /// The lines of the present map.
    lines: Lines<'a>,
    indent: Indent,
    /// How the group or path that was read last ends.
    closed: Option<Close>,
    /// The known fields that any map, group and path has.
    found: ByLevel,
    /// Those that all parts of the present map have.
    common: ByLevel,
    /// How many quotes multipathd itself has printed.
    quotes: usize,
}

impl<'a> Reader<'a> {
    /// The map of these lines, and the known fields that all of its parts have.
    fn map<T: Deserialize<'a>>(&mut self, text: &'a [u8]) -> (Result<T, Flaw>, ByLevel) {
        self.lines.rest = text;
        self.closed = None;
        self.common = [u32::MAX; 3];
        let map = T::deserialize(Object {
            reader: self,
            level: 0,
        });
        let map = map.map_err(|Error(message)| Flaw::Line {
            message,
            line: self.lines.number,
        });
        // Where it failed, lines are left.
        self.lines.by_ref().for_each(drop);
        (map, self.common)
    }

    /// The next field of a map, group or path; none at its end.
    fn field(&mut self, fields: &mut Fields) -> Result<Option<(&'a str, &'a [u8])>, Error> {
        let Some(line) = self.lines.next() else {
            return match fields.level {
                0 => Ok(None),
                _ => Err(Error::custom("the map ends within a list")),
            };
        };
        match fields.read(line, self.indent) {
            Some(Line::Field { name, value }) => {
                self.quotes += 2;
                Ok(Some((name, value)))
            }
            Some(Line::Close(close)) if fields.level > 0 => {
                self.closed = Some(close);
                Ok(None)
            }
            Some(Line::Close(_)) if self.lines.rest.is_empty() => Ok(None),
            Some(Line::Close(_)) => Err(Error::custom("a list ends that has not begun")),
            None => Err(Error::custom("this line has no field")),
        }
    }

    /// The text of a value as it stands between its quotes. Where it is not UTF-8 it is read as Latin-1,
    /// which loses nothing.
    fn text(&mut self, value: &'a [u8]) -> Option<Cow<'a, str>> {
        let text = quoted(value)?;
        self.quotes += 2;
        Some(match self.utf8(text) {
            Some(valid) => Cow::Borrowed(valid),
            None => text.iter().copied().map(char::from).collect(),
        })
    }

    /// A part of the lines as a text. Where all of them are UTF-8, that is known already.
    fn utf8(&self, part: &'a [u8]) -> Option<&'a str> {
        let Some(all) = self.utf8 else {
            return std::str::from_utf8(part).ok();
        };
        let start = (part.as_ptr() as usize).checked_sub(all.as_ptr() as usize)?;
        all.get(start..start + part.len())
    }
}

/// What is wrong with a map.
#[derive(Debug)]
struct Error(String);

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A map (level 0), group (1) or path (2), whose lines come next.
struct Object<'r, 'a> {
    reader: &'r mut Reader<'a>,
    level: usize,
}

impl<'de> Deserializer<'de> for Object<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(ObjectFields {
            reader: self.reader,
            fields: Fields::of(self.level),
            value: b"",
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct ObjectFields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    fields: Fields,
    /// The value of the field whose name was given last.
    value: &'a [u8],
}

impl<'a> MapAccess<'a> for ObjectFields<'_, 'a> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.reader.field(&mut self.fields)? else {
            let Fields { level, found, .. } = self.fields;
            if let Some(common) = self.reader.common.get_mut(level) {
                *common &= found;
            }
            if let Some(any) = self.reader.found.get_mut(level) {
                *any |= found;
            }
            return Ok(None);
        };
        self.value = value;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Value {
            reader: self.reader,
            level: self.fields.level,
            value: self.value,
        })
    }
}

/// The value of a field of a map (level 0), group (1) or path (2).
struct Value<'r, 'a> {
    reader: &'r mut Reader<'a>,
    level: usize,
    value: &'a [u8],
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self {
            reader,
            level,
            value,
        } = self;
        if value == b"[{" {
            if level + 1 >= FIELDS.len() {
                return Err(Error::custom("lists are nested too deeply"));
            }
            return visitor.visit_seq(List {
                reader,
                level: level + 1,
                closed: Close::Next,
            });
        }
        if let Some(text) = reader.text(value) {
            return match text {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            };
        }
        let value = value.strip_suffix(b",").unwrap_or(value);
        let value = std::str::from_utf8(value).map_err(Error::custom)?;
        match value.parse() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => {
                let mut json = serde_json::Deserializer::from_str(value);
                let value = json.deserialize_any(visitor).map_err(Error::custom)?;
                json.end().map_err(Error::custom)?;
                Ok(value)
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A list of groups (level 1) or paths (2), whose lines come next.
struct List<'r, 'a> {
    reader: &'r mut Reader<'a>,
    level: usize,
    /// What the last line says.
    closed: Close,
}

impl<'a> SeqAccess<'a> for List<'_, 'a> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.closed == Close::List {
            return Ok(None);
        }
        let element = seed.deserialize(Object {
            reader: self.reader,
            level: self.level,
        })?;
        let closed = self.reader.closed.take();
        self.closed = closed.ok_or_else(|| Error::custom("a list that does not end"))?;
        Ok(Some(element))
    }
}
