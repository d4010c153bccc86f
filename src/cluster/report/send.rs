//! What to send, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::broadcast::{Broadcast, MAX_MAPS, REFRESH_SECONDS};
use super::entry::Entry;
use super::packed::{self, KEY, MAX_VALUE_LEN, MAX_VALUES};
use super::parts::{Context, NamedEntry, NodeInfo};
use crate::Wwid;
use crate::node::causes::Cause;
use crate::types::absence::Absence;

/// What was sent last under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSent<'a> {
    /// The text; none if the key was cleared.
    pub text: Option<&'a [u8]>,
    /// When, in seconds since the epoch.
    pub time: i64,
}

/// A value of the cluster's key-value store to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvWrite {
    /// Its key.
    pub key: String,
    /// Its text; none clears the key.
    pub text: Option<String>,
}

/// The report does not fit into the key-value store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the report of {maps} maps has {len} bytes, which even packed is more than {MAX_VALUES} values \
     of the cluster's key-value store can hold: nothing was sent"
)]
pub struct TooLarge {
    /// Number of maps.
    pub maps: usize,
    /// Length of the report in bytes.
    pub len: usize,
}

impl Broadcast {
    /// A report of these maps and nothing else.
    pub fn of_maps(maps: &BTreeMap<Wwid, Entry>) -> Self {
        let entries = maps.iter().map(|(wwid, entry)| NamedEntry {
            wwid: Arc::new(wwid.clone()),
            entry: Arc::new(entry.clone()),
            context: Context::default(),
        });
        Self {
            entries: entries.collect(),
            ..Self::default()
        }
    }

    /// The text in the plain form, with this time.
    fn to_json(&self, time: Option<i64>) -> String {
        #[derive(Serialize)]
        struct Map<'a> {
            #[serde(flatten)]
            entry: &'a Entry,
            #[serde(flatten)]
            context: Context,
        }
        struct Maps<'a>(&'a [NamedEntry]);
        impl Serialize for Maps<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|map| {
                    let (entry, context) = (map.entry.as_ref(), map.context);
                    (&*map.wwid, Map { entry, context })
                }))
            }
        }
        #[derive(Serialize)]
        struct Plain<'a> {
            maps: Maps<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            node: Option<&'a NodeInfo>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            causes: &'a [Cause],
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            absent: &'a BTreeMap<Wwid, Absence>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<i64>,
        }
        let plain = Plain {
            maps: Maps(&self.entries),
            node: self.node.as_deref(),
            causes: &self.causes,
            absent: &self.absent,
            time,
        };
        // Neither keys nor values can fail to serialize: all are texts, numbers and lists of these.
        serde_json::to_string(&plain).unwrap_or_default()
    }

    /// The values that publish this report. One of maps that were never known has no time, and is short.
    fn values(&self, time: Option<i64>) -> Result<Vec<String>, TooLarge> {
        let (maps, text) = (self.entries.len(), |time| self.to_json(time));
        let values = match time {
            Some(time) => values(text, time).filter(|_| maps <= MAX_MAPS),
            None => Some(vec![text(None)]),
        };
        values.ok_or_else(|| TooLarge {
            maps,
            len: text(time).len(),
        })
    }

    /// What has to be written to publish this report, whatever the peers have, of which `last` is what is known.
    /// The values are written in this order, and the one under [`KEY`] is the next [`LastSent::text`].
    ///
    /// # Errors
    ///
    /// The report is too long for the key-value store.
    pub fn writes(&self, last: Option<LastSent<'_>>) -> Result<Vec<KvWrite>, TooLarge> {
        let values = self.values(self.time)?;
        Ok(changes(KEY, values, last.and_then(|last| last.text)))
    }
}

/// The values of a report, in the plain form if it fits. `text` makes its JSON, with a time or without. None
/// if it is too long for any form.
pub(super) fn values(text: impl Fn(Option<i64>) -> String, time: i64) -> Option<Vec<String>> {
    let plain = text(Some(time));
    if plain.len() <= MAX_VALUE_LEN {
        return Some(vec![plain]);
    }
    packed::pack(&text(None), time)
}

/// What has to be written at `now`, in seconds since the epoch, to publish a node's health; nothing if
/// the peers have it already. The values are written in this order, and the one under `multipath` is
/// the next [`LastSent::text`].
///
/// A change is sent at once, the same content again only after [`REFRESH_SECONDS`]: a node whose
/// maps do not change costs the cluster one message a minute, or one for each value of a packed
/// report. A node without maps sends an empty report, so that it can be told from one that does not
/// report. `last` is none if it is not known what was sent, as after a restart.
pub fn health(
    maps: &BTreeMap<Wwid, Entry>,
    now: i64,
    last: Option<LastSent<'_>>,
) -> Result<Vec<KvWrite>, TooLarge> {
    let report = Broadcast::of_maps(maps);
    writes(KEY, REFRESH_SECONDS, now, last, |time| {
        report.values(Some(time))
    })
}

/// What has to be written at `now` so that the peers have a report under its key; nothing if they have it,
/// and since less than `refresh` seconds. `values` makes the values of the report that is sent at a time.
pub(super) fn writes<E>(
    key: &str,
    refresh: i64,
    now: i64,
    last: Option<LastSent<'_>>,
    values: impl Fn(i64) -> Result<Vec<String>, E>,
) -> Result<Vec<KvWrite>, E> {
    if let Some(LastSent {
        text: Some(text),
        time,
    }) = last.filter(|last| is_within(refresh, last.time, now))
    {
        let first = |values: Vec<String>| values.into_iter().next().unwrap_or_default();
        if values(time).map(first)?.as_bytes() == text {
            return Ok(Vec::new());
        }
    }
    let last_text = last.and_then(|last| last.text);
    Ok(changes(key, values(now)?, last_text))
}

/// Whether what was sent at `time` need not be sent again at `now`.
pub(crate) fn is_recent(time: i64, now: i64) -> bool {
    is_within(REFRESH_SECONDS, time, now)
}

/// Whether less than these seconds have passed at `now` since `time`. A clock that was set back must not
/// silence the node until it has caught up.
pub(super) fn is_within(seconds: i64, time: i64, now: i64) -> bool {
    (0..seconds).contains(&now.saturating_sub(time))
}

/// What has to be written so that the node's values are these.
///
/// The first value comes after those that it needs, and before those that the last report, of which
/// `last` was the first value, needed and this one does not.
fn changes(key: &str, values: Vec<String>, last: Option<&[u8]>) -> Vec<KvWrite> {
    let count = values.len();
    let before = last.map_or(1, packed::values);
    let mut numbered = values.into_iter();
    let first = KvWrite {
        key: key.to_owned(),
        text: numbered.next(),
    };
    let continued = |(number, text)| KvWrite {
        key: packed::continuation_key(key, number),
        text,
    };
    let needed = (1..).zip(numbered.map(Some)).map(continued);
    let cleared = (count..before).map(|number| continued((number, None)));
    needed.chain([first]).chain(cleared).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parts::CauseSet;
    use super::*;
    use crate::cluster::report::Software;
    use crate::node::applied::Applied;
    use crate::node::maps::DaemonState;
    use crate::types::label::Label;
    use crate::types::reason::Device;
    use crate::wire::lenient::Lenient;
    use crate::{CellState, NoteCode, Reason, Transport};

    fn maps(count: usize) -> BTreeMap<Wwid, Entry> {
        let summary = Entry {
            state: CellState::Optimal,
            paths_active: Some(4),
            paths_total: Some(4),
            paths_expected: Some(4),
            transport: None,
            size: Some(1 << 40),
            name: None,
            write_protected: Some(false),
            reasons: Vec::new(),
            notes: Vec::new(),
        };
        // Digits in no order, as hashes have them: the worst for compression.
        let noise = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 28;
        let wwids = (1..).map(|n| format!("36001405{:025x}", noise(n)));
        let wwids = wwids.take(count).filter_map(|wwid| Wwid::new(&wwid).ok());
        wwids.map(|wwid| (wwid, summary.clone())).collect()
    }

    fn encode(maps: &BTreeMap<Wwid, Entry>, time: i64) -> String {
        Broadcast::of_maps(maps).to_json(Some(time))
    }

    fn sent(text: &str, time: i64) -> Option<LastSent<'_>> {
        Some(LastSent {
            text: Some(text.as_bytes()),
            time,
        })
    }

    fn plain(text: String) -> Result<Vec<KvWrite>, TooLarge> {
        written(vec![("multipath", Some(text))])
    }

    fn written(values: Vec<(&str, Option<String>)>) -> Result<Vec<KvWrite>, TooLarge> {
        let values = values.into_iter().map(|(key, text)| KvWrite {
            key: key.to_owned(),
            text,
        });
        Ok(values.collect())
    }

    #[test]
    fn a_change_at_once_and_a_refresh_each_minute() {
        let (one, two) = (maps(1), maps(2));
        let text = encode;
        let first = text(&one, 1000);
        assert_eq!(health(&one, 1000, None), plain(first.clone()));
        assert_eq!(health(&one, 1059, sent(&first, 1000)), Ok(Vec::new()));
        assert_eq!(
            health(&one, 1060, sent(&first, 1000)),
            plain(text(&one, 1060))
        );
        assert_eq!(
            health(&two, 1001, sent(&first, 1000)),
            plain(text(&two, 1001))
        );
        assert_eq!(
            health(&one, 999, sent(&first, 1000)),
            plain(text(&one, 999))
        );
    }

    #[test]
    fn a_node_without_maps_reports_that() {
        let none = maps(0);
        let empty = |time| format!(r#"{{"maps":{{}},"time":{time}}}"#);
        assert_eq!(health(&none, 1000, None), plain(empty(1000)));
        let text = empty(1000);
        let last = sent(&text, 1000);
        assert_eq!(health(&none, 1059, last), Ok(Vec::new()));
        assert_eq!(health(&none, 1060, last), plain(empty(1060)));
        // Maps that go, and that come.
        let one = encode(&maps(1), 1000);
        assert_eq!(health(&none, 1001, sent(&one, 1000)), plain(empty(1001)));
        let one = encode(&maps(1), 1001);
        assert_eq!(health(&maps(1), 1001, last), plain(one));
        // An older version cleared the key.
        let cleared = Some(LastSent {
            text: None,
            time: 1000,
        });
        assert_eq!(health(&none, 1001, cleared), plain(empty(1001)));
    }

    /// 100 maps with every field, each with half of its eight paths failed.
    #[test]
    fn a_hundred_maps_fit() {
        let mut hundred = maps(100);
        for (wwid, summary) in &mut hundred {
            summary.name = Some(wwid.as_str().into());
            summary.notes = vec![NoteCode::SingleHba];
            summary.state = CellState::Degraded;
            summary.paths_total = Some(8);
            summary.transport = Some(Transport::Iscsi);
            summary.reasons = vec![Reason::PathFailed {
                count: Some(4),
                devs: ["sdaaz", "sdaba", "sdzzy", "sdzzz"]
                    .into_iter()
                    .filter_map(Device::new)
                    .collect(),
            }];
        }
        let text = encode(&hundred, 1_800_000_000);
        assert_eq!(health(&hundred, 1_800_000_000, None), plain(text));
    }

    /// The keys and texts that a report of so many maps is written to.
    fn packed_values(count: usize, time: i64, last: Option<LastSent<'_>>) -> Vec<KvWrite> {
        health(&maps(count), time, last).unwrap()
    }

    fn keys(values: &[KvWrite]) -> Vec<(&str, bool)> {
        let key = |value: &'_ KvWrite| value.text.is_some();
        values
            .iter()
            .map(|value| (value.key.as_str(), key(value)))
            .collect()
    }

    /// A report with all parts.
    fn whole(count: usize) -> Broadcast {
        let mut report = Broadcast::of_maps(&maps(count));
        let entries = report.entries.iter().zip(0..);
        let entries = entries.map(|(map, number)| {
            let mut causes = CauseSet::default();
            if number % 2 == 0 {
                causes.insert(number % 4);
            }
            let since = Some(1_795_000_000 + i64::try_from(number % 50).unwrap() * 10_007);
            let context = Context { since, causes };
            NamedEntry {
                context,
                ..map.clone()
            }
        });
        report.entries = entries.collect();
        report.node = Some(Arc::new(NodeInfo {
            software: Software {
                version: Label::name(b"0.2.0"),
                multipath_tools: Label::name(b"0.11.1-2"),
                multipathd: Some(DaemonState::Running),
            },
            time: None,
            applied: Some(Applied {
                time: Some(1_795_000_000),
                digest: Label::name(b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            }),
            drift: Label::name(b"defaults: no-path-retry is 5, not 12")
                .into_iter()
                .collect(),
            remembers: Some(2_000),
        }));
        let cause = |text: &str| {
            let Lenient(cause) = serde_json::from_str(text).unwrap();
            cause.unwrap()
        };
        report.causes = [
            cause(r#"{"initiator":"0x21000024ff000001","host":1,"paths":1000}"#),
            cause(r#"{"target":"0x5000097300000001","paths":500}"#),
            cause(r#"{"initiator":"0x21000024ff000002","target":"0x5000097300000002","paths":7}"#),
        ]
        .into();
        report.time = Some(1_795_252_500);
        report
    }

    #[test]
    fn what_is_sent_is_read() {
        for count in [0, 1, 5, 2_000] {
            let report = whole(count);
            let writes = report.writes(None).unwrap();
            let value = |key: &str| {
                let write = writes.iter().find(|write| write.key == key)?;
                write.text.as_deref().map(str::as_bytes)
            };
            let read = Broadcast::decode_values(value(KEY).unwrap(), value);
            assert_eq!(read.as_ref(), Ok(&report), "{count}");
        }
    }

    #[test]
    fn two_thousand_maps_take_two_values() {
        let writes = whole(2_000).writes(None).unwrap();
        assert_eq!(keys(&writes), [("multipath-1", true), ("multipath", true)]);
    }

    #[test]
    fn values_are_written_and_cleared_in_an_order_that_readers_can_follow() {
        // WWIDs without any order to them take two values, and with the others three.
        let two = packed_values(2_000, 1000, None);
        assert_eq!(keys(&two), [("multipath-1", true), ("multipath", true)]);
        let head = two
            .last()
            .and_then(|value| value.text.clone())
            .unwrap_or_default();

        assert_eq!(
            health(&maps(2_000), 1059, sent(&head, 1000)),
            Ok(Vec::new())
        );
        assert_eq!(
            keys(&packed_values(2_000, 1060, sent(&head, 1000))),
            keys(&two)
        );

        let last = sent(&head, 1000);
        assert_eq!(
            keys(&packed_values(1, 1010, last)),
            [("multipath", true), ("multipath-1", false)]
        );
        assert_eq!(
            keys(&packed_values(0, 1010, last)),
            [("multipath", true), ("multipath-1", false)]
        );
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let error = health(&maps(20_000), 0, None);
        assert!(matches!(error, Err(TooLarge { maps: 20_000, .. })));
    }
}
