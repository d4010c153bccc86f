//! What peers sent. Any bytes may come.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use super::scan::scan;
use super::{REFRESH_SECONDS, STALE_SECONDS, packed};
use crate::node::paths::MAX_PATHS;
use crate::types::reason::WireReason;
use crate::types::wwid;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;
use crate::{CellState, NoteCode, Reason, Transport};

/// Most reasons and notes that are taken over for one map.
const MAX_REASONS: usize = 8;

/// Longest name of a map in bytes; the kernel takes no longer ones. It is compared and shown, so it
/// may be any text.
const MAX_NAME_LEN: usize = 127;

/// Most maps of one node that are believed. A flood of names would cost every reader time and
/// memory.
pub const MAX_MAPS: usize = 16_384;

/// A peer's report, cleaned: only WWIDs, states and numbers that can be such are left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcast<'a> {
    /// When it was sent, in seconds since the epoch.
    pub time: Option<i64>,
    /// The maps by WWID, in the order of the text.
    pub entries: Vec<(Cow<'a, str>, Entry<'a>)>,
}

/// What a peer says of one of its maps.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The map's state; `unknown` where the peer sent none of the known ones.
    pub state: CellState,
    /// Number of active paths.
    pub paths_active: Option<u32>,
    /// Number of paths.
    pub paths_total: Option<u32>,
    /// Number of paths that there should be.
    pub paths_expected: Option<u32>,
    /// Transport of all of its paths.
    pub transport: Option<Transport>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Its name on the node, any text of up to 127 bytes.
    pub name: Option<Cow<'a, str>>,
    /// Whether it is read-only.
    pub write_protected: Option<bool>,
    /// Why the state is not optimal.
    pub reasons: Vec<Reason>,
    /// What is worth knowing beside the state.
    pub notes: Vec<NoteCode>,
}

impl Entry<'_> {
    /// The same without anything borrowed.
    fn into_owned(self) -> Entry<'static> {
        Entry {
            name: self.name.map(|name| Cow::Owned(name.into_owned())),
            ..self
        }
    }
}

/// Why a peer's text counts as no report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadBroadcast {
    /// The text is not UTF-8.
    #[error("invalid UTF-8 at byte {0}")]
    Utf8(usize),
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// The text is JSON, but not an object.
    #[error("not a JSON object")]
    NoObject,
    /// There is no object `maps`.
    #[error("no object 'maps'")]
    NoMaps,
    /// There are more than [`MAX_MAPS`] maps.
    #[error("more than {MAX_MAPS} maps")]
    TooManyMaps,
    /// The report is in the packed form and cannot be unpacked.
    #[error("it cannot be unpacked: {0}")]
    Packed(&'static str),
    /// Not all values of a packed report are there.
    #[error("part {} of {of} is missing", .number + 1)]
    Incomplete {
        /// Number of the first missing value, from 0.
        number: usize,
        /// How many there should be.
        of: usize,
    },
    /// The values of a packed report are not of one report: a new one is just being sent.
    #[error("its parts do not belong together")]
    Torn,
    /// The text is of a form that a newer version made: what it says is not known here.
    #[error("made by a newer version (format {0})")]
    Newer(i64),
}

impl BadBroadcast {
    /// The error for a text that serde_json does not read as an object. Only messages about the
    /// syntax are kept: those about data quote the text, which may be long and is a peer's.
    pub(super) fn from_json(error: &serde_json::Error) -> Self {
        match error.is_data() {
            true => Self::NoObject,
            false => Self::Json(error.to_string()),
        }
    }

    /// Why the state of the node's LUNs is not known.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Newer(format) => Reason::NewerBroadcast { format: *format },
            other => Reason::BadBroadcast {
                detail: other.to_string(),
            },
        }
    }
}

/// Whether a report still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It does.
    Fresh,
    /// It is older than [`STALE_SECONDS`], or more than [`REFRESH_SECONDS`] in the future, or has
    /// no time.
    Stale {
        /// Its age in seconds.
        age: Option<i64>,
    },
}

impl<'a> Broadcast<'a> {
    /// Reads a report that is a single value: in the plain form,
    /// `{ "maps": { WWID: {...} }, "time": N }`, or packed.
    ///
    /// Names that are no WWID are left out, odd states become `unknown`, numbers that make no sense
    /// are dropped one by one. Fields that are not known are skipped.
    pub fn decode(text: &'a [u8]) -> Result<Self, BadBroadcast> {
        Self::decode_values(text, |_| None)
    }

    /// As [`Broadcast::decode`], for a report that may have several values: `continuation` gives
    /// the one under one of its [keys](super::continuation_keys).
    pub fn decode_values<'c>(
        text: &'a [u8],
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
    ) -> Result<Self, BadBroadcast> {
        let text =
            std::str::from_utf8(text).map_err(|error| BadBroadcast::Utf8(error.valid_up_to()))?;
        match Self::decode_plain(text) {
            Err(BadBroadcast::Newer(packed::FORMAT)) => {
                let (report, time) = packed::unpack(text, continuation)?;
                let unpacked = Broadcast::decode_plain(&report)?;
                Ok(Self {
                    time: seconds(&time),
                    entries: unpacked
                        .entries
                        .into_iter()
                        .map(|(wwid, entry)| (Cow::Owned(wwid.into_owned()), entry.into_owned()))
                        .collect(),
                })
            }
            decoded => decoded,
        }
    }

    fn decode_plain(text: &'a str) -> Result<Self, BadBroadcast> {
        match scan(text) {
            Some(broadcast) => Ok(broadcast),
            None => Self::decode_thoroughly(text),
        }
    }

    /// Reads any text, in one go where it can be.
    pub(super) fn decode_thoroughly(text: &'a str) -> Result<Self, BadBroadcast> {
        match serde_json::from_str::<Object<WireBroadcast<'_>>>(text) {
            Ok(Object(wire)) => wire.finish(),
            Err(_) => Self::decode_piece_by_piece(text),
        }
    }

    /// A report with those entries whose name is a WWID.
    pub(super) fn new(time: Option<i64>, mut entries: Vec<(Cow<'a, str>, Entry<'a>)>) -> Self {
        entries.retain(|(wwid, _)| wwid::check(wwid).is_ok());
        Self { time, entries }
    }

    /// As [`Broadcast::decode`], but takes a mere `{ WWID: { "state": ... } }` as well.
    pub fn decode_lenient(text: &'a [u8]) -> Result<Self, BadBroadcast> {
        match Self::decode(text) {
            Err(BadBroadcast::NoMaps) => {
                let bare: Pairs<'a, &'a RawValue> =
                    serde_json::from_slice(text).map_err(|_| BadBroadcast::NoMaps)?;
                if bare.0.len() > MAX_MAPS {
                    return Err(BadBroadcast::TooManyMaps);
                }
                let bare = bare.0.into_iter();
                let bare = bare.map(|(wwid, raw)| (wwid, WireEntry::piece_by_piece(raw)));
                let bare: Vec<_> = bare.collect();
                let summary = |(_, entry): &(_, WireEntry<'_>)| entry.state != Scalar::Null;
                if bare.is_empty() || !bare.iter().all(summary) {
                    return Err(BadBroadcast::NoMaps);
                }
                let bare = bare.into_iter().map(|(wwid, wire)| (wwid, wire.entry()));
                Ok(Self::new(None, bare.collect()))
            }
            decoded => decoded,
        }
    }

    /// Reads a text of which some part has a type or a number that it should not have: each field
    /// on its own, so that one does not take the others along.
    fn decode_piece_by_piece(text: &'a str) -> Result<Self, BadBroadcast> {
        let fields: Pairs<'a, &'a RawValue> =
            serde_json::from_str(text).map_err(|error| BadBroadcast::from_json(&error))?;
        check_format(&fields.scalar("format"))?;
        let maps = fields.last("maps").ok_or(BadBroadcast::NoMaps)?;
        let maps: Pairs<'a, &'a RawValue> =
            serde_json::from_str(maps.get()).map_err(|_| BadBroadcast::NoMaps)?;
        if maps.0.len() > MAX_MAPS {
            return Err(BadBroadcast::TooManyMaps);
        }
        let maps = maps
            .0
            .into_iter()
            .map(|(wwid, raw)| (wwid, WireEntry::piece_by_piece(raw).entry()));
        Ok(Self::new(seconds(&fields.scalar("time")), maps.collect()))
    }

    /// Whether the report counts at `now`, in seconds since the epoch.
    pub fn freshness(&self, now: i64) -> Freshness {
        match self.time.map(|time| now.saturating_sub(time)) {
            Some(age) if (-REFRESH_SECONDS..=STALE_SECONDS).contains(&age) => Freshness::Fresh,
            age => Freshness::Stale { age },
        }
    }
}

fn check_format(format: &Scalar<'_>) -> Result<(), BadBroadcast> {
    match format {
        Scalar::Null => Ok(()),
        _ => match format.as_int() {
            Some(1) => Ok(()),
            other => Err(BadBroadcast::Newer(other.unwrap_or(-1))),
        },
    }
}

/// A time in whole seconds; senders may have sent fractions.
fn seconds(time: &Scalar<'_>) -> Option<i64> {
    let whole = match time {
        Scalar::Float(seconds) => Scalar::Float(seconds.floor()),
        other => other.clone(),
    };
    whole.as_int().filter(|seconds| *seconds >= 0)
}

/// The text as a well-behaved peer sends it. Read in one go, which is why it is fast.
#[derive(Deserialize)]
struct WireBroadcast<'a> {
    #[serde(borrow, default)]
    format: Scalar<'a>,
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow)]
    maps: Option<Pairs<'a, Entry<'a>>>,
}

impl<'a> WireBroadcast<'a> {
    fn finish(self) -> Result<Broadcast<'a>, BadBroadcast> {
        check_format(&self.format)?;
        let maps = self.maps.ok_or(BadBroadcast::NoMaps)?;
        if maps.0.len() > MAX_MAPS {
            return Err(BadBroadcast::TooManyMaps);
        }
        Ok(Broadcast::new(seconds(&self.time), maps.0))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct WireEntry<'a> {
    #[serde(borrow)]
    state: Scalar<'a>,
    #[serde(borrow)]
    paths_active: Scalar<'a>,
    #[serde(borrow)]
    paths_total: Scalar<'a>,
    #[serde(borrow)]
    paths_expected: Scalar<'a>,
    #[serde(borrow)]
    transport: Scalar<'a>,
    #[serde(borrow)]
    size: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    write_protected: Scalar<'a>,
    #[serde(borrow)]
    reasons: Vec<Object<WireReason<'a>>>,
    #[serde(borrow)]
    notes: Vec<Scalar<'a>>,
}

impl<'a> WireEntry<'a> {
    fn piece_by_piece(raw: &'a RawValue) -> Self {
        let fields: Pairs<'a, &'a RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
        Self {
            state: fields.scalar("state"),
            paths_active: fields.scalar("paths-active"),
            paths_total: fields.scalar("paths-total"),
            paths_expected: fields.scalar("paths-expected"),
            transport: fields.scalar("transport"),
            size: fields.scalar("size"),
            name: fields.scalar("name"),
            write_protected: fields.scalar("write-protected"),
            reasons: fields.list("reasons"),
            notes: fields.list("notes"),
        }
    }

    fn entry(self) -> Entry<'a> {
        let fields = Fields {
            state: self.state.as_str(),
            paths_active: self.paths_active.as_int(),
            paths_total: self.paths_total.as_int(),
            paths_expected: self.paths_expected.as_int(),
            transport: self.transport.as_str(),
            size: self.size.as_int(),
            write_protected: self.write_protected.as_int(),
        };
        fields.entry(self.name.into_text(), &self.reasons, &self.notes)
    }
}

/// The plain fields of an entry, of which nothing is known yet but their types.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) state: Option<&'a str>,
    pub(super) paths_active: Option<i64>,
    pub(super) paths_total: Option<i64>,
    pub(super) paths_expected: Option<i64>,
    pub(super) transport: Option<&'a str>,
    pub(super) size: Option<i64>,
    pub(super) write_protected: Option<i64>,
}

impl Fields<'_> {
    /// Keeps what makes sense.
    pub(super) fn entry<'a>(
        &self,
        name: Option<Cow<'a, str>>,
        reasons: &[Object<WireReason<'_>>],
        notes: &[Scalar<'_>],
    ) -> Entry<'a> {
        let number = |number: Option<i64>| {
            let number = u32::try_from(number?).ok()?;
            (number <= MAX_PATHS).then_some(number)
        };
        let mut active = number(self.paths_active);
        let mut total = number(self.paths_total);
        // More active paths than paths: neither number can be believed.
        if active > total && total.is_some() {
            (active, total) = (None, None);
        }
        let reasons = reasons.iter().filter_map(|Object(reason)| reason.reason());
        let notes = notes
            .iter()
            .filter_map(|note| NoteCode::from_name(note.as_str()?));
        Entry {
            state: self
                .state
                .and_then(CellState::from_name)
                .unwrap_or(CellState::Unknown),
            paths_active: active,
            paths_total: total,
            paths_expected: number(self.paths_expected),
            transport: self.transport.and_then(Transport::from_name),
            size: self
                .size
                .and_then(|size| u64::try_from(size).ok())
                .filter(|size| *size > 0),
            name: name.filter(|name| (1..=MAX_NAME_LEN).contains(&name.len())),
            write_protected: match self.write_protected {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            reasons: reasons.take(MAX_REASONS).collect(),
            notes: notes.take(MAX_REASONS).collect(),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object::<WireEntry<'a>>::deserialize(deserializer).map(|Object(wire)| wire.entry())
    }
}

/// A text, such as a name in an object, in which half of a surrogate pair becomes U+FFFD.
///
/// JSON can escape such a half, and serde_json refuses it where a text is wanted. One name must not
/// discard the whole report, and U+FFFD occurs in no WWID and no name of a field.
struct LossyText<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for LossyText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = LossyText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Self::Value, E> {
                Ok(LossyText(String::from_utf8_lossy(text)))
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
                let text = String::from_utf8_lossy(text).into_owned();
                Ok(LossyText(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_bytes(TextVisitor)
    }
}

/// The pairs of a JSON object in their order, keys borrowed where they can be.
struct Pairs<'a, T>(Vec<(Cow<'a, str>, T)>);

impl<T> Default for Pairs<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a> Pairs<'a, &'a RawValue> {
    /// The value of a key; of several, the last, as JSON parsers have it.
    fn last(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, raw)| *raw)
    }

    /// The elements of a list that can be read as such.
    fn list<T: Deserialize<'a>>(&self, key: &str) -> Vec<T> {
        let raw = self.last(key).map(|raw| serde_json::from_str(raw.get()));
        let elements: Vec<&'a RawValue> = raw.and_then(Result::ok).unwrap_or_default();
        let elements = elements.into_iter();
        elements
            .filter_map(|raw| serde_json::from_str(raw.get()).ok())
            .collect()
    }

    /// A plain value; null where there is none, or none that can be read.
    fn scalar(&self, key: &str) -> Scalar<'a> {
        let raw = self.last(key).map(|raw| serde_json::from_str(raw.get()));
        raw.and_then(Result::ok).unwrap_or_default()
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
            type Value = Vec<(Cow<'de, str>, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((LossyText(key), value)) = map.next_entry()? {
                    // One more than any object may have is enough to tell.
                    if pairs.len() <= MAX_MAPS {
                        pairs.push((key, value));
                    }
                }
                Ok(pairs)
            }
        }

        deserializer
            .deserialize_map(PairsVisitor(std::marker::PhantomData))
            .map(Pairs)
    }
}

/// That a peer could not apply the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyStatus {
    /// What it said.
    pub error: String,
    /// When, in seconds since the epoch.
    pub time: Option<i64>,
}

impl ApplyStatus {
    /// Reads the value of a peer's key `multipath-apply`.
    ///
    /// None where it tells of no failure: no JSON object, or one without a text `error`.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let fields: Pairs<'_, &RawValue> = serde_json::from_str(text).ok()?;
        // That applying failed must not be lost because of one character of the reason.
        let raw = fields.last("error")?.get();
        let error = match serde_json::from_str::<Scalar<'_>>(raw) {
            Ok(error) => error.into_text()?,
            Err(_) => serde_json::from_str::<LossyText<'_>>(raw).ok()?.0,
        };
        let error = Some(error).filter(|error| !error.is_empty())?;
        Some(Self {
            error: error.into_owned(),
            time: seconds(&fields.scalar("time")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(text: &str) -> Result<Vec<(String, CellState)>, BadBroadcast> {
        let broadcast = Broadcast::decode(text.as_bytes())?;
        let entries = broadcast.entries.into_iter();
        Ok(entries
            .map(|(wwid, entry)| (wwid.into_owned(), entry.state))
            .collect())
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
            let broadcast = Broadcast::decode(text.as_bytes());
            let wanted = Entry {
                state: CellState::Degraded,
                paths_active: None,
                paths_total: Some(4),
                paths_expected: None,
                transport: Some(Transport::Fc),
                size: None,
                name: None,
                write_protected: None,
                reasons: Vec::new(),
                notes: Vec::new(),
            };
            let wanted = Broadcast {
                time: Some(7),
                entries: vec![("a".into(), wanted)],
            };
            assert_eq!(broadcast, Ok(wanted), "{odd}");
        }
    }

    /// Half of a surrogate pair, as a name and as a value, at each level.
    #[test]
    fn a_lone_surrogate_discards_one_entry_or_one_field() {
        let entry = |name: Option<&str>| Entry {
            state: CellState::Degraded,
            paths_active: None,
            paths_total: Some(4),
            paths_expected: None,
            transport: None,
            size: None,
            name: name.map(|name| Cow::Owned(name.to_owned())),
            write_protected: None,
            reasons: Vec::new(),
            notes: Vec::new(),
        };
        for (text, name) in [
            (
                r#"{"maps":{"\ud800":{"state":"failed"},"a":FIELDS,"\udfff":7},"time":7}"#,
                Some("san-a"),
            ),
            (
                r#"{"\ud800":1,"maps":{"a":FIELDS},"time":7}"#,
                Some("san-a"),
            ),
            (
                r#"{"maps":{"a":{"\ud800":[],"name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                Some("san-a"),
            ),
            (
                r#"{"maps":{"a":{"name":"\ud800","state":"degraded","paths-total":4}},"time":7}"#,
                None,
            ),
            (
                r#"{"maps":{"a":{"transport":"\udbff","name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                Some("san-a"),
            ),
            (
                r#"{"maps":{"a":{"notes":["\ud800"],"reasons":[{"\ud800":1},{"code":"\ud800"}],"name":"san-a","state":"degraded","paths-total":4}},"time":7}"#,
                Some("san-a"),
            ),
        ] {
            let fields = r#"{"state":"degraded","paths-total":4,"name":"san-a"}"#;
            let text = text.replace("FIELDS", fields);
            let wanted = Broadcast {
                time: Some(7),
                entries: vec![("a".into(), entry(name))],
            };
            assert_eq!(Broadcast::decode(text.as_bytes()), Ok(wanted), "{text}");
        }
        // A pair is a character, and what is escaped is the same name.
        let text = r#"{"maps":{"\u0061":{"state":"degraded","paths-total":4,"name":"\ud83d\udca9"}},"time":7}"#;
        let read = Broadcast::decode(text.as_bytes()).unwrap_or_default();
        assert_eq!(read.entries, [("a".into(), entry(Some("\u{1f4a9}")))]);
    }

    #[test]
    fn numbers_that_contradict_each_other_are_dropped() {
        let text = br#"{"maps":{"a":{"state":"optimal","paths-active":5,"paths-total":4}}}"#;
        let broadcast = Broadcast::decode(text).unwrap_or_default();
        let numbers = broadcast
            .entries
            .iter()
            .map(|(_, e)| (e.paths_active, e.paths_total));
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
        let odd = br#"{"a":{"state":"optimal","name":"\ud800"},"\ud800":{"state":"failed"}}"#;
        assert_eq!(Broadcast::decode_lenient(odd), Ok(bare));
        for text in ["{}", r#"{"a":{}}"#, r#"{"a":1}"#, r#"{"time":7}"#] {
            let decoded = Broadcast::decode_lenient(text.as_bytes());
            assert_eq!(decoded, Err(BadBroadcast::NoMaps), "{text}");
        }
    }

    #[test]
    fn freshness_of_a_report() {
        let at = |time| {
            Broadcast {
                time,
                entries: Vec::new(),
            }
            .freshness(1_000)
        };
        for time in [820, 1_000, 1_060] {
            assert_eq!(at(Some(time)), Freshness::Fresh, "{time}");
        }
        assert_eq!(at(Some(819)), Freshness::Stale { age: Some(181) });
        assert_eq!(at(Some(1_061)), Freshness::Stale { age: Some(-61) });
        assert_eq!(at(None), Freshness::Stale { age: None });
    }

    #[test]
    fn apply_errors() {
        let decode = |text: &str| ApplyStatus::decode(text.as_bytes());
        let status = |error: &str, time| {
            Some(ApplyStatus {
                error: error.into(),
                time,
            })
        };
        assert_eq!(
            decode(r#"{"error":"no","time":7.5}"#),
            status("no", Some(7))
        );
        assert_eq!(decode(r#"{"error":"no","time":"x"}"#), status("no", None));
        assert_eq!(
            decode(r#"{"error":"no \ud800","\ud800":1,"time":7}"#),
            status("no \u{fffd}\u{fffd}\u{fffd}", Some(7))
        );
        for text in ["", "x", "{}", r#"{"error":""}"#, r#"{"error":["x"]}"#, "[]"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
