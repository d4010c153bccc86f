//! From multipathd's JSON to [`Map`]s.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::layout::{Flaw, Layout, Truncated};
use super::{Map, Path, PathGroup};
use crate::node::paths::MemoryError;
use crate::types::wwid::InvalidWwid;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;
use crate::{Health, Transport, Wwid};

/// Longest text in bytes that is parsed: multipathd's replies are shorter than 32 MiB.
pub const MAX_TEXT_LEN: usize = 32 << 20;

/// Most odd maps that are described one by one.
const MAX_WARNINGS: usize = 10;

/// Literals that multipathd prints where it has no value (print.c, dict.c, propsel.c).
const UNSET: [&str; 10] = [
    "",
    "-",
    "--",
    "#:#",
    "##",
    "(null)",
    "[undef]",
    "[unknown]",
    "undef",
    "unknown",
];

/// What a text held.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parsed<'a> {
    /// The maps, in the order of the text.
    pub maps: Vec<Map<'a>>,
    /// Maps that were left out because something in them makes no sense.
    pub odd: Vec<OddMap>,
    /// Numbers of the lines, from 1, with a text that multipathd should have escaped.
    pub repaired_lines: Vec<usize>,
    /// Why it is not known how many paths the node remembers, where
    /// [`node_maps`](super::node_maps) read the text.
    pub memory_error: Option<MemoryError>,
}

impl Parsed<'_> {
    /// What a person should be told about the text beside the maps, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let [first, rest @ ..] = self.repaired_lines.as_slice() {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            warnings.push(format!(
                "multipathd maps JSON: line {first}{more} repaired: multipathd does not escape \
                 quotes, backslashes and bytes that are no UTF-8 (an alias or an array's \
                 vendor or product name?)"
            ));
        }
        let odd = self.odd.iter().take(MAX_WARNINGS);
        warnings.extend(odd.map(|odd| format!("multipathd maps JSON: {odd}")));
        if let Some(more) = self
            .odd
            .len()
            .checked_sub(MAX_WARNINGS)
            .filter(|more| *more > 0)
        {
            warnings.push(format!("multipathd maps JSON: {more} more maps left out"));
        }
        if let Some(error) = &self.memory_error {
            warnings.push(error.to_string());
        }
        warnings
    }
}

/// A map that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("map {number}{}: {problem}, left out", self.name())]
#[non_exhaustive]
pub struct OddMap {
    /// Number of the map in the list, from 1.
    pub number: usize,
    /// Its WWID or name, as far as there is one.
    pub label: Option<String>,
    /// What makes no sense.
    pub problem: Problem,
}

impl OddMap {
    fn name(&self) -> String {
        self.label
            .as_ref()
            .map(|label| format!(" ({label:?})"))
            .unwrap_or_default()
    }
}

/// What can be wrong with a single map.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The JSON has another shape than a map's.
    #[error("{message} at line {line} column {column}")]
    Shape {
        /// What was expected and found.
        message: String,
        /// Line in the text, from 1.
        line: usize,
        /// Column in that line in bytes, from 1; 0 where it cannot be told.
        column: usize,
    },
    /// There is no `uuid`.
    #[error("no uuid")]
    NoWwid,
    /// The `uuid` is no WWID.
    #[error("uuid {uuid:?}: {reason}")]
    Wwid {
        /// The text of the field.
        uuid: String,
        /// What is wrong with it.
        reason: InvalidWwid,
    },
    /// A number is none, or out of its range.
    #[error("{field} {value:?} is no number from {min} to {max}")]
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
    /// A field should hold a text and holds something else.
    #[error("{0} is no text")]
    Text(&'static str),
    /// A path has no device name.
    #[error("a path without dev")]
    NoDevice,
    /// Not all fields are there that multipathd prints of each map, group and path.
    #[error("fields are missing that the others have (is there a line feed in a text?)")]
    Incomplete,
}

/// Why a text gives no maps at all.
///
/// The kind is part of the text, so it is not a source as well: whoever prints a chain of causes would
/// print it twice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("could not parse multipathd maps JSON: {0}")]
pub struct ParseError(pub ParseErrorKind);

/// The kinds of [`ParseError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// There is no text. multipathd answers a node without maps with an empty list, never so.
    #[error("the text is empty (is multipathd running?)")]
    Empty,
    /// The text is one of multipathd's replies that are no JSON.
    #[error("multipathd answered {0:?}")]
    Reply(String),
    /// The text is longer than [`MAX_TEXT_LEN`].
    #[error("the text has {0} bytes, multipathd never sends more than {MAX_TEXT_LEN}")]
    TooLong(usize),
    /// The text is no JSON, or JSON of another shape.
    #[error("{message} at line {line} column {column}")]
    Json {
        /// What was expected and found.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// The format has another major version than 0.
    #[error("format version {0} is not known, only 0 is")]
    Version(String),
    /// None of the maps could be read; the first problem.
    #[error("{0}")]
    Odd(OddMap),
}

/// Parses the text that `multipathd show maps json` prints.
///
/// A single odd map is left out and reported in [`Parsed::odd`]; it is an error if no map remains.
/// multipathd pastes texts between quotes without escaping them, so its own layout is read by the rule
/// of one field per line: a text is what stands between the first quote and the last one, quotes and
/// backslashes included, also where the whole happens to be JSON. [`Parsed::repaired_lines`] tells
/// where. JSON of any other layout is read as JSON. A truncated text is an error.
pub fn parse(text: &[u8]) -> Result<Parsed<'_>, ParseError> {
    parse_kind(text).map_err(ParseError)
}

fn parse_kind(text: &[u8]) -> Result<Parsed<'_>, ParseErrorKind> {
    if text.len() > MAX_TEXT_LEN {
        return Err(ParseErrorKind::TooLong(text.len()));
    }
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Err(ParseErrorKind::Empty);
    }
    if let Some(reply) = plain_reply(trimmed) {
        return Err(ParseErrorKind::Reply(reply));
    }
    if let Some(layout) = Layout::of(text) {
        return read_layout(text, &layout);
    }
    let text = std::str::from_utf8(text).map_err(|error| utf8_error(text, &error))?;
    match serde_json::from_str::<Object<Document<'_, Object<WireMap<'_>>>>>(text) {
        Ok(Object(document)) => document.finish(),
        Err(_) => Document::read_one_by_one(text),
    }
}

fn read_layout<'a>(text: &[u8], layout: &Layout<'a>) -> Outcome<'a> {
    check_version(&layout.major_version)?;
    let maps = layout.maps::<Object<WireMap<'a>>>();
    let mut maps = maps.map_err(|Truncated| {
        let (line, column) = position(text);
        ParseErrorKind::Json {
            message: "EOF while parsing an object".into(),
            line,
            column: column - 1,
        }
    })?;
    let repaired_lines = std::mem::take(&mut maps.repaired_lines);
    let mut parsed = collect(maps.into_iter().map(|map| match map {
        Ok(Object(map)) => map.labelled_map(),
        Err((Some(Object(map)), flaw)) => Err((map.label().map(Cow::into_owned), flaw.into())),
        Err((None, flaw)) => Err((None, flaw.into())),
    }))?;
    parsed.repaired_lines = repaired_lines;
    Ok(parsed)
}

impl From<Flaw> for Problem {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Incomplete => Self::Incomplete,
            Flaw::Line { message, line } => Self::Shape {
                message,
                line,
                column: 0,
            },
        }
    }
}

/// A reply such as `timeout` or `fail`: short, printable, and nothing that could begin JSON.
pub(super) fn plain_reply(trimmed: &[u8]) -> Option<String> {
    let line = trimmed.split(|&b| b == b'\n').next()?;
    let first = line.first()?;
    let printable = |b: &u8| b.is_ascii_graphic() || *b == b' ';
    let plain = first.is_ascii_alphabetic() && line.len() <= 200 && line.iter().all(printable);
    let literal = matches!(trimmed, b"null" | b"true" | b"false");
    (plain && !literal).then(|| String::from_utf8_lossy(line).into_owned())
}

fn utf8_error(text: &[u8], error: &std::str::Utf8Error) -> ParseErrorKind {
    let (line, column) = position(text.get(..error.valid_up_to()).unwrap_or(text));
    ParseErrorKind::Json {
        message: "invalid UTF-8".into(),
        line,
        column,
    }
}

/// The line and the column in bytes, both from 1, of what follows this text.
fn position(text: &[u8]) -> (usize, usize) {
    let line = text.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = text.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
    (line, column)
}

fn json_error(error: &serde_json::Error) -> ParseErrorKind {
    ParseErrorKind::Json {
        message: without_position(error),
        line: error.line(),
        column: error.column(),
    }
}

/// The message of a serde_json error without the position that it appends.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&suffix).unwrap_or(&text).to_owned()
}

/// The whole text, with maps of type `M`.
#[derive(Deserialize)]
struct Document<'a, M> {
    #[serde(borrow, default)]
    major_version: Scalar<'a>,
    maps: Vec<M>,
}

type Outcome<'a> = Result<Parsed<'a>, ParseErrorKind>;

impl<'a> Document<'a, Object<WireMap<'a>>> {
    fn finish(self) -> Outcome<'a> {
        check_version(&self.major_version)?;
        collect(self.maps.into_iter().map(|Object(map)| map.labelled_map()))
    }
}

impl Document<'_, &RawValue> {
    /// Reads each map on its own, so that one of another shape does not take the others along. All
    /// of the maps' texts are copied.
    fn read_one_by_one<'a>(text: &str) -> Outcome<'a> {
        let Object(document): Object<Document<'_, &RawValue>> =
            serde_json::from_str(text).map_err(|error| json_error(&error))?;
        check_version(&document.major_version)?;
        let mut position = Position::start_of(text);
        collect(document.maps.into_iter().map(|raw| {
            let mut reader = serde_json::Deserializer::from_reader(raw.get().as_bytes());
            match Object::<WireMap<'_>>::deserialize(&mut reader) {
                Ok(Object(wire)) => wire.labelled_map(),
                Err(error) => {
                    position.advance_to(raw.get());
                    Err((None, position.problem(&error)))
                }
            }
        }))
    }
}

/// A place in a text that only moves forward, so that all places together cost one pass.
struct Position<'t> {
    text: &'t str,
    offset: usize,
    /// Line, from 1.
    line: usize,
    /// Column in bytes, from 1.
    column: usize,
}

impl<'t> Position<'t> {
    fn start_of(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    /// Moves to where `part`, a slice of the text, starts.
    fn advance_to(&mut self, part: &str) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        for byte in self
            .text
            .as_bytes()
            .get(self.offset..offset)
            .unwrap_or_default()
        {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset = offset.max(self.offset);
    }

    /// Describes an error in a part that starts here.
    fn problem(&self, error: &serde_json::Error) -> Problem {
        let first_line = error.line() <= 1;
        let column = error.column();
        Problem::Shape {
            message: without_position(error),
            line: self.line + error.line().saturating_sub(1),
            column: if first_line {
                self.column + column.saturating_sub(1)
            } else {
                column
            },
        }
    }
}

fn check_version(version: &Scalar<'_>) -> Result<(), ParseErrorKind> {
    match version {
        Scalar::Null => Ok(()),
        other if other.as_int() == Some(0) => Ok(()),
        other => Err(ParseErrorKind::Version(show(other))),
    }
}

fn show(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Float(number) => number.to_string(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Nested => "(a list or an object)".into(),
        other => other.as_text().unwrap_or_default().into_owned(),
    }
}

fn collect<'a>(
    maps: impl Iterator<Item = Result<Map<'a>, (Option<String>, Problem)>>,
) -> Outcome<'a> {
    let mut parsed = Parsed {
        maps: Vec::new(),
        odd: Vec::new(),
        repaired_lines: Vec::new(),
        memory_error: None,
    };
    for (index, map) in maps.enumerate() {
        match map {
            Ok(map) => parsed.maps.push(map),
            Err((label, problem)) => {
                parsed.odd.push(OddMap {
                    number: index + 1,
                    label,
                    problem,
                });
            }
        }
    }
    match parsed.odd.first() {
        Some(odd) if parsed.maps.is_empty() => Err(ParseErrorKind::Odd(odd.clone())),
        _ => Ok(parsed),
    }
}

/// A map as multipathd prints it. Which fields there are depends on the version.
#[derive(Deserialize)]
struct WireMap<'a> {
    #[serde(borrow, default)]
    name: Scalar<'a>,
    #[serde(borrow, default)]
    uuid: Scalar<'a>,
    #[serde(borrow, default)]
    sysfs: Scalar<'a>,
    #[serde(borrow, default)]
    failback: Scalar<'a>,
    #[serde(borrow, default)]
    queueing: Scalar<'a>,
    #[serde(borrow, default)]
    write_prot: Scalar<'a>,
    #[serde(borrow, default)]
    dm_st: Scalar<'a>,
    #[serde(borrow, default)]
    features: Scalar<'a>,
    #[serde(borrow, default)]
    hwhandler: Scalar<'a>,
    #[serde(borrow, default)]
    path_faults: Scalar<'a>,
    #[serde(borrow, default)]
    vend: Scalar<'a>,
    #[serde(borrow, default)]
    prod: Scalar<'a>,
    #[serde(borrow, default)]
    rev: Scalar<'a>,
    #[serde(borrow, default)]
    switch_grp: Scalar<'a>,
    #[serde(borrow, default)]
    map_loads: Scalar<'a>,
    #[serde(borrow, default)]
    total_q_time: Scalar<'a>,
    #[serde(borrow, default)]
    q_timeouts: Scalar<'a>,
    #[serde(borrow)]
    path_groups: Vec<Object<WireGroup<'a>>>,
}

#[derive(Deserialize)]
struct WireGroup<'a> {
    #[serde(borrow, default)]
    selector: Scalar<'a>,
    #[serde(borrow, default)]
    pri: Scalar<'a>,
    #[serde(borrow, default)]
    dm_st: Scalar<'a>,
    #[serde(borrow, default)]
    marginal_st: Scalar<'a>,
    #[serde(borrow, default)]
    group: Scalar<'a>,
    #[serde(borrow)]
    paths: Vec<Object<WirePath<'a>>>,
}

#[derive(Deserialize)]
struct WirePath<'a> {
    #[serde(borrow, default)]
    dev: Scalar<'a>,
    #[serde(borrow, default)]
    dev_t: Scalar<'a>,
    #[serde(borrow, default)]
    dm_st: Scalar<'a>,
    #[serde(borrow, default)]
    dev_st: Scalar<'a>,
    #[serde(borrow, default)]
    chk_st: Scalar<'a>,
    #[serde(borrow, default)]
    checker: Scalar<'a>,
    #[serde(borrow, default)]
    pri: Scalar<'a>,
    #[serde(borrow, default)]
    host_wwnn: Scalar<'a>,
    #[serde(borrow, default)]
    target_wwnn: Scalar<'a>,
    #[serde(borrow, default)]
    host_wwpn: Scalar<'a>,
    #[serde(borrow, default)]
    target_wwpn: Scalar<'a>,
    #[serde(borrow, default)]
    host_adapter: Scalar<'a>,
    #[serde(borrow, default)]
    lun_hex: Scalar<'a>,
    #[serde(borrow, default)]
    marginal_st: Scalar<'a>,
}

impl<'a> WireMap<'a> {
    /// The map, or what is odd about it under the name that a person knows it by.
    fn labelled_map(self) -> Result<Map<'a>, (Option<String>, Problem)> {
        let label = self.label();
        self.map()
            .map_err(|problem| (label.map(Cow::into_owned), problem))
    }

    fn label(&self) -> Option<Cow<'a, str>> {
        let known = |scalar: &Scalar<'a>| scalar.clone().into_text().filter(|text| !is_unset(text));
        known(&self.uuid).or_else(|| known(&self.name))
    }

    fn map(self) -> Result<Map<'a>, Problem> {
        let uuid = value("uuid", self.uuid)?.ok_or(Problem::NoWwid)?;
        let wwid = Wwid::new(&uuid).map_err(|reason| Problem::Wwid {
            uuid: uuid.to_string(),
            reason,
        })?;
        let groups = self.path_groups.into_iter().zip(1..);
        let path_groups: Result<_, _> = groups
            .map(|(Object(group), number)| group.group(number))
            .collect();
        let mut map = Map {
            name: value("name", self.name)?.unwrap_or(uuid),
            wwid,
            sysfs: literal("sysfs", self.sysfs)?,
            dm_state: literal("dm_st", self.dm_st)?,
            paths_total: 0,
            paths_active: 0,
            health: Health::Failed,
            reasons: Vec::new(),
            notes: Vec::new(),
            paths_expected: None,
            path_groups: path_groups?,
            transport: None,
            vendor: trimmed("vend", self.vend)?,
            product: trimmed("prod", self.prod)?,
            revision: trimmed("rev", self.rev)?,
            queueing: value("queueing", self.queueing)?,
            failback: value("failback", self.failback)?,
            features: value("features", self.features)?,
            hardware_handler: value("hwhandler", self.hwhandler)?,
            write_protected: match value("write_prot", self.write_prot)?.as_deref() {
                Some("ro") => Some(1),
                Some("rw") => Some(0),
                _ => None,
            },
            path_faults: counter("path_faults", &self.path_faults)?,
            group_switches: counter("switch_grp", &self.switch_grp)?,
            map_loads: counter("map_loads", &self.map_loads)?,
            queue_seconds: counter("total_q_time", &self.total_q_time)?,
            queue_timeouts: counter("q_timeouts", &self.q_timeouts)?,
            size: None,
            path: None,
            used: None,
        };
        map.derive();
        Ok(map)
    }
}

impl<'a> WireGroup<'a> {
    /// `position` stands in for the group's number where there is none.
    fn group(self, position: u32) -> Result<PathGroup<'a>, Problem> {
        let paths: Result<_, _> = self
            .paths
            .into_iter()
            .map(|Object(path)| path.path())
            .collect();
        Ok(PathGroup {
            group: counter("group", &self.group)?.unwrap_or(position),
            dm_state: literal("dm_st", self.dm_st)?,
            priority: priority(&self.pri)?.unwrap_or(-1),
            selector: value("selector", self.selector)?,
            marginal_state: value("marginal_st", self.marginal_st)?,
            paths: paths?,
        })
    }
}

impl<'a> WirePath<'a> {
    fn path(self) -> Result<Path<'a>, Problem> {
        let target_wwpn = value("target_wwpn", self.target_wwpn)?;
        Ok(Path {
            dev: value("dev", self.dev)?.ok_or(Problem::NoDevice)?,
            dev_number: value("dev_t", self.dev_t)?,
            dm_state: value("dm_st", self.dm_st)?,
            dev_state: value("dev_st", self.dev_st)?,
            check_state: value("chk_st", self.chk_st)?,
            checker: value("checker", self.checker)?,
            priority: priority(&self.pri)?,
            transport: target_wwpn.as_deref().and_then(Transport::from_target_wwpn),
            host_wwnn: value("host_wwnn", self.host_wwnn)?,
            host_wwpn: value("host_wwpn", self.host_wwpn)?,
            target_wwnn: value("target_wwnn", self.target_wwnn)?,
            target_wwpn,
            host_adapter: value("host_adapter", self.host_adapter)?,
            lun: value("lun_hex", self.lun_hex)?,
            marginal_state: value("marginal_st", self.marginal_st)?,
        })
    }
}

fn is_unset(text: &str) -> bool {
    // Nothing longer is in the list, which spares most texts the comparison.
    text.len() <= 9 && UNSET.contains(&text)
}

/// A text as it stands; an empty one is none.
fn text<'a>(field: &'static str, scalar: Scalar<'a>) -> Result<Option<Cow<'a, str>>, Problem> {
    match scalar {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text)),
        other => other.into_text().map(Some).ok_or(Problem::Text(field)),
    }
}

/// A text, or nothing where it is one of the markers of no value.
fn value<'a>(field: &'static str, scalar: Scalar<'a>) -> Result<Option<Cow<'a, str>>, Problem> {
    Ok(text(field, scalar)?.filter(|text| !is_unset(text)))
}

/// A text that every result has: as it stands, or `undef` where there is none, as multipathd says.
fn literal<'a>(field: &'static str, scalar: Scalar<'a>) -> Result<Cow<'a, str>, Problem> {
    let present = text(field, scalar)?.filter(|text| !text.is_empty());
    Ok(present.unwrap_or(Cow::Borrowed("undef")))
}

/// As [`value`], without blanks at both ends, which INQUIRY data is padded with.
fn trimmed<'a>(field: &'static str, scalar: Scalar<'a>) -> Result<Option<Cow<'a, str>>, Problem> {
    let trim = |text: Cow<'a, str>| match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    Ok(text(field, scalar)?
        .map(trim)
        .filter(|text| !is_unset(text)))
}

fn number(
    field: &'static str,
    scalar: &Scalar<'_>,
    min: i64,
    max: i64,
) -> Result<Option<i64>, Problem> {
    match scalar {
        Scalar::Null => return Ok(None),
        Scalar::Text(text) if is_unset(text) => return Ok(None),
        _ => {}
    }
    match scalar.as_int() {
        Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(Problem::Number {
            field,
            value: show(scalar),
            min,
            max,
        }),
    }
}

/// An unsigned 32-bit number, as multipathd's counters are.
fn counter(field: &'static str, scalar: &Scalar<'_>) -> Result<Option<u32>, Problem> {
    Ok(number(field, scalar, 0, u32::MAX.into())?.and_then(|number| u32::try_from(number).ok()))
}

/// A priority: multipathd keeps it in an `int`, -1 meaning that there is none.
fn priority(scalar: &Scalar<'_>) -> Result<Option<i32>, Problem> {
    let number = number("pri", scalar, i32::MIN.into(), i32::MAX.into())?;
    Ok(number.and_then(|number| i32::try_from(number).ok()))
}
