//! Reading as PVE::SectionConfig (pve-common 9.2.1) reads.

use std::collections::HashMap;
use std::str::from_utf8;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::Value;
use super::document::{Config, Item, Section};
use super::knobs::{Knob, SchemaError, SectionType};
use crate::wire::byte_string::{ByteString, is_space, is_space_byte, is_true};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedConfig<'a> {
    /// The configuration.
    pub config: Config<'a>,
    /// PVE::SectionConfig's warnings, in its words and order; each ends in a line feed.
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

/// Reads a configuration. It accepts any text; lines that it does not understand are kept, and most
/// cause a warning.
///
/// `file_name` only appears in messages.
pub fn parse<'a>(file_name: &str, raw: &'a [u8]) -> ParsedConfig<'a> {
    // A LUN's section has about this many bytes; too small an estimate only costs a copy.
    let sections = raw.len() / 128;
    let mut parser = Parser {
        file_name,
        items: Vec::with_capacity(sections),
        places: HashMap::with_capacity(sections),
        sections: 0,
        open: Open::Nothing,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    for (index, line) in raw.split(|&byte| byte == b'\n').enumerate() {
        parser.line(index + 1, line);
    }
    parser.close();

    ParsedConfig {
        config: Config {
            items: parser.items.into_iter().flatten().collect(),
            digest: Value::Text(format!("{:x}", Sha1::digest(raw)).into()),
            errors: parser.errors,
        },
        warnings: parser.warnings,
    }
}

struct Parser<'f, 'a> {
    file_name: &'f str,
    /// None in place of a section that a later one has replaced.
    items: Vec<Option<Item<'a>>>,
    /// The index of each section in `items`.
    places: HashMap<ByteString<'a>, usize>,
    /// Number of sections so far, those that were replaced included.
    sections: i64,
    open: Open<'a>,
    errors: Vec<ValueError>,
    warnings: Vec<ByteString<'static>>,
}

/// What the current line belongs to.
enum Open<'a> {
    Nothing,
    Known {
        section: Section<'a>,
        kind: SectionType,
        /// Whether a line has named the type.
        named_type: bool,
    },
    /// A section of an unknown type.
    Unknown(Vec<ByteString<'a>>),
    /// Lines between two sections.
    Outside(Vec<ByteString<'a>>),
}

impl<'a> Parser<'_, 'a> {
    fn line(&mut self, number: usize, line: &'a [u8]) {
        if is_comment(line) {
            // whoever knows the section's type may need it
            if let Open::Unknown(lines) = &mut self.open {
                lines.push(ByteString::from_bytes(line));
            }
            return;
        }
        // PVE::SectionConfig tests the line's truth: '0' ends a section as well
        if !is_true(line) {
            self.close();
            return;
        }
        match &mut self.open {
            Open::Nothing | Open::Outside(_) => self.outside(number, line),
            Open::Unknown(lines) => lines.push(ByteString::from_bytes(line)),
            Open::Known { .. } => self.inside(number, line),
        }
    }

    fn outside(&mut self, number: usize, line: &'a [u8]) {
        let context = || format!("file {} line {number}", self.file_name);
        let Some((kind, id)) = header(line) else {
            let text = ByteString::from_bytes(line);
            let warning = format!("{} - ignore config line: {text}\n", context());
            self.warnings.push(warning.into());
            if is_blank(&text) {
                return;
            }
            match &mut self.open {
                Open::Outside(lines) => lines.push(text),
                _ => self.open = Open::Outside(vec![text]),
            }
            return;
        };
        let (kind, id) = (ByteString::from_bytes(kind), ByteString::from_bytes(id));
        let open = if let Some(kind) = SectionType::from_name(kind.as_str()) {
            Open::Known {
                section: Section::new(id, kind),
                kind,
                named_type: false,
            }
        } else {
            // as PVE::SectionConfig tests it
            let reason = match is_true(kind.as_str().as_bytes()) {
                true => format!("unsupported type '{kind}'"),
                false => "missing type - internal error".to_owned(),
            };
            let warning = format!("{} (skip section '{id}'): {reason}\n", context());
            self.warnings.push(warning.into());
            Open::Unknown(vec![ByteString::from_bytes(line)])
        };
        self.close();
        self.open = open;
    }

    fn inside(&mut self, number: usize, line: &'a [u8]) {
        let Open::Known {
            section,
            kind,
            named_type,
        } = &mut self.open
        else {
            return;
        };
        let context = || format!("file {} line {number}", self.file_name);
        let id = &section.id;
        let Some((key, value)) = property(line) else {
            let (context, text) = (context(), ByteString::from_bytes(line));
            let warning = format!("{context} (section '{id}') - ignore config line: {text}\n");
            self.warnings.push(warning.into());
            if !is_blank(&text) {
                section.lines.push(text);
            }
            return;
        };

        let key = ByteString::from_bytes(key);
        let is_set = match key.as_str() {
            "type" => *named_type,
            name => section.get(name).is_some(),
        };
        match accept(
            *kind,
            key.as_str(),
            is_set,
            value.map(ByteString::from_bytes),
        ) {
            Ok(Accepted::Type) => *named_type = true,
            Ok(Accepted::Value(knob, value)) => {
                section.properties.set(knob.name.into(), value);
            }
            Err(err) => {
                let context = context();
                let warning = format!(
                    "{context} (section '{id}') - unable to parse value of '{key}': {err}\n"
                );
                self.warnings.push(warning.into());
                self.errors.push(ValueError {
                    context,
                    section: id.clone().into_owned(),
                    key: key.into_owned(),
                    err: format!("{err}\n").into(),
                });
                section.lines.push(ByteString::from_bytes(line));
            }
        }
    }

    /// Ends what is open.
    fn close(&mut self) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Unknown(lines) | Open::Outside(lines) => {
                self.items.push(Some(Item::Lines(lines)));
            }
            Open::Known { mut section, .. } => {
                self.sections += 1;
                section.position = Some(self.sections);
                let earlier = self.places.insert(section.id.clone(), self.items.len());
                let earlier = earlier.and_then(|place| self.items.get_mut(place)?.take());
                if let Some(Item::Section(mut earlier)) = earlier {
                    section.replaced = std::mem::take(&mut earlier.replaced);
                    section.replaced.push(earlier);
                }
                self.items.push(Some(Item::Section(section)));
            }
        }
    }
}

/// A line that means nothing to any version.
fn is_blank(line: &ByteString<'_>) -> bool {
    line.as_str().chars().all(is_space)
}

/// Why the value of a property is refused. The texts are PVE::SectionConfig's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PropertyError {
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
    Refused(#[from] SchemaError),
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
) -> Result<Accepted<'a>, PropertyError> {
    let knob = Knob::find(key);
    if knob.is_none() && key != "type" && key != "id" {
        return Err(PropertyError::UnknownProperty);
    }
    if is_set {
        return Err(PropertyError::Duplicate);
    }
    if key == "type" && value.as_ref().is_some_and(|value| value == kind.as_str()) {
        return Ok(Accepted::Type);
    }
    let Some(knob) = knob.filter(|knob| knob.is_for(kind)) else {
        return Err(PropertyError::Unexpected(key.to_owned()));
    };
    let value = value.ok_or(PropertyError::NoValue)?;
    if memchr::memchr2(b'\n', b'\r', value.as_str().as_bytes()).is_some() {
        return Err(PropertyError::LineFeed);
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
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
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

/// [`header`] of a text. Cut at white space and colons, it stays UTF-8.
pub(super) fn header_of(line: &str) -> Option<(&str, &str)> {
    let (kind, id) = header(line.as_bytes())?;
    Some((from_utf8(kind).ok()?, from_utf8(id).ok()?))
}

/// [`property`] of a text.
pub(super) fn property_of(line: &str) -> Option<(&str, Option<&str>)> {
    let (key, value) = property(line.as_bytes())?;
    Some((
        from_utf8(key).ok()?,
        value.and_then(|value| from_utf8(value).ok()),
    ))
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
