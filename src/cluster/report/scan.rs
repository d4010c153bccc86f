//! The fast way through a report of the form that this software sends.
//!
//! A request for the cluster's status reads megabytes of reports, and almost all of them look the
//! same. [`scan`] reads that form in one pass without building anything between. It gives up on
//! whatever else comes, an escaped text, a fraction, a field that it does not know, and leaves it to
//! the thorough way. Both give the same result where this one gives any, which a test checks.

use std::borrow::Cow;

use serde::Deserialize;

use super::decode::{Broadcast, Entry, Fields, MAX_MAPS};
use crate::types::reason::WireReason;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// Reads a report in the usual form; none if there is anything unusual about it.
pub(super) fn scan(text: &str) -> Option<Broadcast<'_>> {
    // One look at the whole spares one at each text: what is sent is a single line, and in JSON
    // control characters may only stand between texts.
    if has_control_characters(text.as_bytes()) {
        return None;
    }
    let mut scanner = Scanner { text, at: 0 };
    let mut time = None;
    let mut maps = None;
    scanner.object(|scanner, key| {
        match key {
            "time" => time = Some(scanner.integer()?),
            "maps" if maps.is_none() => maps = Some(scanner.maps()?),
            _ => return None,
        }
        Some(())
    })?;
    scanner.blanks();
    let maps = maps.filter(|_| scanner.at == text.len())?;
    Some(Broadcast::new(time, maps))
}

/// In pieces, each looked at as a whole, which the compiler does many bytes at a time.
fn has_control_characters(text: &[u8]) -> bool {
    let mut pieces = text.chunks(256);
    pieces.any(|piece| {
        piece
            .iter()
            .fold(false, |found, &byte| found | (byte < b' '))
    })
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Takes `byte`, after blanks.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        self.peek().filter(|next| *next == byte)?;
        self.at += 1;
        Some(())
    }

    /// Takes an object; `member` takes each of its keys with the value.
    #[inline]
    fn members(&mut self, mut member: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.blanks();
            member(self)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    /// Takes an object; `value` takes the value of each key.
    fn object(&mut self, mut value: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.members(|scanner| {
            let key = scanner.string()?;
            scanner.take(b':')?;
            value(scanner, key)
        })
    }

    /// Takes this key, if it is next. A few known names are told apart faster than any text is
    /// taken.
    #[inline]
    fn key(&mut self, name: &'static str) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let rest = rest.strip_prefix(b"\"");
        let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes()));
        let is_next = rest.is_some_and(|rest| rest.starts_with(b"\":"));
        if is_next {
            self.at += name.len() + 3;
        }
        is_next
    }

    /// Takes a text without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        let end = start + memchr::memchr2(b'"', b'\\', rest)?;
        self.at = end;
        self.take(b'"')?;
        self.text.get(start..end)
    }

    /// Takes a number without sign, fraction and exponent, of at most 18 digits.
    fn integer(&mut self) -> Option<i64> {
        self.blanks();
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == 18 {
                return None;
            }
            number = 10 * number + i64::from(digit - b'0');
            self.at += 1;
        }
        let leading_zero = self.text.as_bytes().get(start) == Some(&b'0');
        let length = self.at - start;
        let more = matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        (length > 0 && !more && (!leading_zero || length == 1)).then_some(number)
    }

    /// Takes a list of reasons or notes, which not every map has.
    fn list<T: Deserialize<'a>>(&mut self) -> Option<Vec<T>> {
        let rest = self.text.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let list = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(list)
    }

    fn maps(&mut self) -> Option<Vec<(Cow<'a, str>, Entry<'a>)>> {
        // An entry has about this many bytes; too little room only costs a copy.
        let mut maps = Vec::with_capacity(self.text.len() / 128);
        self.object(|scanner, wwid| {
            let mut fields = Fields::default();
            let mut reasons: Vec<Object<WireReason<'_>>> = Vec::new();
            let mut name = None;
            let mut notes: Vec<Scalar<'_>> = Vec::new();
            scanner.members(|scanner| {
                if scanner.key("state") {
                    fields.state = Some(scanner.string()?);
                } else if scanner.key("paths-active") {
                    fields.paths_active = Some(scanner.integer()?);
                } else if scanner.key("paths-total") {
                    fields.paths_total = Some(scanner.integer()?);
                } else if scanner.key("paths-expected") {
                    fields.paths_expected = Some(scanner.integer()?);
                } else if scanner.key("transport") {
                    fields.transport = Some(scanner.string()?);
                } else if scanner.key("size") {
                    fields.size = Some(scanner.integer()?);
                } else if scanner.key("name") {
                    name = Some(Cow::Borrowed(scanner.string()?));
                } else if scanner.key("write-protected") {
                    fields.write_protected = Some(scanner.integer()?);
                } else if scanner.key("reasons") {
                    reasons = scanner.list()?;
                } else if scanner.key("notes") {
                    notes = scanner.list()?;
                } else {
                    return None;
                }
                Some(())
            })?;
            maps.push((Cow::Borrowed(wwid), fields.entry(name, &reasons, &notes)));
            (maps.len() <= MAX_MAPS).then_some(())
        })?;
        Some(maps)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const USUAL: &str = "{ \"maps\": { \"3600a\": { \"state\": \"degraded\", \"paths-active\": 1, \
        \"paths-total\": 2, \"transport\": \"fc\", \"size\": 1099511627776, \"reasons\": \
        [{\"code\": \"path-failed\", \"count\": 1, \"devs\": [\"sdb\"]}] }, \"3600b\": {} }, \"time\": 1000 }";

    #[test]
    fn the_usual_form_is_read() {
        let scanned = scan(USUAL);
        assert!(scanned.is_some());
        assert_eq!(scanned, Broadcast::decode_thoroughly(USUAL).ok());
        assert_eq!(scanned.map(|broadcast| broadcast.entries.len()), Some(2));
    }

    /// Tokens in an order that is often JSON, with all that could be read differently.
    fn texts() -> impl Strategy<Value = String> {
        let value = prop::sample::select(vec![
            "1",
            "0",
            "01",
            "-1",
            "1.5",
            "1e3",
            "9999999999999999999",
            "\"4\"",
            "\"optimal\"",
            "\"fc\"",
            "\"\\u0066c\"",
            "null",
            "true",
            "[]",
            "{}",
            "[{\"code\":\"no-paths\"}]",
            "[\"single-hba\"]",
            "\"a\nb\"",
            "",
        ]);
        let key = prop::sample::select(vec![
            "state",
            "paths-active",
            "paths-total",
            "size",
            "transport",
            "reasons",
            "notes",
            "name",
            "write-protected",
            "paths-expected",
            "other",
        ]);
        let fields = vec((key, value.clone()), 0..5);
        let fields = fields.prop_map(|fields| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"))
                .collect();
            format!("{{{}}}", fields.join(","))
        });
        let entry = prop_oneof![8 => fields, 1 => value.clone().prop_map(str::to_owned)];
        let wwid = prop::sample::select(vec!["3600a", "3600b", "a/b", "\\u0061", ""]);
        let maps = vec((wwid, entry), 0..4).prop_map(|maps| {
            let maps: Vec<_> = maps
                .iter()
                .map(|(wwid, entry)| format!("\"{wwid}\" : {entry}"))
                .collect();
            format!("{{{}}}", maps.join(" ,\n"))
        });
        let time = value.prop_map(|time| format!(",\"time\":{time}"));
        let end = prop::sample::select(vec!["}", "}", "}", "}\n", "} x", ",}", "", "}}"]);
        (maps, prop::option::of(time), end).prop_map(|(maps, time, end)| {
            format!("{{\"maps\":{maps}{}{end}", time.unwrap_or_default())
        })
    }

    fn spoilt() -> impl Strategy<Value = String> {
        (
            any::<prop::sample::Index>(),
            0..4usize,
            "[\"{}:,0-9a \\\\]{0,3}",
        )
            .prop_map(|(at, removed, put)| {
                let mut text = USUAL.to_owned();
                let start = at.index(text.len());
                text.replace_range(start..(start + removed).min(text.len()), &put);
                text
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 5_000, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn both_ways_give_the_same(text in prop_oneof![texts(), spoilt()]) {
            if let Some(scanned) = scan(&text) {
                prop_assert_eq!(Ok(scanned), Broadcast::decode_thoroughly(&text));
            }
        }
    }
}
