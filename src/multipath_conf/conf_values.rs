//! The values that a text sets, as multipathd stores them.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::complaint::Complaint;
use super::events::{self, EventKind};
use super::features;
use super::finding::Position;
use super::keywords::{ConfSection, DEVICE_KEY, Role};
use super::lexer::{Lexer, Token};
use super::polling::Polling;
use super::values::{self, Attributes, Stored};
use crate::types::tools_version::ToolsVersion;
use crate::wire::byte_string::ByteString;

/// What a configuration sets. Sections that are repeated are merged as multipathd merges them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfValues {
    /// The section `defaults`.
    pub defaults: Attributes,
    /// What is not looked at.
    pub blacklist: Filter,
    /// What is looked at nevertheless.
    pub blacklist_exceptions: Filter,
    /// Settings by kind of device.
    pub devices: Vec<Attributes>,
    /// Settings that come before those of devices.
    pub overrides: Attributes,
    /// Overrides by transport.
    pub protocols: Vec<Attributes>,
    /// Settings by map.
    pub multipaths: Vec<Attributes>,
}

/// A blacklist, or its exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Expressions by keyword: `devnode`, `wwid`, `property`, `protocol`.
    pub entries: BTreeMap<String, Vec<String>>,
    /// Vendor and product.
    pub devices: Vec<Attributes>,
}

/// Why a text is no configuration that multipathd has printed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDump {
    /// A line that is neither a section nor a value.
    #[error("line {}: this is no configuration as multipathd prints it", .0.line)]
    Line(Position),
    /// The end is missing.
    #[error("the configuration that multipathd printed is not complete")]
    Truncated,
}

/// The values that texts set in this version of multipath-tools, one file after the other.
pub fn effective(texts: &[&[u8]], version: ToolsVersion) -> ConfValues {
    let mut values = ConfValues::default();
    let mut entry = Attributes::new();
    let mut polling = Polling::default();
    for text in texts {
        events::read(text, |event| match event.kind {
            EventKind::Start { .. } => entry.clear(),
            EventKind::End => {
                if event.section.is_kept(|name| entry.contains_key(name)) {
                    values.keep(event.section, std::mem::take(&mut entry));
                }
            }
            EventKind::Assignment(assignment) => {
                let keyword = assignment.keyword;
                let Some(syntax) = keyword.syntax_in(version) else {
                    return;
                };
                let stored = values::read(keyword.name, syntax, &assignment.text).stored;
                if let Role::Polling(interval) = keyword.role {
                    polling.set(interval, &stored, assignment.position);
                    return;
                }
                let name = keyword.printed.unwrap_or(keyword.name);
                values.set(event.section, &mut entry, name, stored);
            }
            EventKind::UnknownKeyword { .. } | EventKind::Complaint(_) => {}
        });
    }
    if let Some((usual, longest)) = polling.taken() {
        let intervals = [
            ("polling_interval", usual),
            ("max_polling_interval", longest),
        ];
        let intervals = intervals.map(|(name, number)| (name.to_owned(), number.to_string()));
        values.defaults.extend(intervals);
    }
    values.merge();
    values
}

impl ConfValues {
    /// Reads what `multipathd show config local` or `multipath -t` prints: every value as it is.
    pub fn from_dump(text: &[u8]) -> Result<Self, InvalidDump> {
        let mut values = Self::default();
        let mut entry = Attributes::new();
        let mut invalid = None;
        events::read(text, |event| {
            let name = match event.kind {
                EventKind::Start { .. } => return entry.clear(),
                EventKind::End => return values.keep(event.section, std::mem::take(&mut entry)),
                EventKind::Assignment(assignment) => assignment.keyword.name.as_bytes().into(),
                EventKind::UnknownKeyword { name } => name,
                // some values have blanks and no quotes
                EventKind::Complaint(Complaint::NotAscii | Complaint::TextAfterValue { .. }) => {
                    return;
                }
                EventKind::Complaint(Complaint::NotClosed { .. }) => {
                    invalid.get_or_insert(InvalidDump::Truncated);
                    return;
                }
                EventKind::Complaint(_) => {
                    invalid.get_or_insert(InvalidDump::Line(event.position));
                    return;
                }
            };
            match printed_value(event.raw).filter(|_| event.section != ConfSection::Top) {
                Some(value) => {
                    let name = ByteString::from_bytes(&name);
                    let value = Stored::Value(value.into());
                    values.set(event.section, &mut entry, name.as_str(), value);
                }
                None => {
                    invalid.get_or_insert(InvalidDump::Line(event.position));
                }
            }
        });
        match invalid {
            Some(invalid) => Err(invalid),
            None if !text.ends_with(b"\n") && !text.is_empty() => Err(InvalidDump::Truncated),
            None => Ok(values),
        }
    }

    /// Takes over a value of a section, or of the entry that is open.
    fn set(
        &mut self,
        section: ConfSection,
        entry: &mut Attributes,
        name: &str,
        stored: Stored<'_>,
    ) {
        let filter = match section {
            ConfSection::Blacklist => Some(&mut self.blacklist),
            ConfSection::Exceptions => Some(&mut self.blacklist_exceptions),
            _ => None,
        };
        let attributes = match section {
            ConfSection::Defaults => &mut self.defaults,
            ConfSection::Overrides => &mut self.overrides,
            _ => entry,
        };
        match (stored, filter) {
            (Stored::Value(value), Some(filter)) => {
                let entries = filter.entries.entry(name.to_owned());
                entries.or_default().push(value.into_owned());
            }
            (Stored::Value(value), None) => {
                attributes.insert(name.to_owned(), value.into_owned());
            }
            (Stored::Unset, _) => {
                attributes.remove(name);
            }
            (Stored::Nothing, _) => {}
        }
    }

    /// Takes over what an entry has set, once it ends.
    fn keep(&mut self, section: ConfSection, entry: Attributes) {
        let entries = match section {
            ConfSection::BlacklistDevice => &mut self.blacklist.devices,
            ConfSection::ExceptionsDevice => &mut self.blacklist_exceptions.devices,
            ConfSection::Device => &mut self.devices,
            ConfSection::Protocol => &mut self.protocols,
            ConfSection::Multipath => &mut self.multipaths,
            _ => return,
        };
        entries.push(entry);
    }

    /// Joins entries that are about the same, as multipathd does once everything is read.
    fn merge(&mut self) {
        let key = |entry: &Attributes| DEVICE_KEY.map(|name| entry.get(name).cloned());
        merge(&mut self.devices, key, features::replace_by_options);
        let kept = |_: &mut Attributes| {};
        merge(
            &mut self.protocols,
            |entry| entry.get("type").cloned(),
            kept,
        );
        self.multipaths
            .sort_by_cached_key(|entry| entry.get("wwid").cloned());
        merge(
            &mut self.multipaths,
            |entry| entry.get("wwid").cloned(),
            kept,
        );
        for filter in [&mut self.blacklist, &mut self.blacklist_exceptions] {
            for (keyword, entries) in &mut filter.entries {
                // multipathd keeps those of protocols
                if keyword != "protocol" {
                    let mut seen = std::collections::BTreeSet::new();
                    entries.retain(|entry| seen.insert(entry.clone()));
                }
            }
            let mut seen = std::collections::BTreeSet::new();
            filter.devices.retain(|device| seen.insert(device.clone()));
        }
    }
}

/// The value on a printed line: the text in quotes, or all words.
fn printed_value(raw: &[u8]) -> Option<String> {
    let mut lexer = Lexer::new(raw);
    let line = lexer.next_line()?;
    let values = line.tokens.get(1..)?;
    let text = |token: &Token<'_>| ByteString::from_bytes(&token.text()).to_string();
    match values {
        [] => None,
        _ if values.iter().any(Token::is_brace) => None,
        [open, rest @ ..] if open.is_quote() => match rest {
            [close] if close.is_quote() => Some(String::new()),
            [value, close] if close.is_quote() => Some(text(value)),
            _ => None,
        },
        words => Some(words.iter().map(text).collect::<Vec<_>>().join(" ")),
    }
}

/// Of entries with one key, the last stays, with what only the others set. It is changed once more for each
/// of these.
fn merge<K: Ord>(
    entries: &mut Vec<Attributes>,
    key: impl Fn(&Attributes) -> K,
    change: impl Fn(&mut Attributes),
) {
    let mut merged: Vec<Attributes> = Vec::with_capacity(entries.len());
    let mut places = BTreeMap::new();
    for entry in entries.drain(..).rev() {
        match places
            .get(&key(&entry))
            .and_then(|place: &usize| merged.get_mut(*place))
        {
            Some(later) => {
                for (keyword, value) in entry {
                    later.entry(keyword).or_insert(value);
                }
                change(later);
            }
            None => {
                places.insert(key(&entry), merged.len());
                merged.push(entry);
            }
        }
    }
    merged.reverse();
    *entries = merged;
}
