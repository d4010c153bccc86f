//! Writes as PVE::SectionConfig does, but only what is read back the same.

use std::collections::BTreeMap;

use thiserror::Error;

use super::document::{Config, Item, Section};
use super::knobs::{Knob, SchemaError, SectionType};
use super::parse::{accept, property_of};
use super::{DEFAULTS_ID, Value};
use crate::Wwid;
use crate::types::wwid::InvalidWwid;
use crate::wire::byte_string::{ByteString, is_space};
use crate::wire::number::Number;

/// A configuration as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<'a> {
    /// The file's bytes.
    pub text: Vec<u8>,
    /// The positions of new sections by ID.
    pub order: BTreeMap<ByteString<'a>, i64>,
}

/// Why a configuration cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("section '{section}': {kind}")]
pub struct WriteError {
    /// ID of the section.
    pub section: String,
    /// What is wrong with it.
    pub kind: WriteErrorKind,
}

/// What is wrong with a section that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// Not a section type of this configuration.
    #[error("unknown section type '{0}'")]
    UnknownType(String),
    /// The ID would be read back as something else.
    #[error("an ID may not be empty, nor have blanks or characters beyond one byte")]
    UnreadableId,
    /// A new section of type `defaults` has another ID.
    #[error("the ID of a section of type 'defaults' has to be 'defaults'")]
    DefaultsName,
    /// The ID of a new LUN's section is not a WWID.
    #[error(transparent)]
    Wwid(#[from] InvalidWwid),
    /// The ID of a new LUN's section is `defaults`.
    #[error("'defaults' cannot be a WWID")]
    WwidDefaults,
    /// A value has a line break.
    #[error("property '{0}' contains a line feed")]
    LineFeed(&'static str),
    /// The schema refuses a value.
    #[error("property '{property}': {reason}")]
    Refused {
        /// Name of the property.
        property: &'static str,
        /// Why.
        reason: SchemaError,
    },
    /// A value is a list or a hash.
    #[error("property '{0}' is a list or a hash")]
    Nested(&'static str),
    /// A value would be read back as something else.
    #[error("property '{0}' has blanks around its value, or characters beyond one byte")]
    UnreadableValue(&'static str),
    /// A property that PVE::SectionConfig writes for every section type, but does not read here.
    #[error("property '{0}' cannot be stored in this configuration")]
    Unsupported(&'static str),
}

/// Writes a configuration.
///
/// Sections come in file order, new ones last and by ID, properties by name. For whatever
/// [`parse`](super::parse()) reads without a warning, the text is the one that PVE::SectionConfig
/// writes. Lines that it did not understand are given back: those between sections where they stood,
/// others at the end of their section.
pub fn write<'a>(config: &Config<'a>) -> Result<Written<'a>, WriteError> {
    let mut text = Text::default();
    let mut order = BTreeMap::new();
    let last = config.sections().filter_map(|section| section.position);
    let mut last = last.fold(0, i64::max);
    for item in &config.items {
        match item {
            Item::Lines(lines) => text.lines(lines),
            Item::Section(section) => {
                text.section(section).map_err(|kind| WriteError {
                    section: section.id.to_string(),
                    kind,
                })?;
                if section.position.is_none() {
                    last = last.saturating_add(1);
                    order.insert(section.id.clone(), last);
                }
            }
        }
    }
    let text = text.0;
    Ok(Written { text, order })
}

#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn push(&mut self, text: &str) {
        if text.is_ascii() {
            self.0.extend_from_slice(text.as_bytes());
        } else {
            let bytes = text.chars().filter_map(|c| u8::try_from(u32::from(c)).ok());
            self.0.extend(bytes);
        }
    }

    fn line(&mut self, parts: [&str; 4]) {
        parts.iter().for_each(|part| self.push(part));
        self.0.push(b'\n');
    }

    /// Lines between two sections.
    fn lines(&mut self, lines: &[ByteString<'_>]) {
        for line in lines {
            self.line([line.as_str(), "", "", ""]);
        }
        self.0.push(b'\n');
    }

    fn section(&mut self, section: &Section<'_>) -> Result<(), WriteErrorKind> {
        let Some(kind) = section.kind() else {
            let name = section.get("type").and_then(Value::to_text);
            return Err(WriteErrorKind::UnknownType(name.unwrap_or_default().into()));
        };
        check_id(section, kind)?;
        // PVE::SectionConfig writes these, and refuses them when it reads
        for name in ["comment", "disable"] {
            let Some(value) = section.get(name).filter(|value| value.is_true()) else {
                continue;
            };
            return Err(match value.to_text() {
                Some(text) if text.contains(['\n', '\r']) => WriteErrorKind::LineFeed(name),
                _ => WriteErrorKind::Unsupported(name),
            });
        }

        self.line([kind.as_str(), ": ", section.id.as_str(), ""]);
        for (name, value) in section.properties.iter() {
            let knob = Knob::find(name.as_str()).filter(|knob| knob.is_for(kind));
            if let Some(knob) = knob.filter(|_| !value.is_undefined()) {
                self.property(knob, value)?;
            }
        }
        let lines = section.lines.iter();
        for line in lines.filter(|line| stays_refused(line.as_str(), kind, section)) {
            self.line([line.as_str(), "", "", ""]);
        }
        self.0.push(b'\n');
        Ok(())
    }

    fn property(&mut self, knob: &'static Knob, value: &Value<'_>) -> Result<(), WriteErrorKind> {
        let text = value.to_text().ok_or(WriteErrorKind::Nested(knob.name))?;
        if text.contains(['\n', '\r']) {
            return Err(WriteErrorKind::LineFeed(knob.name));
        }
        if text.is_empty() {
            return Ok(());
        }
        // read from digits that the schema accepts, but not printed as such
        let is_large = knob.is_number() && Number::is_large(&text);
        if !is_large {
            let refused = |reason| WriteErrorKind::Refused {
                property: knob.name,
                reason,
            };
            knob.check(&text).map_err(refused)?;
        }
        let is_bytes = text.chars().all(|c| u32::from(c) <= 0xff);
        if !is_bytes || text.starts_with(is_space) || text.ends_with(is_space) {
            return Err(WriteErrorKind::UnreadableValue(knob.name));
        }
        self.line(["\t", knob.name, " ", &text]);
        Ok(())
    }
}

fn check_id(section: &Section<'_>, kind: SectionType) -> Result<(), WriteErrorKind> {
    let id = &section.id;
    if id.as_str().is_empty() || id.as_str().contains(is_space) || !id.is_bytes() {
        return Err(WriteErrorKind::UnreadableId);
    }
    if section.position.is_some() {
        return Ok(()); // it was read like that
    }
    match kind {
        SectionType::Defaults if *id != *DEFAULTS_ID => Err(WriteErrorKind::DefaultsName),
        SectionType::Wwid if *id == *DEFAULTS_ID => Err(WriteErrorKind::WwidDefaults),
        SectionType::Wwid => Ok(Wwid::new(id.as_str()).map(drop)?),
        SectionType::Defaults => Ok(()),
    }
}

/// Whether a line that was refused will be refused again. A repeated property would come into force
/// once the first one is gone.
fn stays_refused(line: &str, kind: SectionType, section: &Section<'_>) -> bool {
    property_of(line).is_none_or(|(key, value)| {
        let is_set = key != "type" && section.get(key).is_some_and(is_read_back);
        accept(kind, key, is_set, value.map(ByteString::from)).is_err()
    })
}

/// Whether reading what was written of a value sets it.
fn is_read_back(value: &Value<'_>) -> bool {
    let text = value.to_text();
    text.is_some_and(|text| !text.is_empty() && !Number::is_large(&text))
}
