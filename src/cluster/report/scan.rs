//! The fast way through a report of the form that this software sends.
//!
//! Of most LUNs, the nodes say the same in the same bytes, but for what comes last. [`scan`] therefore compares
//! each entry with that of the last report, and decodes only those that differ. It gives up on a report of any other
//! form, which is left to the thorough way. Both give the same result where this one gives any, which
//! a test checks.

use std::ops::Range;
use std::sync::Arc;

use super::broadcast::{Broadcast, MAX_MAPS};
use super::entry::ReadEntry;
use super::parts::{Context, NamedEntry};
use super::reader::Document;
use crate::Wwid;
use crate::wire::lenient::Lenient;

/// A report that was scanned, to compare the next one with.
#[derive(Default)]
pub(super) struct Sample {
    text: Vec<u8>,
    /// Where in the text each entry is, from its WWID up to its context.
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
            .is_some_and(|map| *map.wwid < *wwid)
        {
            number += 1;
        }
        number
    }
}

/// Reads a report in the usual form, `{"maps":{WWID:{...},...},...}` without blanks between, and gives the
/// places of its entries; none if there is anything unusual about it.
pub(super) fn scan(text: &str, last: &Sample) -> Option<(Broadcast, Vec<Range<usize>>)> {
    let mut rest = text.strip_prefix("{\"maps\":{")?;
    let mut entries = Vec::with_capacity(last.entries.len());
    let mut places = Vec::with_capacity(last.entries.len());
    let mut number = 0;
    while !rest.starts_with('}') {
        let same = last.get(number).and_then(|(same, map)| {
            let is_same = rest.as_bytes().starts_with(same);
            let (len, context) = end_of_entry(rest.get(same.len()..).filter(|_| is_same)?)?;
            Some((
                same.len(),
                len,
                NamedEntry {
                    context,
                    ..map.clone()
                },
            ))
        });
        let (len, end, entry) = match same {
            Some(same) => {
                number += 1;
                same
            }
            None => {
                let (len, end, mut map) = named_entry(rest)?;
                number = last.find(number, &map.wwid);
                let known = last.entries.get(number);
                if let Some(known) = known.filter(|known| known.wwid == map.wwid) {
                    number += 1;
                    map.wwid = Arc::clone(&known.wwid);
                }
                (len, end, map)
            }
        };
        let start = text.len() - rest.len();
        places.push(start..start + len);
        entries.push(entry);
        rest = rest.get(len + end..)?;
        match rest.strip_prefix(',') {
            Some(more) if more.starts_with('"') => rest = more,
            None if rest.starts_with('}') => {}
            _ => return None,
        }
        if entries.len() > MAX_MAPS {
            return None;
        }
    }
    let entries = entries.into();
    let rest = rest.strip_prefix('}')?;
    let parts = rest
        .strip_prefix(',')
        .filter(|parts| parts.starts_with('"'));
    let broadcast = match (rest, parts) {
        ("}", _) => Broadcast {
            entries,
            ..Broadcast::default()
        },
        (_, parts) => {
            let remainder = Document::parse(&format!("{{{}", parts?)).ok()?;
            remainder.is_remainder().then(|| remainder.with(entries))?
        }
    };
    Some((broadcast, places))
}

/// The map at the beginning of the text, its length up to its context, and the length of the rest.
fn named_entry(text: &str) -> Option<(usize, usize, NamedEntry)> {
    let (name, rest) = text.strip_prefix('"')?.split_once('"')?;
    let wwid = Wwid::new(name).ok()?;
    let rest = rest.strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter();
    let Lenient(read) = values.next()?.ok()?;
    let ReadEntry {
        entry,
        context,
        fields_at_end,
    } = read?;
    let len = text.len() - rest.len() + values.byte_offset();
    let text = text.get(..len)?;
    let fields_at_end = fields_at_end?;
    // The context is where what looks like it says the same, in as many fields.
    let start = match fields_at_end {
        0 => len.checked_sub(1),
        _ => [",\"since\":", ",\"causes\":"].iter().find_map(|field| {
            let start = text.rfind(field)?;
            let found = end_of_entry(text.get(start..)?)?;
            let fields =
                usize::from(context.since.is_some()) + usize::from(!context.causes.is_empty());
            (found == (len - start, context) && fields == fields_at_end).then_some(start)
        }),
    };
    let map = NamedEntry {
        wwid: Arc::new(wwid),
        entry: Arc::new(entry),
        context,
    };
    start.map(|start| (start, len - start, map))
}

/// The context of a map, `,"since":N,"causes":[N,...]}`, where each field may be absent, and its length.
fn end_of_entry(text: &str) -> Option<(usize, Context)> {
    let mut context = Context::default();
    let mut rest = text;
    if let Some(since) = rest.strip_prefix(",\"since\":") {
        let number;
        (number, rest) = since.split_at(since.find([',', '}'])?);
        context.since = Some(integer(number)?);
    }
    if let Some(causes) = rest.strip_prefix(",\"causes\":[") {
        let (positions, after) = causes.split_once(']')?;
        for position in positions.split(',') {
            context.causes.insert(integer(position)?.try_into().ok()?);
        }
        rest = after;
    }
    let rest = rest.strip_prefix('}')?;
    Some((text.len() - rest.len(), context))
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
        [{\"code\":\"path-failed\",\"count\":1,\"devs\":[\"sdb\"]}],\"since\":900,\"causes\":[0,63]},\
        \"3600b\":{},\"3600d\":{\"state\":\"optimal\",\"since\":0}},\"node\":{\"version\":\"0.2\"},\
        \"causes\":[{\"host\":1,\"paths\":2}],\"time\":1000}";

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
            let (map, last) = (
                broadcast.entries.get(number).unwrap(),
                last.entries.get(number).unwrap(),
            );
            (
                Arc::ptr_eq(&map.wwid, &last.wwid),
                Arc::ptr_eq(&map.entry, &last.entry),
            )
        };
        assert_eq!(
            [shared(0), shared(1), shared(2)],
            [(true, false), (false, false), (true, true)]
        );
    }

    /// The time at which a state began, and the causes, differ from node to node.
    #[test]
    fn entries_are_shared_whatever_their_context() {
        let other = USUAL
            .replace("900", "17")
            .replace("[0,63]", "[2]")
            .replace(",\"since\":0", "");
        let last = sample(USUAL);
        let (broadcast, _) = scan(&other, &last).unwrap();
        let contexts = broadcast.entries.iter().zip(last.entries.iter());
        let contexts = contexts.map(|(map, last)| {
            assert!(Arc::ptr_eq(&map.entry, &last.entry));
            let causes: Vec<usize> = map.context.causes.iter().collect();
            (map.context.since, causes)
        });
        let wanted = [(Some(17), vec![2]), (None, Vec::new()), (None, Vec::new())];
        assert_eq!(contexts.collect::<Vec<_>>(), wanted);
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
            "[0]",
            "[2,64]",
            "[{\"host\":1,\"paths\":2}]",
            "{\"since\":1}",
            "[{\"a\":1,\"since\":1}]",
            "\",\\\"since\\\":1\"",
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
            "since",
            "since",
            "\\u0073ince",
            "causes",
            "causes",
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
        let part = prop::sample::select(vec![
            "time", "time", "node", "causes", "format", "maps", "data", "other",
        ]);
        let parts = vec((part, value), 0..3);
        let parts = parts.prop_map(|parts| {
            let parts = parts
                .iter()
                .map(|(part, value)| format!(",\"{part}\":{value}"));
            parts.collect::<String>()
        });
        let end = prop::sample::select(vec!["}", "}", "}", "}\n", "} x", ",}", "", "}}"]);
        (maps, parts, end).prop_map(|(maps, parts, end)| format!("{{\"maps\":{maps}{parts}{end}"))
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
