//! Reading what peers sent. Any bytes may come.
//!
//! A status of the cluster reads megabytes of reports, and almost all of them say the same of the same
//! LUNs. A [`Reader`] therefore compares before it decodes: with the node's last report, and each map
//! with what the report before this one said of it ([`scan`](super::scan)).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::MapAccess;

use super::broadcast::{BadBroadcast, Broadcast, MAX_ABSENT, MAX_MAPS};
use super::entry::{Entry, ReadEntry};
use super::packed::{self, Data, Head};
use super::parts::{Context, NamedEntry, NodeInfo};
use super::scan::{Sample, scan};
use super::uses::KeptUses;
use crate::node::causes::{Cause, MAX_CAUSES};
use crate::types::absence::Absence;
use crate::wire::lenient::{Lenient, Parts, fields, list, read, skip};
use crate::wire::scalar::Scalar;
use crate::{CellState, NodeName, Reason, Wwid};

/// Most bytes of reports in the plain form that a [`Reader`] keeps: those of 32 nodes with 10,000
/// maps each.
const MAX_KEPT_LEN: usize = 64 << 20;

impl Broadcast {
    /// Reads a report that is a single value: in the plain form,
    /// `{ "maps": { WWID: {...} }, "time": N }`, or packed.
    ///
    /// Names that are not WWIDs are left out, unknown states become `unknown`, numbers that make no
    /// sense are dropped one by one. Unknown fields are skipped.
    pub fn decode(text: &[u8]) -> Result<Self, BadBroadcast> {
        Self::decode_values(text, |_| None)
    }

    /// As [`Broadcast::decode`], for a report that may have several values: `continuation` gives
    /// the one under one of its [keys](super::continuation_keys).
    pub fn decode_values<'c>(
        text: &[u8],
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
    ) -> Result<Self, BadBroadcast> {
        let mut reader = Reader::default();
        let decoded = reader.round().decode(text, continuation, None)?;
        Ok(decoded.broadcast)
    }

    /// As [`Broadcast::decode`], but takes a mere `{ WWID: { "state": ... } }` as well.
    pub fn decode_lenient(text: &[u8]) -> Result<Self, BadBroadcast> {
        match Self::decode(text) {
            Err(BadBroadcast::NoMaps) => {
                let text = utf8(text)?;
                let is_summary = parse::<Summary>(text)?.is_some();
                let maps = parse::<Maps>(text)?.filter(|_| is_summary);
                let entries = maps.ok_or(BadBroadcast::NoMaps)?.into_entries()?;
                Ok(Self {
                    entries,
                    ..Self::default()
                })
            }
            decoded => decoded,
        }
    }
}

/// Reads reports and keeps those of the last round: what a node sends unchanged is not decoded again.
/// The result is the same as without this memory.
///
/// A caller that asks for the status again and again keeps one. It holds at most 64 MiB of reports,
/// counted in the plain form, and what they became; the rest is decoded each time. For the reports of uses, there
/// is [a memory](KeptUses) beside it.
#[derive(Debug, Default)]
pub struct Reader {
    kept: BTreeMap<NodeName, Decoded>,
    uses: KeptUses,
}

impl Reader {
    /// The memory for the reports of uses.
    pub(crate) fn uses(&mut self) -> &mut KeptUses {
        &mut self.uses
    }

    /// Begins a round, in which each node's report is read once.
    pub(crate) fn round(&mut self) -> Round<'_> {
        Round {
            before: std::mem::take(&mut self.kept),
            kept: &mut self.kept,
            kept_len: 0,
            last: Sample::default(),
            buffer: Vec::new(),
        }
    }
}

/// A report, and what it was decoded from.
#[derive(Debug)]
struct Decoded {
    /// The first value.
    first: Box<[u8]>,
    /// Of a packed report, what its values held.
    data: Option<Data>,
    /// Length of the report in the plain form, in bytes.
    len: usize,
    broadcast: Broadcast,
}

impl Decoded {
    /// Whether these are the values that it was decoded from.
    fn is_of<'c>(&self, first: &[u8], continuation: impl Fn(&str) -> Option<&'c [u8]>) -> bool {
        *self.first == *first
            && self
                .data
                .as_ref()
                .is_none_or(|data| data.is_continued(continuation))
    }
}

/// The nodes' reports, read one after the other.
pub(crate) struct Round<'r> {
    before: BTreeMap<NodeName, Decoded>,
    kept: &'r mut BTreeMap<NodeName, Decoded>,
    kept_len: usize,
    /// The report that was read last.
    last: Sample,
    /// Where the next one is unpacked to.
    buffer: Vec<u8>,
}

impl Round<'_> {
    /// Reads a node's report, see [`Broadcast::decode_values`].
    pub(crate) fn read<'c>(
        &mut self,
        node: &NodeName,
        text: &[u8],
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
    ) -> Result<Broadcast, BadBroadcast> {
        let before = self.before.remove(node);
        let decoded = self.decode(text, continuation, before)?;
        let broadcast = decoded.broadcast.clone();
        self.kept_len += decoded.len;
        if self.kept_len <= MAX_KEPT_LEN {
            self.kept.insert(node.clone(), decoded);
        }
        Ok(broadcast)
    }

    fn decode<'c>(
        &mut self,
        text: &[u8],
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
        before: Option<Decoded>,
    ) -> Result<Decoded, BadBroadcast> {
        let before = match before {
            Some(before) if before.is_of(text, &continuation) => return Ok(before),
            before => before,
        };
        let plain = |broadcast| Decoded {
            first: text.into(),
            data: None,
            len: text.len(),
            broadcast,
        };
        let text = utf8(text)?;
        if let Some((broadcast, places)) = scan(text, &self.last) {
            self.last = Sample::new(text.into(), places, &broadcast);
            return Ok(plain(broadcast));
        }
        let document = Document::parse(text)?;
        if document.head.format != packed::FORMAT {
            return document.into_broadcast().map(plain);
        }

        let Document { head, .. } = document;
        let time = head.time;
        let data = head.data(packed::KEY, &continuation)?;
        let first = text.as_bytes().into();
        // The same once more: only the time is another.
        if let Some(before) = before.filter(|before| before.data.as_ref() == Some(&data)) {
            let broadcast = Broadcast {
                time,
                ..before.broadcast
            };
            return Ok(Decoded {
                first,
                broadcast,
                ..before
            });
        }
        let len = data.unpack(&mut self.buffer)?;
        let report = utf8(self.buffer.get(..len).unwrap_or_default())?;
        let mut broadcast = match scan(report, &self.last) {
            Some((broadcast, places)) => {
                let buffer = std::mem::take(&mut self.buffer);
                let last = Sample::new(buffer, places, &broadcast);
                self.buffer = std::mem::replace(&mut self.last, last).into_text();
                broadcast
            }
            None => Document::parse(report)?.into_broadcast()?,
        };
        broadcast.time = time;
        Ok(Decoded {
            first,
            data: Some(data),
            len,
            broadcast,
        })
    }
}

fn utf8(text: &[u8]) -> Result<&str, BadBroadcast> {
    std::str::from_utf8(text).map_err(|error| BadBroadcast::Utf8(error.valid_up_to()))
}

/// Reads any JSON text; none if it holds something else than a `T`.
fn parse<T: for<'de> Parts<'de>>(text: &str) -> Result<Option<T>, BadBroadcast> {
    read(text).map_err(|error| BadBroadcast::Json(error.to_string()))
}

/// A report of any form, or the first value of a packed one.
#[derive(Default)]
pub(super) struct Document {
    pub(super) head: Head,
    /// What is there as `maps`, if anything.
    maps: Option<Option<Maps>>,
    node: Option<NodeInfo>,
    causes: Vec<Cause>,
    absent: Option<AbsentLuns>,
}

/// Why LUNs have no maps, by WWID.
#[derive(Default)]
struct AbsentLuns(BTreeMap<Wwid, Absence>);

impl<'de> Parts<'de> for AbsentLuns {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut luns = BTreeMap::new();
        fields(object, |name, from| {
            let Lenient(absence) = from.next_value()?;
            let lun = Wwid::new(name).ok().zip(absence);
            luns.extend(lun.filter(|_| luns.len() < MAX_ABSENT));
            Ok(())
        })?;
        Ok(Some(Self(luns)))
    }
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, BadBroadcast> {
        // What is in a list does not matter.
        if text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('[')
        {
            return Err(BadBroadcast::NoObject);
        }
        parse(text)?.ok_or(BadBroadcast::NoObject)
    }

    fn into_broadcast(mut self) -> Result<Broadcast, BadBroadcast> {
        match self.head.format {
            packed::PLAIN => {
                let maps = self.maps.take().flatten();
                let entries = maps.ok_or(BadBroadcast::NoMaps)?.into_entries()?;
                Ok(self.with(entries))
            }
            other => Err(BadBroadcast::Newer(other)),
        }
    }

    /// Whether these are the parts of a report in the plain form beside its maps.
    pub(super) fn is_remainder(&self) -> bool {
        self.head.format == packed::PLAIN && self.maps.is_none()
    }

    pub(super) fn with(self, entries: Arc<[NamedEntry]>) -> Broadcast {
        Broadcast {
            time: self.head.time,
            entries,
            node: self.node.map(Arc::new),
            causes: self.causes.into(),
            absent: Arc::new(self.absent.unwrap_or_default().0),
        }
    }
}

impl<'de> Parts<'de> for Document {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut document = Self::default();
        fields(object, |name, from| match name {
            "maps" => from
                .next_value()
                .map(|Lenient(maps)| document.maps = Some(maps)),
            "node" => from.next_value().map(|Lenient(node)| document.node = node),
            "absent" => from
                .next_value()
                .map(|Lenient(absent)| document.absent = absent),
            "causes" => list::<_, MAX_CAUSES, _>(from).map(|causes| document.causes = causes),
            _ => document.head.read(name, from),
        })?;
        Ok(Some(document))
    }
}

/// The entries by name, and how many names there are.
#[derive(Default)]
struct Maps {
    entries: Vec<NamedEntry>,
    names: usize,
}

impl Maps {
    fn into_entries(self) -> Result<Arc<[NamedEntry]>, BadBroadcast> {
        match self.names > MAX_MAPS {
            true => Err(BadBroadcast::TooManyMaps),
            false => Ok(self.entries.into()),
        }
    }
}

impl<'de> Parts<'de> for Maps {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut maps = Self::default();
        fields(object, |name, from| {
            let Lenient(read) = from.next_value::<Lenient<ReadEntry>>()?;
            maps.names += 1;
            let wwid = Wwid::new(name).ok().filter(|_| maps.names <= MAX_MAPS);
            if let Some(wwid) = wwid {
                let (entry, context) = match read {
                    Some(ReadEntry { entry, context, .. }) => (entry, context),
                    None => (
                        Entry::bare(CellState::Unknown, vec![Reason::UnknownState]),
                        Context::default(),
                    ),
                };
                maps.entries.push(NamedEntry {
                    wwid: Arc::new(wwid),
                    entry: Arc::new(entry),
                    context,
                });
            }
            Ok(())
        })?;
        Ok(Some(maps))
    }
}

/// That an object has nothing but objects with a state, and at least one.
struct Summary;

impl<'de> Parts<'de> for Summary {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let (mut maps, mut states) = (0, 0);
        fields(object, |_, from| {
            let Lenient(state) = from.next_value::<Lenient<HasState>>()?;
            maps += 1;
            states += usize::from(state.is_some());
            Ok(())
        })?;
        Ok((maps > 0 && maps == states).then_some(Self))
    }
}

/// That an object has a state.
struct HasState;

impl<'de> Parts<'de> for HasState {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut state = Scalar::Null;
        fields(object, |name, from| match name {
            "state" => from.next_value().map(|value| state = value),
            _ => skip(from),
        })?;
        Ok((state != Scalar::Null).then_some(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    fn states(text: &str) -> Result<Vec<(String, CellState)>, BadBroadcast> {
        let broadcast = Broadcast::decode(text.as_bytes())?;
        let entries = broadcast.entries.iter();
        Ok(entries
            .map(|map| (map.wwid.to_string(), map.entry.state))
            .collect())
    }

    /// The map of a report that has one.
    fn only_entry(text: &str) -> (Option<i64>, Entry) {
        let broadcast = Broadcast::decode(text.as_bytes()).unwrap();
        let [map] = &*broadcast.entries else {
            panic!("{text}");
        };
        assert_eq!(map.wwid.as_str(), "a", "{text}");
        (broadcast.time, map.entry.as_ref().clone())
    }

    /// One of two paths or more failed, as an old version tells it.
    fn degraded() -> Entry {
        let reason = Reason::PathFailed {
            count: None,
            devs: Vec::new(),
        };
        let bare = Entry::bare(CellState::Degraded, vec![reason]);
        Entry {
            paths_total: Some(4),
            ..bare
        }
    }

    #[test]
    fn odd_entries_do_not_harm_the_others() {
        use CellState::{Failed, Optimal, Unknown};
        for odd in [
            "5",
            "null",
            "[]",
            "{}",
            r#"{"state":["optimal"]}"#,
            r#"["optimal"]"#,
            r#"["optimal",1,1,"fc",1,[]]"#,
            r#"{"state":"fine"}"#,
            r#"{"state":1e999}"#,
            r#"{"state":"\ud800"}"#,
        ] {
            let text = format!(
                r#"{{"maps":{{"a":{{"state":"failed"}},"b":{odd},"c":{{"state":"optimal"}}}}}}"#
            );
            let wanted = [("a", Failed), ("b", Unknown), ("c", Optimal)];
            let wanted = wanted.map(|(wwid, state)| (wwid.to_owned(), state));
            assert_eq!(states(&text), Ok(wanted.to_vec()), "{odd}");
        }
    }

    #[test]
    fn odd_fields_do_not_harm_the_others() {
        for odd in [
            r#""size":1e999"#,
            r#""reasons":{"x":[]}"#,
            r#""notes":[7,"no-such-note"]"#,
            r#""notes":{}"#,
            r#""name":["a"]"#,
            r#""write-protected":2"#,
            r#""paths-expected":65536"#,
            r#""paths-active":-1"#,
        ] {
            let text = format!(
                r#"{{"maps":{{"a":{{"state":"degraded",{odd},"paths-total":"4","transport":"fc"}}}},"time":7}}"#
            );
            let wanted = Entry {
                transport: Some(Transport::Fc),
                ..degraded()
            };
            assert_eq!(only_entry(&text), (Some(7), wanted), "{odd}");
        }
    }

    /// Half of a surrogate pair, as a name and as a value, at each level.
    #[test]
    fn a_lone_surrogate_costs_one_entry_or_one_field() {
        let entry = |name: &str| Entry {
            name: Some(name.into()),
            ..degraded()
        };
        for (text, name) in [
            (
                r#"{"maps":{"\ud800":{"state":"failed"},"a":FIELDS,"\udfff":7},"time":7}"#,
                "san-a",
            ),
            (r#"{"\ud800":1,"maps":{"a":FIELDS},"time":7}"#, "san-a"),
            (
                r#"{"maps":{"a":{"\ud800":[],"name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                "san-a",
            ),
            (
                r#"{"maps":{"a":{"name":"\ud800","state":"degraded","paths-total":4}},"time":7}"#,
                "\u{fffd}\u{fffd}\u{fffd}",
            ),
            (
                r#"{"maps":{"a":{"transport":"\udbff","name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                "san-a",
            ),
            (
                r#"{"maps":{"a":{"notes":["\ud800"],"reasons":[{"\ud800":1},{"code":"\ud800"}],"name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                "san-a",
            ),
        ] {
            let fields = r#"{"state":"degraded","paths-total":4,"name":"san-a"}"#;
            let text = text.replace("FIELDS", fields);
            assert_eq!(only_entry(&text), (Some(7), entry(name)), "{text}");
        }
        // A pair is a character, and what is escaped is the same name.
        let text = r#"{"maps":{"\u0061":{"state":"degraded","paths-total":4,"name":"\ud83d\udca9"}},"time":7}"#;
        assert_eq!(only_entry(text), (Some(7), entry("\u{1f4a9}")));
    }

    /// Two values of a packed report, as a node sends them at a time.
    fn packed_report(time: i64) -> [String; 2] {
        let noise = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let maps: Vec<_> = (1..2_500)
            .map(|n| {
                format!(
                    r#""3600{:016x}":{{"state":"optimal","size":{n}}}"#,
                    noise(n)
                )
            })
            .collect();
        let report = format!(r#"{{"maps":{{{}}}}}"#, maps.join(","));
        let values = packed::pack(&report, time).unwrap();
        values.try_into().unwrap()
    }

    #[test]
    fn what_a_node_sends_again_is_not_decoded_again() {
        let node = NodeName::new("pve1").unwrap();
        let mut reader = Reader::default();
        let mut read = |first: &str, second: &str| {
            let second = Some(second.as_bytes());
            let broadcast = reader.round().read(&node, first.as_bytes(), |_| second);
            let fresh = Broadcast::decode_values(first.as_bytes(), |_| second);
            assert_eq!(broadcast, fresh);
            broadcast
        };
        let same = |one: &Broadcast, other: &Broadcast| Arc::ptr_eq(&one.entries, &other.entries);

        let plain = r#"{"maps":{"3600a":{"state":"optimal"}},"time":7}"#;
        let once = read(plain, "").unwrap();
        assert!(same(&once, &read(plain, "").unwrap()));

        let [first, second] = packed_report(7);
        let once = read(&first, &second).unwrap();
        assert!(same(&once, &read(&first, &second).unwrap()));
        let [refreshed, _] = packed_report(8);
        let again = read(&refreshed, &second).unwrap();
        assert!(same(&once, &again) && again.time == Some(8));
        // It is as strict as without a memory.
        let torn = Err(BadBroadcast::Torn);
        assert_eq!(read(&refreshed, second.get(1..).unwrap()), torn);
        assert!(read(&refreshed, &second).is_ok());
        let sha1 = refreshed.replace(r#""sha1":""#, r#""sha1":"0"#);
        assert_eq!(read(&sha1, &second), torn);
        let incomplete = Err(BadBroadcast::Incomplete { number: 1, of: 2 });
        assert!(read(&refreshed, &second).is_ok());
        assert_eq!(read(&refreshed, ""), incomplete);
        // What was read is gone with the round in which the node sent none of it.
        assert!(read(&refreshed, &second).is_ok_and(|last| !same(&last, &again)));
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut reader = Reader::default();
        let name = "x".repeat(1 << 20);
        let text = format!(r#"{{"maps":{{"3600a":{{"name":"{name}"}}}},"time":7}}"#);
        let mut round = reader.round();
        for number in 0..70 {
            let node = NodeName::new(&format!("pve{number}")).unwrap();
            assert!(round.read(&node, text.as_bytes(), |_| None).is_ok());
        }
        assert_eq!(reader.kept.len(), 63);
    }

    #[test]
    fn numbers_that_contradict_each_other_are_dropped() {
        let text = br#"{"maps":{"a":{"state":"optimal","paths-active":5,"paths-total":4}}}"#;
        let broadcast = Broadcast::decode(text).unwrap_or_default();
        let numbers = broadcast
            .entries
            .iter()
            .map(|map| (map.entry.paths_active, map.entry.paths_total));
        assert_eq!(numbers.collect::<Vec<_>>(), [(None, None)]);
    }

    #[test]
    fn names_that_are_no_wwid_are_left_out() {
        let text = r#"{"maps":{"../a":{"state":"failed"},"":{"state":"failed"},"a\n":{},"b":{"state":"optimal"}}}"#;
        assert_eq!(states(text), Ok(vec![("b".into(), CellState::Optimal)]));
    }

    #[test]
    fn no_report_at_all() {
        for text in ["", "{", "{} x", "\u{feff}{}"] {
            assert!(
                matches!(states(text), Err(BadBroadcast::Json(_))),
                "{text:?}"
            );
        }
        for text in ["[]", "null", "7", "\"long text of a peer\""] {
            assert_eq!(states(text), Err(BadBroadcast::NoObject), "{text:?}");
        }
        for text in ["{}", r#"{"time":7}"#, r#"{"maps":[]}"#, r#"{"maps":null}"#] {
            assert_eq!(states(text), Err(BadBroadcast::NoMaps), "{text:?}");
        }
        assert_eq!(
            Broadcast::decode(b"{\"a\xff\":1}"),
            Err(BadBroadcast::Utf8(3))
        );
        for text in [r#"{"format":3,"maps":{}}"#, r#"{"format":"3","lz":"..."}"#] {
            assert_eq!(states(text), Err(BadBroadcast::Newer(3)), "{text}");
        }
        assert!(matches!(
            states(r#"{"format":2,"maps":{}}"#),
            Err(BadBroadcast::Packed(_))
        ));
        assert_eq!(states(r#"{"format":1,"maps":{}}"#), Ok(Vec::new()));
    }

    #[test]
    fn a_flood_of_names_is_no_report() {
        for (count, counts) in [(MAX_MAPS, true), (MAX_MAPS + 1, false)] {
            let maps: Vec<_> = (0..count).map(|n| format!(r#""a{n}":{{}}"#)).collect();
            // As the scanner reads it, as serde does, and piece by piece.
            for end in ["}", r#","other":1}"#, r#","time":1e999}"#] {
                let text = format!(r#"{{"maps":{{{}}}{end}"#, maps.join(","));
                let read = states(&text).map(|states| states.len());
                let wanted = if counts {
                    Ok(count)
                } else {
                    Err(BadBroadcast::TooManyMaps)
                };
                assert_eq!(read, wanted, "{end}");
            }
            let text = format!(
                r#"{{{}}}"#,
                maps.join(",").replace("{}", r#"{"state":"failed"}"#)
            );
            let read = Broadcast::decode_lenient(text.as_bytes());
            assert_eq!(read.is_ok(), counts);
        }
    }

    #[test]
    fn a_bare_summary_is_told_from_anything_else() {
        let bare = Broadcast::decode_lenient(br#"{"a":{"state":"optimal"}}"#).unwrap_or_default();
        assert_eq!(bare.entries.len(), 1);
        let odd = br#"{"a":{"state":"optimal","size":"\ud800"},"\ud800":{"state":"failed"}}"#;
        assert_eq!(Broadcast::decode_lenient(odd), Ok(bare));
        for text in ["{}", r#"{"a":{}}"#, r#"{"a":1}"#, r#"{"time":7}"#] {
            let decoded = Broadcast::decode_lenient(text.as_bytes());
            assert_eq!(decoded, Err(BadBroadcast::NoMaps), "{text}");
        }
    }
}
