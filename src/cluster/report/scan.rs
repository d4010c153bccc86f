//! The fast way through a report of the form that this software sends.
//!
//! Of most LUNs, the nodes say the same in the same bytes. [`scan`] therefore compares each entry with
//! that of the last report, and decodes only those that differ. It gives up on a report of any other
//! form, which is left to the thorough way. Both give the same result where this one gives any, which
//! a test checks.

use std::ops::Range;
use std::sync::Arc;

use super::broadcast::{Broadcast, MAX_MAPS, NamedEntry};
use super::entry::Entry;
use crate::Wwid;
use crate::wire::lenient::Lenient;

/// A report that was scanned, to compare the next one with.
#[derive(Default)]
pub(super) struct Sample {
    text: Vec<u8>,
    /// Where in the text each entry is, with its WWID.
    places: Vec<Range<usize>>,
    entries: Arc<[NamedEntry]>,
}

impl Sample {
    /// The report, and the places of its entries in the text.
    pub(super) fn new(text: Vec<u8>, places: Vec<Range<usize>>, broadcast: &Broadcast) -> Self {
        Self {
            text,
            places,
            entries: Arc::clone(&broadcast.entries),
        }
    }

    /// The text, whose memory can be used again.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    fn get(&self, number: usize) -> Option<(&[u8], &NamedEntry)> {
        let text = self.text.get(self.places.get(number)?.clone())?;
        Some((text, self.entries.get(number)?))
    }

    /// The number of the first entry from `number` on whose WWID is not less. Reports are sorted.
    fn find(&self, mut number: usize, wwid: &Wwid) -> usize {
        while self
            .entries
            .get(number)
            .is_some_and(|(name, _)| **name < *wwid)
        {
            number += 1;
        }
        number
    }
}

/// Reads a report in the usual form, `{"maps":{WWID:{...},...},"time":N}` without blanks between, and
/// gives the places of its entries; none if there is anything unusual about it.
pub(super) fn scan(text: &str, last: &Sample) -> Option<(Broadcast, Vec<Range<usize>>)> {
    let mut rest = text.strip_prefix("{\"maps\":{")?;
    let mut entries = Vec::with_capacity(last.entries.len());
    let mut places = Vec::with_capacity(last.entries.len());
    let mut number = 0;
    while !rest.starts_with('}') {
        let (len, entry) = match last.get(number) {
            Some((same, entry)) if rest.as_bytes().starts_with(same) => {
                number += 1;
                (same.len(), entry.clone())
            }
            _ => {
                let (len, wwid, entry) = named_entry(rest)?;
                number = last.find(number, &wwid);
                let known = last.entries.get(number).map(|(known, _)| known);
                let wwid = match known.filter(|known| ***known == wwid) {
                    Some(known) => {
                        number += 1;
                        Arc::clone(known)
                    }
                    None => Arc::new(wwid),
                };
                (len, (wwid, Arc::new(entry)))
            }
        };
        let start = text.len() - rest.len();
        places.push(start..start + len);
        entries.push(entry);
        rest = rest.get(len..)?;
        match rest.strip_prefix(',') {
            Some(more) if more.starts_with('"') => rest = more,
            None if rest.starts_with('}') => {}
            _ => return None,
        }
        if entries.len() > MAX_MAPS {
            return None;
        }
    }
    let time = match rest.strip_prefix('}')?.strip_suffix('}')? {
        "" => None,
        time => Some(integer(time.strip_prefix(",\"time\":")?)?),
    };
    let entries = entries.into();
    Some((Broadcast { time, entries }, places))
}

/// The WWID and the entry at the beginning of the text, and their length.
fn named_entry(text: &str) -> Option<(usize, Wwid, Entry)> {
    let (name, rest) = text.strip_prefix('"')?.split_once('"')?;
    let wwid = Wwid::new(name).ok()?;
    let rest = rest.strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter();
    let Lenient(entry) = values.next()?.ok()?;
    let len = text.len() - rest.len() + values.byte_offset();
    Some((len, wwid, entry?))
}

/// A number without sign, fraction and exponent, of at most 18 digits.
fn integer(text: &str) -> Option<i64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::report::BadBroadcast;

    const USUAL: &str = "{\"maps\":{\"3600a\":{\"state\":\"degraded\",\"paths-active\":1,\
        \"paths-total\":2,\"transport\":\"fc\",\"size\":1099511627776,\"reasons\":\
        [{\"code\":\"path-failed\",\"count\":1,\"devs\":[\"sdb\"]}]},\"3600b\":{},\"3600d\":\
        {\"state\":\"optimal\"}},\"time\":1000}";

    /// The report by the thorough way: it is not of the form that is scanned, and means the same.
    fn thoroughly(text: &str) -> Result<Broadcast, BadBroadcast> {
        Broadcast::decode(format!(" {text}").as_bytes())
    }

    fn sample(text: &str) -> Sample {
        match scan(text, &Sample::default()) {
            Some((broadcast, places)) => Sample::new(text.into(), places, &broadcast),
            None => Sample::default(),
        }
    }

    #[test]
    fn the_usual_form_is_read() {
        let usual = thoroughly(USUAL).ok();
        assert_eq!(usual.as_ref().map(|usual| usual.entries.len()), Some(3));
        for last in [Sample::default(), sample(USUAL)] {
            let scanned = scan(USUAL, &last).map(|(broadcast, _)| broadcast);
            assert_eq!(scanned, usual);
        }
    }

    #[test]
    fn what_is_the_same_is_shared() {
        let other = USUAL.replace("3600b", "3600c").replace("fc", "sas");
        let last = sample(USUAL);
        let (broadcast, _) = scan(&other, &last).unwrap();
        let shared = |number: usize| {
            let ((wwid, entry), (last_wwid, last_entry)) = (
                broadcast.entries.get(number).unwrap(),
                last.entries.get(number).unwrap(),
            );
            (Arc::ptr_eq(wwid, last_wwid), Arc::ptr_eq(entry, last_entry))
        };
        assert_eq!(
            [shared(0), shared(1), shared(2)],
            [(true, false), (false, false), (true, true)]
        );
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
                .map(|(wwid, entry)| format!("\"{wwid}\":{entry}"))
                .collect();
            format!("{{{}}}", maps.join(","))
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
        fn both_ways_give_the_same(
            text in prop_oneof![texts(), spoilt()],
            last in prop_oneof![texts(), spoilt()],
        ) {
            if let Some((scanned, _)) = scan(&text, &sample(&last)) {
                prop_assert_eq!(Ok(scanned), thoroughly(&text));
            }
        }
    }
}
