//! The cluster's configuration, `multipath.cfg`.
//!
//! A section configuration as Proxmox VE has them: a section `defaults` with the global knobs and a
//! section of type `wwid` for each allow-listed LUN. [`parse`] and [`write()`] behave as
//! PVE::SectionConfig does with the schema of [`knobs`], byte for byte, so that a node
//! may use either; beyond that, nothing is lost that was not understood ([`Kept`]), and nothing is
//! written that would be read back as something else.
//!
//! What PVE::SectionConfig accepts may still harm: an ID that is no WWID, an alias that looks like a
//! device, a path selector that the kernel does not have. Such things are parsed, listed by
//! [`problems`], refused by every [`Change`], and hidden from consumers, which get [`luns`] and
//! [`effective_defaults`].

mod change;
mod effective;
pub mod knobs;
mod luns;
mod parse;
mod problems;
mod section;
pub mod sections;
pub mod settings;
mod value;
mod write;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

pub use change::{Change, ChangeError, Update};
pub use effective::{Effective, EffectiveLun, EffectiveValue, Origin, effective};
pub use luns::{AllowListed, allow_list, effective_defaults, luns, managed_defaults};
pub(crate) use parse::hexadecimal;
pub use parse::{Parsed, ValueError, parse};
pub use problems::{Problem, ProblemCode, problems};
pub use section::Section;
pub use value::Value;
pub use write::{WriteError, WriteErrorKind, Written, write};

use crate::wire::byte_string::ByteString;
use crate::wire::number::Number;

/// ID of the section with the global knobs.
pub const DEFAULTS_ID: &str = "defaults";

/// The configuration as Perl's callers know it, `{ ids, order, digest, ... }`.
///
/// It holds whatever PVE::SectionConfig would accept, and what a Perl program put into it: check it
/// with [`problems`], and take what is fit for use from [`luns`] and [`effective_defaults`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config<'a> {
    /// The sections by their IDs.
    #[serde(borrow)]
    pub ids: HashMap<ByteString<'a>, Section<'a>>,
    /// Position of each section in the file. One without is new and goes to the end.
    #[serde(borrow, default, deserialize_with = "value::pairs")]
    pub order: HashMap<ByteString<'a>, Value<'a>>,
    /// SHA-1 of the file's bytes in hexadecimal, lower case.
    #[serde(borrow, default)]
    pub digest: Value<'a>,
    /// The values that were refused.
    #[serde(default, skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ValueError>,
    /// What was not understood.
    #[serde(borrow, default, skip_serializing_if = "Kept::is_empty")]
    pub kept: Kept<'a>,
}

/// What was not understood, and is given back by [`write()`] where it stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept<'a> {
    /// Sections of unknown types, and lines outside of sections that are no header.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Block<'a>>,
    /// By section, lines of it that are no property of it, or whose value was refused.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<ByteString<'a>, Vec<Line<'a>>>,
    /// How many earlier sections had the ID of a later one, which replaced them. They are not given
    /// back: PVE::SectionConfig drops them as well.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<ByteString<'a>, u64>,
    /// The section with the global knobs, if it was replaced by one of type `wwid`. It counts again once
    /// that one is removed.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Box<Hidden<'a>>>,
}

/// A section that was replaced by a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden<'a> {
    /// What was understood of it.
    #[serde(borrow)]
    pub section: Section<'a>,
    /// What was not.
    #[serde(borrow)]
    pub lines: Vec<Line<'a>>,
}

/// Lines between two sections that were understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block<'a> {
    /// Position in the file of the section before it, 0 if there is none.
    pub after: u64,
    /// The lines, without line feeds.
    #[serde(borrow)]
    pub lines: Vec<ByteString<'a>>,
}

/// A line of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// The property it would set; none if it has not the form of one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ByteString<'a>>,
    /// The line, without its line feed.
    #[serde(borrow)]
    pub text: ByteString<'a>,
}

impl Kept<'_> {
    /// Whether everything was understood.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
            && self.lines.is_empty()
            && self.replaced.is_empty()
            && self.hidden.is_none()
    }
}

impl Block<'_> {
    /// Whether it stands before the section at this position.
    fn is_before(&self, position: f64) -> bool {
        Number::Integer(self.after).as_f64() < position
    }
}

impl<'a> Config<'a> {
    /// The position of a section in the file; none if it is new.
    fn position(&self, id: &str) -> Option<f64> {
        self.order.get(id)?.as_f64()
    }

    /// The sections by their position, new ones last and by ID.
    fn placed(&self) -> Vec<Placed<'_, 'a>> {
        let mut sections: Vec<_> = self
            .ids
            .iter()
            .map(|(id, section)| {
                let position = self.position(id.as_str());
                (position.unwrap_or(f64::INFINITY), id, section)
            })
            .collect();
        sections.sort_by(by_position);
        sections
    }
}

/// A section with its ID and position.
type Placed<'c, 'a> = (f64, &'c ByteString<'a>, &'c Section<'a>);

/// The order of sections in the file; of two at one position, that of their IDs.
fn by_position(a: &Placed<'_, '_>, b: &Placed<'_, '_>) -> Ordering {
    a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1))
}
