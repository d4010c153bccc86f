//! Writing as PVE::SectionConfig writes, but only what would be read back the same.

use std::collections::BTreeMap;

use thiserror::Error;

use super::parse::{accept, property_of};
use super::{Block, Config, DEFAULTS_ID, Line, Placed, Section, Value, by_position};
use crate::Wwid;
use crate::config::knobs::{Knob, Refused, SectionType};
use crate::types::wwid::InvalidWwid;
use crate::wire::byte_string::{ByteString, is_space};
use crate::wire::number::Number;

/// What is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<'a> {
    /// The file's bytes.
    pub text: Vec<u8>,
    /// Positions that new sections got, after those that were there.
    pub order: BTreeMap<ByteString<'a>, u64>,
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
    /// No section type of this configuration.
    #[error("unknown section type '{0}'")]
    UnknownType(String),
    /// The ID would be read back as something else.
    #[error("an ID may not be empty, nor have blanks or characters that are no bytes")]
    UnreadableId,
    /// The ID of a new section is none that it may have.
    #[error("a section of type 'defaults' has to be called 'defaults'")]
    DefaultsName,
    /// The ID of a new section is no WWID.
    #[error(transparent)]
    Wwid(#[from] InvalidWwid),
    /// The ID of a new section would make a WWID of the global knobs.
    #[error("'defaults' cannot be a WWID")]
    WwidDefaults,
    /// A value with a line break.
    #[error("property '{0}' contains a line feed")]
    LineFeed(&'static str),
    /// A value that the schema refuses.
    #[error("property '{property}': {reason}")]
    Refused {
        /// Name of the property.
        property: &'static str,
        /// Why.
        reason: Refused,
    },
    /// A list or hash.
    #[error("property '{0}' is not a plain value")]
    Nested(&'static str),
    /// A value that would be read back as something else.
    #[error("property '{0}' has blanks around its value, or characters that are no bytes")]
    UnreadableValue(&'static str),
    /// Something that every section may have in Proxmox VE, but not in this configuration.
    #[error("property '{0}' cannot be stored in this configuration")]
    Unsupported(&'static str),
}

/// Writes a configuration.
///
/// The sections come by their position and new ones after them by ID, properties by name. For
/// whatever [`parse`](super::parse) has read without a complaint, the text is the one that
/// PVE::SectionConfig writes. What it did not understand is given back where it stood: blocks
/// between the same sections, lines at the end of theirs.
pub fn write<'a>(config: &Config<'a>) -> Result<Written<'a>, WriteError> {
    let mut text = Text::default();
    let mut blocks = config.kept.blocks.iter().peekable();
    let (order, positions) = positions(config);

    for (position, id, section) in positions {
        while let Some(block) = blocks.next_if(|block| block.is_before(position)) {
            text.block(block);
        }
        let is_new = order.contains_key(id);
        let kept = config.kept.lines.get(id).map_or(&[][..], Vec::as_slice);
        text.section(id, section, is_new, kept)
            .map_err(|kind| WriteError {
                section: id.to_string(),
                kind,
            })?;
    }
    blocks.for_each(|block| text.block(block));

    Ok(Written {
        text: text.0,
        order,
    })
}

/// The new sections' positions, and all sections by position.
fn positions<'c, 'a>(
    config: &'c Config<'a>,
) -> (BTreeMap<ByteString<'a>, u64>, Vec<Placed<'c, 'a>>) {
    let (mut sections, mut new) = (Vec::with_capacity(config.ids.len()), Vec::new());
    for (id, section) in &config.ids {
        match config.position(id.as_str()) {
            Some(position) => sections.push((position, id, section)),
            None => new.push((id, section)),
        }
    }
    let last = sections.iter().map(|(position, _, _)| *position);
    let last = last.fold(0.0, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates"
    )]
    let mut last = last.floor() as u64;

    let mut order = BTreeMap::new();
    new.sort_unstable_by_key(|(id, _)| *id);
    for (id, section) in new {
        last = last.saturating_add(1);
        order.insert(id.clone(), last);
        sections.push((to_f64(last), id, section));
    }
    sections.sort_unstable_by(by_position);
    (order, sections)
}

fn to_f64(position: u64) -> f64 {
    Number::Integer(position).as_f64()
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

    fn block(&mut self, block: &Block<'_>) {
        for line in &block.lines {
            self.line([line.as_str(), "", "", ""]);
        }
        self.0.push(b'\n');
    }

    fn section(
        &mut self,
        id: &ByteString<'_>,
        section: &Section<'_>,
        is_new: bool,
        kept: &[Line<'_>],
    ) -> Result<(), WriteErrorKind> {
        let Some(kind) = section.kind() else {
            let name = section
                .get("type")
                .and_then(|kind| kind.to_text().map(Into::into));
            return Err(WriteErrorKind::UnknownType(name.unwrap_or_default()));
        };
        check_id(id, kind, is_new)?;
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

        self.line([kind.as_str(), ": ", id.as_str(), ""]);
        for (name, value) in section.iter().filter(|(_, value)| !value.is_undefined()) {
            if let Some(knob) = Knob::find(name.as_str()).filter(|knob| knob.is_for(kind)) {
                self.property(knob, value)?;
            }
        }
        for line in kept
            .iter()
            .filter(|line| stays_refused(line, kind, section))
        {
            self.line([line.text.as_str(), "", "", ""]);
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
        // a number of more than 64 bits is no text that the schema takes, but was one when it was read
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

fn check_id(id: &ByteString<'_>, kind: SectionType, is_new: bool) -> Result<(), WriteErrorKind> {
    if id.as_str().is_empty() || id.as_str().contains(is_space) || !id.is_bytes() {
        return Err(WriteErrorKind::UnreadableId);
    }
    if !is_new {
        return Ok(()); // it has been read like that
    }
    match kind {
        SectionType::Defaults if id != DEFAULTS_ID => Err(WriteErrorKind::DefaultsName),
        SectionType::Wwid if id == DEFAULTS_ID => Err(WriteErrorKind::WwidDefaults),
        SectionType::Wwid => Ok(Wwid::new(id.as_str()).map(|_| ())?),
        SectionType::Defaults => Ok(()),
    }
}

/// Whether a line that was refused will be again. A repeated property would come into force once
/// the first one is gone.
fn stays_refused(line: &Line<'_>, kind: SectionType, section: &Section<'_>) -> bool {
    match property_of(line.text.as_str()) {
        Some((key, value)) => {
            let is_set = key != "type" && section.get(key).is_some_and(is_read_back);
            accept(kind, key, is_set, value).is_err()
        }
        None => true,
    }
}

/// Whether what is written of a value sets it when it is read.
fn is_read_back(value: &Value<'_>) -> bool {
    let text = value.to_text();
    text.is_some_and(|text| !text.is_empty() && !Number::is_large(&text))
}
