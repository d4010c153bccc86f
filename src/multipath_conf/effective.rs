//! The values that a text sets, as multipathd stores them.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::features;
use super::finding::Position;
use super::keywords::Section;
use super::lexer::{Line, Lines, Token, TokenKind};
use crate::wire::byte_string::ByteString;

/// Values by keyword, as multipathd prints them, without quotes.
pub type Values = BTreeMap<String, String>;

/// What a configuration sets. Sections that are repeated are merged as multipathd merges them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The section `defaults`.
    pub defaults: Values,
    /// What is not looked at.
    pub blacklist: Filter,
    /// What is looked at nevertheless.
    pub blacklist_exceptions: Filter,
    /// Settings by kind of device.
    pub devices: Vec<Values>,
    /// Settings that come before those of devices.
    pub overrides: Values,
    /// Overrides by transport.
    pub protocols: Vec<Values>,
    /// Settings by map.
    pub multipaths: Vec<Values>,
}

/// A blacklist, or its exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Expressions by keyword: `devnode`, `wwid`, `property`, `protocol`.
    pub entries: BTreeMap<String, Vec<String>>,
    /// Vendor and product.
    pub devices: Vec<Values>,
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

impl Effective {
    /// Reads what `multipathd show config local` or `multipath -t` prints: every value as it is.
    pub fn from_dump(text: &[u8]) -> Result<Self, InvalidDump> {
        let mut effective = Self::default();
        let mut open: Vec<(Section, Values)> = Vec::new();
        for line in Lines::new(text).iter() {
            let invalid = || InvalidDump::Line(line.position(0));
            let section = open.last().map_or(Section::Top, |(section, _)| *section);
            let first = line.tokens.first().ok_or_else(invalid)?;
            if first.kind == TokenKind::Close {
                let (section, values) = open.pop().ok_or_else(invalid)?;
                effective.close(section, values);
                continue;
            }
            let opens = line
                .tokens
                .get(1)
                .is_some_and(|token| token.kind == TokenKind::Open);
            match section.inner(first.text()) {
                Some(inner) if opens => open.push((inner, Values::new())),
                _ => {
                    let (_, values) = open.last_mut().ok_or_else(invalid)?;
                    let keyword = ByteString::from_bytes(first.text()).to_string();
                    let value = printed_value(&line).ok_or_else(invalid)?;
                    match section {
                        Section::Blacklist | Section::Exceptions => {
                            let filter = match section {
                                Section::Blacklist => &mut effective.blacklist,
                                _ => &mut effective.blacklist_exceptions,
                            };
                            filter.entries.entry(keyword).or_default().push(value);
                        }
                        _ => {
                            values.insert(keyword, value);
                        }
                    }
                }
            }
        }
        match open.is_empty() && text.ends_with(b"\n") {
            true => Ok(effective),
            false => Err(InvalidDump::Truncated),
        }
    }

    fn close(&mut self, section: Section, values: Values) {
        match section {
            Section::Defaults => self.defaults = values,
            Section::Overrides => self.overrides = values,
            Section::BlacklistDevice => self.blacklist.devices.push(values),
            Section::ExceptionsDevice => self.blacklist_exceptions.devices.push(values),
            Section::Device => self.devices.push(values),
            Section::Protocol => self.protocols.push(values),
            Section::Multipath => self.multipaths.push(values),
            Section::Top
            | Section::Blacklist
            | Section::Exceptions
            | Section::Devices
            | Section::Multipaths => {}
        }
    }

    /// Joins entries that are about the same, as multipathd does once everything is read.
    pub(super) fn merge(&mut self) {
        let revision = |entry: &Values| entry.get("revision").cloned();
        let key = |entry: &Values| {
            (
                entry.get("vendor").cloned(),
                entry.get("product").cloned(),
                revision(entry),
            )
        };
        merge(&mut self.devices, key, features::replace_by_options);
        let kept = |_: &mut Values| {};
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
fn printed_value(line: &Line<'_, '_>) -> Option<String> {
    let values = line.tokens.get(1..)?;
    let is_brace = |token: &Token<'_>| matches!(token.kind, TokenKind::Open | TokenKind::Close);
    if values.iter().any(is_brace) {
        return None;
    }
    let text = |token: &Token<'_>| ByteString::from_bytes(token.text()).to_string();
    match values {
        [] => None,
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
    entries: &mut Vec<Values>,
    key: impl Fn(&Values) -> K,
    change: impl Fn(&mut Values),
) {
    let mut merged: Vec<Values> = Vec::with_capacity(entries.len());
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
