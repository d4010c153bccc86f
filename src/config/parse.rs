//! Reading as PVE::SectionConfig (pve-common 9.2.1) reads.

use std::collections::hash_map::Entry;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::{Block, Config, DEFAULTS_ID, Hidden, Line, Section, Value};
use crate::config::knobs::{Knob, Refused, SectionType};
use crate::wire::byte_string::{ByteString, is_space_byte, is_true};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed<'a> {
    /// The configuration.
    pub config: Config<'a>,
    /// What PVE::SectionConfig warns of, in the same words and sequence; each ends in a line feed.
    pub warnings: Vec<ByteString<'static>>,
}

/// A value that was refused. The keys are PVE::SectionConfig's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueError {
    /// File and line.
    pub context: String,
    /// ID of the section.
    pub section: ByteString<'static>,
    /// Name of the property.
    pub key: ByteString<'static>,
    /// The reason, with a line feed.
    pub err: ByteString<'static>,
}

/// Reads a configuration. Every text is one; what is wrong in it is in the warnings, and is kept.
///
/// `file_name` is for messages only.
pub fn parse<'a>(file_name: &str, raw: &'a [u8]) -> Parsed<'a> {
    let mut parser = Parser {
        file_name,
        parsed: Parsed::default(),
        open: Open::Nothing,
        sections: 0,
    };
    // A LUN's section has about this many bytes; too little room only costs a copy.
    let sections = raw.len() / 128;
    parser.parsed.config.ids.reserve(sections);
    parser.parsed.config.order.reserve(sections);
    for (index, line) in raw.split(|&byte| byte == b'\n').enumerate() {
        parser.line(index + 1, line);
    }
    parser.close();

    parser.parsed.config.digest = Value::Text(hexadecimal(&Sha1::digest(raw)).into());
    parser.parsed
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

struct Parser<'f, 'a> {
    file_name: &'f str,
    parsed: Parsed<'a>,
    open: Open<'a>,
    /// Sections so far, those that were replaced included.
    sections: u64,
}

/// The section that the present line belongs to.
enum Open<'a> {
    Nothing,
    Known {
        id: ByteString<'a>,
        kind: SectionType,
        section: Section<'a>,
        /// Whether a line has named the type.
        named_type: bool,
        kept: Vec<Line<'a>>,
    },
    Unknown(Block<'a>),
    /// Not a section: lines between two.
    Outside(Block<'a>),
}

impl<'a> Parser<'_, 'a> {
    fn line(&mut self, number: usize, line: &'a [u8]) {
        if is_comment(line) {
            // part of what the section's own software will read
            if let Open::Unknown(block) = &mut self.open {
                block.lines.push(ByteString::from_bytes(line));
            }
            return;
        }
        // what Perl takes for false ends a section
        if !is_true(line) {
            self.close();
            return;
        }
        match &mut self.open {
            Open::Nothing | Open::Outside(_) => self.outside(number, line),
            Open::Unknown(block) => block.lines.push(ByteString::from_bytes(line)),
            Open::Known { .. } => self.inside(number, line),
        }
    }

    fn outside(&mut self, number: usize, line: &'a [u8]) {
        let Some((kind, id)) = header(line) else {
            let line = ByteString::from_bytes(line);
            let context = self.context(number);
            self.warn(format!("{context} - ignore config line: {line}\n"));
            self.keep_outside(line);
            return;
        };
        self.close();
        let (kind, id) = (ByteString::from_bytes(kind), ByteString::from_bytes(id));
        if let Some(kind) = SectionType::from_name(kind.as_str()) {
            self.open = Open::Known {
                id,
                kind,
                section: Section::new(kind),
                named_type: false,
                kept: Vec::new(),
            };
            return;
        }
        let context = self.context(number);
        // what Perl takes for false is no type
        let reason = match is_true(kind.as_str().as_bytes()) {
            true => format!("unsupported type '{kind}'"),
            false => "missing type - internal error".to_owned(),
        };
        self.warn(format!("{context} (skip section '{id}'): {reason}\n"));
        self.open = Open::Unknown(Block {
            after: self.sections,
            lines: vec![ByteString::from_bytes(line)],
        });
    }

    fn inside(&mut self, number: usize, line: &'a [u8]) {
        let Open::Known {
            id,
            kind,
            section,
            named_type,
            kept,
        } = &mut self.open
        else {
            return;
        };
        let Some((key, value)) = property(line) else {
            let text = ByteString::from_bytes(line);
            let warning = format!(
                "file {} line {number} (section '{id}') - ignore config line: {text}\n",
                self.file_name
            );
            // nothing is lost with a line of blanks
            if !line.iter().copied().all(is_space_byte) {
                kept.push(Line { key: None, text });
            }
            self.warn(warning);
            return;
        };

        let key = ByteString::from_bytes(key);
        let value = value.map(ByteString::from_bytes);
        let is_set = match key.as_str() {
            "type" => *named_type,
            name => section.get(name).is_some(),
        };
        match accept(*kind, key.as_str(), is_set, value) {
            Ok(Accepted::Type) => *named_type = true,
            Ok(Accepted::Value(knob, value)) => section.set(knob.name.into(), value),
            Err(err) => {
                let context = format!("file {} line {number}", self.file_name);
                let warning = format!(
                    "{context} (section '{id}') - unable to parse value of '{key}': {err}\n"
                );
                let error = ValueError {
                    context,
                    section: id.clone().into_owned(),
                    key: key.clone().into_owned(),
                    err: format!("{err}\n").into(),
                };
                kept.push(Line {
                    key: Some(key),
                    text: ByteString::from_bytes(line),
                });
                self.parsed.config.errors.push(error);
                self.warn(warning);
            }
        }
    }

    /// Ends the section that is open.
    fn close(&mut self) {
        let config = &mut self.parsed.config;
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Unknown(block) | Open::Outside(block) => config.kept.blocks.push(block),
            Open::Known {
                id, section, kept, ..
            } => {
                self.sections += 1;
                let position = Value::Number(crate::wire::number::Number::Integer(self.sections));
                config.order.insert(id.clone(), position);
                match config.ids.entry(id.clone()) {
                    Entry::Vacant(entry) => {
                        entry.insert(section);
                    }
                    Entry::Occupied(mut entry) => {
                        let kind = section.kind();
                        let old = entry.insert(section);
                        let lines = config.kept.lines.remove(&id).unwrap_or_default();
                        *config.kept.replaced.entry(id.clone()).or_default() += 1;
                        if id == *DEFAULTS_ID {
                            match (old.kind(), kind) {
                                (Some(SectionType::Defaults), Some(SectionType::Wwid)) => {
                                    let section = old;
                                    config.kept.hidden = Some(Box::new(Hidden { section, lines }));
                                }
                                (_, Some(SectionType::Defaults)) => config.kept.hidden = None,
                                _ => {}
                            }
                        }
                    }
                }
                if !kept.is_empty() {
                    config.kept.lines.insert(id, kept);
                }
            }
        }
    }

    /// Keeps a line that belongs to no section, together with those right before it.
    fn keep_outside(&mut self, line: ByteString<'a>) {
        if line
            .as_str()
            .chars()
            .all(crate::wire::byte_string::is_space)
        {
            return;
        }
        match &mut self.open {
            Open::Outside(block) => block.lines.push(line),
            _ => {
                self.open = Open::Outside(Block {
                    after: self.sections,
                    lines: vec![line],
                });
            }
        }
    }

    fn context(&self, number: usize) -> String {
        format!("file {} line {number}", self.file_name)
    }

    fn warn(&mut self, text: String) {
        self.parsed.warnings.push(text.into());
    }
}

/// Why the value of a property is refused. The texts are PVE::SectionConfig's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("unknown property type")]
    UnknownProperty,
    #[error("duplicate attribute")]
    Duplicate,
    #[error("unexpected property '{0}'")]
    Unexpected(String),
    #[error("got undefined value")]
    NoValue,
    #[error("property contains a line feed")]
    LineFeed,
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A property that means something.
pub(super) enum Accepted<'a> {
    /// The section's type once more.
    Type,
    Value(&'static Knob, Value<'a>),
}

/// What a property line of a section of this type means. The sequence of the checks is
/// PVE::SectionConfig's: the first that fails is reported.
pub(super) fn accept<'a>(
    kind: SectionType,
    key: &str,
    is_set: bool,
    value: Option<ByteString<'a>>,
) -> Result<Accepted<'a>, Unusable> {
    let knob = Knob::find(key);
    if knob.is_none() && key != "type" && key != "id" {
        return Err(Unusable::UnknownProperty);
    }
    if is_set {
        return Err(Unusable::Duplicate);
    }
    if key == "type" && value.as_ref().is_some_and(|value| value == kind.as_str()) {
        return Ok(Accepted::Type);
    }
    let Some(knob) = knob.filter(|knob| knob.is_for(kind)) else {
        return Err(Unusable::Unexpected(key.to_owned()));
    };
    let value = value.ok_or(Unusable::NoValue)?;
    if memchr::memchr2(b'\n', b'\r', value.as_str().as_bytes()).is_some() {
        return Err(Unusable::LineFeed);
    }
    Ok(Accepted::Value(
        knob,
        match knob.check(value.as_str())? {
            Some(number) => Value::Number(number),
            None => Value::Text(value),
        },
    ))
}

fn is_comment(line: &[u8]) -> bool {
    trim_start(line).first() == Some(&b'#')
}

/// Type and ID of a section's header, `^(\S+):\s*(\S+)\s*$`.
pub(super) fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = split_word(line);
    let id = trim(rest);
    if id.is_empty() {
        // one word: the last colon with something on both sides
        let inner = word.get(1..word.len().checked_sub(1)?)?;
        let colon = inner.iter().rposition(|&byte| byte == b':')? + 1;
        return Some((word.get(..colon)?, word.get(colon + 1..)?));
    }
    let kind = word.strip_suffix(b":")?;
    let one_word = !id.iter().copied().any(is_space_byte);
    (!kind.is_empty() && one_word).then_some((kind, id))
}

/// Name and value of a property, `^\s+(\S+)(\s+(.*\S))?\s*$`.
fn property(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if !line.first().copied().is_some_and(is_space_byte) {
        return None;
    }
    let (key, rest) = split_word(trim_start(line));
    let value = trim(rest);
    (!key.is_empty()).then_some((key, (!value.is_empty()).then_some(value)))
}

/// Name and value in the text of a property line.
pub(super) fn property_of<'t>(text: &'t str) -> Option<(&'t str, Option<ByteString<'t>>)> {
    let (key, value) = property(text.as_bytes())?;
    let text = |bytes: &'t [u8]| std::str::from_utf8(bytes).ok();
    Some((text(key)?, value.and_then(text).map(ByteString::from)))
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .copied()
        .position(is_space_byte)
        .unwrap_or(text.len());
    text.split_at(end)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().copied().position(|byte| !is_space_byte(byte));
    text.get(start.unwrap_or(text.len())..).unwrap_or_default()
}

fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().copied().rposition(|byte| !is_space_byte(byte));
    trim_start(end.and_then(|end| text.get(..=end)).unwrap_or_default())
}
