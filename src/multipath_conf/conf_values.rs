//! The values that texts set, as multipathd stores and prints them.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::complaint::Complaint;
use super::events::{self, Event, EventKind};
use super::features;
use super::finding::Position;
use super::keywords::{ConfSection, DEVICE_KEY, Role};
use super::lexer::{Lexer, Token};
use super::polling::Polling;
use super::values::{self, Attributes, Stored};
use crate::types::tools_version::ToolsVersion;
use crate::wire::byte_string::ByteString;

/// The values of a configuration by section. Repeated sections are merged as multipathd merges
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfValues {
    /// The section `defaults`.
    pub defaults: Attributes,
    /// The section `blacklist`.
    pub blacklist: Filter,
    /// The section `blacklist_exceptions`.
    pub blacklist_exceptions: Filter,
    /// The entries `device` of the section `devices`.
    pub devices: Vec<Attributes>,
    /// The section `overrides`, without its entries.
    pub overrides: Attributes,
    /// The entries `protocol` of the section `overrides`.
    pub protocols: Vec<Attributes>,
    /// The entries `multipath` of the section `multipaths`.
    pub multipaths: Vec<Attributes>,
}

/// A blacklist, or its exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Expressions by keyword: `devnode`, `wwid`, `property`, `protocol`.
    pub entries: BTreeMap<String, Vec<String>>,
    /// The entries `device`, with `vendor` and `product`.
    pub devices: Vec<Attributes>,
}

/// Why a text is not a configuration as multipathd prints it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDump {
    /// A line that multipathd does not print.
    #[error("line {}: this is not a configuration as multipathd prints it", .0.line)]
    Line(Position),
    /// The end of the text is missing.
    #[error("the configuration that multipathd printed is incomplete")]
    Truncated,
}

/// The values that files set in this version of multipath-tools, given their texts in the order in
/// which multipathd reads them.
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
    /// Parses what `multipathd show config local` or `multipath -t` prints. Values are taken as
    /// they are, of any keyword.
    pub fn from_dump(text: &[u8]) -> Result<Self, InvalidDump> {
        let mut values = Self::default();
        let mut entry = Attributes::new();
        let mut result = Ok(());
        events::read(text, |event| {
            if result.is_ok() {
                result = values.read_printed(event, &mut entry);
            }
        });
        result?;
        match text.ends_with(b"\n") {
            true => Ok(values),
            false => Err(InvalidDump::Truncated),
        }
    }

    fn read_printed(
        &mut self,
        event: Event<'_>,
        entry: &mut Attributes,
    ) -> Result<(), InvalidDump> {
        let invalid = InvalidDump::Line(event.position);
        let name = match event.kind {
            EventKind::Start { .. } => {
                entry.clear();
                return Ok(());
            }
            EventKind::End => {
                self.keep(event.section, std::mem::take(entry));
                return Ok(());
            }
            EventKind::Assignment(assignment) => assignment.keyword.name.as_bytes().into(),
            EventKind::UnknownKeyword { name } => name,
            // multipathd prints some values with blanks without quotes
            EventKind::Complaint(Complaint::NotAscii | Complaint::TextAfterValue { .. }) => {
                return Ok(());
            }
            EventKind::Complaint(Complaint::NotClosed { .. }) => {
                return Err(InvalidDump::Truncated);
            }
            EventKind::Complaint(_) => return Err(invalid),
        };
        let value = printed_value(event.raw).filter(|_| event.section != ConfSection::Top);
        let stored = Stored::Value(value.ok_or(invalid)?.into());
        self.set(
            event.section,
            entry,
            ByteString::from_bytes(&name).as_str(),
            stored,
        );
        Ok(())
    }

    /// Stores a value of a section, or of the open entry.
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

    /// Stores an entry at its end.
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

    /// Merges entries for the same devices, protocols or maps, as multipathd does at the end.
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
                // multipathd keeps repeated protocols
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

/// The value on a printed line: the quoted text, or all words.
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

/// Merges entries with equal keys into the last of them; its values win. `change` is applied after
/// each merge.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_dumps_are_refused() {
        for text in ["", "defaults {\n", "defaults {\n\tprio \"const\"\n}"] {
            let found = ConfValues::from_dump(text.as_bytes());
            assert_eq!(found, Err(InvalidDump::Truncated), "{text:?}");
        }
        for text in [
            "prio const\n",
            "defaults {\n}\n}\n",
            "defaults {\n\tprio\n}\n",
        ] {
            let found = ConfValues::from_dump(text.as_bytes());
            assert!(matches!(found, Err(InvalidDump::Line(_))), "{text:?}");
        }
        let found = ConfValues::from_dump(b"defaults {\n\tuid_attrs sd:A dasd:B\n}\n");
        let attributes = found.map(|values| values.defaults.get("uid_attrs").cloned());
        assert_eq!(attributes, Ok(Some("sd:A dasd:B".to_owned())));
    }
}
