//! The configuration in memory: sections and lines that were not understood, in file order.

use serde::Deserialize;

use super::hash::Hash;
use super::knobs::SectionType;
use super::parse::ValueError;
use super::{DEFAULTS_ID, Properties, Value};
use crate::wire::byte_string::ByteString;

/// The cluster's configuration.
///
/// It holds whatever PVE::SectionConfig accepts, and whatever a Perl program puts into it: check it
/// with [`problems`](super::problems()), and take what is safe to use from [`luns`](super::luns()) and
/// [`effective_defaults`](super::effective_defaults).
///
/// It is serialized as the hash that Perl's callers know, `{ ids, order, digest, errors, kept }`.
/// `kept` holds what was not understood.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Hash<'a>")]
pub struct Config<'a> {
    /// In file order, each ID once. New sections come last, sorted by ID.
    #[serde(borrow)]
    pub(super) items: Vec<Item<'a>>,
    pub(super) digest: Value<'a>,
    pub(super) errors: Vec<ValueError>,
}

/// A part of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// A section of a known type, or one that a Perl program made.
    Section(Section<'a>),
    /// A section of an unknown type, or lines between two sections. Without line feeds.
    Lines(Vec<ByteString<'a>>),
}

/// A section.
#[derive(Clone, Debug, PartialEq)]
pub struct Section<'a> {
    pub(super) id: ByteString<'a>,
    pub(super) position: Option<i64>,
    pub(super) properties: Properties<'a>,
    /// Lines that set no property of it: unknown ones, and values that were refused.
    pub(super) lines: Vec<ByteString<'a>>,
    /// Earlier sections with this ID. They are not written, as with PVE::SectionConfig.
    pub(super) replaced: Vec<Section<'a>>,
}

impl<'a> Config<'a> {
    /// Sections and lines in file order.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// The sections in file order.
    pub fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Section(section) => Some(section),
            Item::Lines(_) => None,
        })
    }

    /// The section with this ID.
    pub fn section(&self, id: &str) -> Option<&Section<'a>> {
        self.sections().find(|section| section.id == *id)
    }

    pub(super) fn section_mut(&mut self, id: &str) -> Option<&mut Section<'a>> {
        self.items.iter_mut().find_map(|item| match item {
            Item::Section(section) => (section.id == *id).then_some(section),
            Item::Lines(_) => None,
        })
    }

    /// The lines that were not understood, those inside of sections too.
    pub fn lines(&self) -> impl Iterator<Item = &ByteString<'a>> {
        self.items.iter().flat_map(|item| match item {
            Item::Section(section) => &section.lines,
            Item::Lines(lines) => lines,
        })
    }

    /// Whether there is neither a section nor a line that was not understood.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// SHA-1 of the file's bytes in hexadecimal, lower case.
    pub fn digest(&self) -> &Value<'a> {
        &self.digest
    }

    /// The values that were refused when the file was read.
    pub fn errors(&self) -> &[ValueError] {
        &self.errors
    }

    /// Adds a section that the file does not have yet.
    pub(super) fn insert(&mut self, section: Section<'a>) {
        let is_later = |item: &Item<'_>| match item {
            Item::Section(other) => other.position.is_none() && other.id > section.id,
            Item::Lines(_) => false,
        };
        let place = self.items.iter().position(is_later);
        let place = place.unwrap_or(self.items.len());
        self.items.insert(place, Item::Section(section));
    }

    /// Removes a section, and brings back the global knobs if it was a LUN's and had replaced them.
    pub(super) fn remove(&mut self, id: &str) {
        let is_it = |item: &Item<'_>| matches!(item, Item::Section(section) if section.id == *id);
        let Some(place) = self.items.iter().position(is_it) else {
            return;
        };
        let Item::Section(removed) = self.items.remove(place) else {
            return;
        };
        if removed.id != *DEFAULTS_ID || removed.kind() != Some(SectionType::Wwid) {
            return;
        }
        let mut earlier = removed.replaced.into_iter().rev();
        if let Some(mut defaults) = earlier.find(|old| old.kind() == Some(SectionType::Defaults)) {
            defaults.position = None;
            self.insert(defaults);
        }
    }
}

impl<'a> Section<'a> {
    /// A section of this type without properties.
    pub(super) fn new(id: ByteString<'a>, kind: SectionType) -> Self {
        let mut properties = Properties::default();
        properties.set("type".into(), Value::Text(kind.as_str().into()));
        Self {
            id,
            position: None,
            properties,
            lines: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// Its ID.
    pub fn id(&self) -> &ByteString<'a> {
        &self.id
    }

    /// The number that Perl's hash has for its place in the file; none if it is new.
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Its type, if that is a known one.
    pub fn kind(&self) -> Option<SectionType> {
        SectionType::from_name(&self.get("type")?.to_text()?)
    }

    /// A property that is set.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let value = self.properties.get(name)?;
        (!value.is_undefined()).then_some(value)
    }

    /// The properties, `type` and undefined ones included.
    pub fn properties(&self) -> &Properties<'a> {
        &self.properties
    }

    /// The lines of it that were not understood, without line feeds.
    pub fn lines(&self) -> &[ByteString<'a>] {
        &self.lines
    }

    /// How many earlier sections of the file have this ID.
    pub fn replaced(&self) -> usize {
        self.replaced.len()
    }
}
