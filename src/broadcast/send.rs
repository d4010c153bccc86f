//! What to send, and when.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use super::{MAX_VALUE_LEN, REFRESH_SECONDS, Summary};
use crate::Wwid;

/// What was sent last under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSent<'a> {
    /// The text; none if the key was cleared.
    pub text: Option<&'a [u8]>,
    /// When, in seconds since the epoch.
    pub time: i64,
}

/// What to do with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this text.
    Send(String),
    /// Nothing: the peers know already.
    Skip,
    /// Clear the key: the node has no maps.
    Clear,
}

/// The report does not fit into one value of the key-value store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the report of {maps} maps has {len} bytes, the cluster's key-value store takes \
     {MAX_VALUE_LEN}: nothing was sent"
)]
pub struct TooLarge {
    /// Number of maps.
    pub maps: usize,
    /// Length of the report in bytes.
    pub len: usize,
}

#[derive(Serialize)]
struct Plain<'a> {
    maps: &'a BTreeMap<Wwid, Summary>,
    time: i64,
}

fn encode(maps: &BTreeMap<Wwid, Summary>, time: i64) -> String {
    // Neither keys nor values can fail to serialize: all are texts, numbers and lists of these.
    serde_json::to_string(&Plain { maps, time }).unwrap_or_default()
}

/// Decides whether a node's health is sent at `now`, in seconds since the epoch.
///
/// A change is sent at once, the same content again only after [`REFRESH_SECONDS`]: a node whose
/// maps do not change costs the cluster one message a minute. Without maps the key is cleared,
/// once. `last` is none if it is not known what was sent, as after a restart.
pub fn health(
    maps: &BTreeMap<Wwid, Summary>,
    now: i64,
    last: Option<LastSent<'_>>,
) -> Result<Action, TooLarge> {
    if maps.is_empty() {
        let cleared = last.is_some_and(|last| last.text.is_none());
        return Ok(if cleared { Action::Skip } else { Action::Clear });
    }
    if let Some(LastSent {
        text: Some(text),
        time,
    }) = last
    {
        // A clock that was set back must not silence the node until it has caught up.
        let recent = (0..REFRESH_SECONDS).contains(&now.saturating_sub(time));
        if recent && encode(maps, time).as_bytes() == text {
            return Ok(Action::Skip);
        }
    }
    let text = encode(maps, now);
    if text.len() > MAX_VALUE_LEN {
        return Err(TooLarge {
            maps: maps.len(),
            len: text.len(),
        });
    }
    Ok(Action::Send(text))
}

/// Longest error text in bytes that is sent; the rest is cut off.
const MAX_ERROR_LEN: usize = 4096;

/// The text for `multipath-apply`: that applying the configuration failed, and when. None if it
/// did not, which clears the key.
pub fn apply_status(error: Option<&str>, now: i64) -> Option<String> {
    #[derive(Serialize)]
    struct Failure<'a> {
        error: &'a str,
        time: i64,
    }

    let error = error.map(str::trim_end).filter(|error| !error.is_empty())?;
    let mut end = error.len().min(MAX_ERROR_LEN);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    let error = error.get(..end).unwrap_or(error);
    serde_json::to_string(&Failure { error, time: now }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Device;
    use crate::{Health, Reason, Transport};

    fn maps(count: usize) -> BTreeMap<Wwid, Summary> {
        let summary = Summary {
            state: Health::Optimal,
            paths_active: 4,
            paths_total: 4,
            transport: None,
            size: Some(1 << 40),
            reasons: Vec::new(),
        };
        let wwids = (0..count).filter_map(|n| Wwid::new(&format!("36001405{n:024}")).ok());
        wwids.map(|wwid| (wwid, summary.clone())).collect()
    }

    fn sent(text: &str, time: i64) -> Option<LastSent<'_>> {
        Some(LastSent {
            text: Some(text.as_bytes()),
            time,
        })
    }

    #[test]
    fn a_change_at_once_and_a_refresh_each_minute() {
        let (one, two) = (maps(1), maps(2));
        let text = encode(&one, 1000);
        assert_eq!(health(&one, 1000, None), Ok(Action::Send(text.clone())));
        assert_eq!(health(&one, 1059, sent(&text, 1000)), Ok(Action::Skip));
        assert_eq!(
            health(&one, 1060, sent(&text, 1000)),
            Ok(Action::Send(encode(&one, 1060)))
        );
        assert_eq!(
            health(&two, 1001, sent(&text, 1000)),
            Ok(Action::Send(encode(&two, 1001)))
        );
        assert_eq!(
            health(&one, 999, sent(&text, 1000)),
            Ok(Action::Send(encode(&one, 999)))
        );
    }

    #[test]
    fn no_maps_clear_the_key_once() {
        let none = maps(0);
        assert_eq!(health(&none, 1000, None), Ok(Action::Clear));
        assert_eq!(health(&none, 1000, sent("x", 990)), Ok(Action::Clear));
        let cleared = Some(LastSent {
            text: None,
            time: 990,
        });
        assert_eq!(health(&none, 1000, cleared), Ok(Action::Skip));
        assert!(matches!(
            health(&maps(1), 1000, cleared),
            Ok(Action::Send(_))
        ));
    }

    /// 100 maps with every field, each with half of its eight paths failed.
    #[test]
    fn a_hundred_maps_fit() {
        let mut hundred = maps(100);
        for summary in hundred.values_mut() {
            summary.state = Health::Degraded;
            summary.paths_total = 8;
            summary.transport = Some(Transport::Iscsi);
            summary.reasons = vec![Reason::PathFailed {
                count: Some(4),
                devs: ["sdaaz", "sdaba", "sdzzy", "sdzzz"]
                    .into_iter()
                    .filter_map(Device::new)
                    .collect(),
            }];
        }
        assert!(matches!(
            health(&hundred, 1_800_000_000, None),
            Ok(Action::Send(_))
        ));
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        let error = health(&maps(2000), 0, None);
        assert!(matches!(error, Err(TooLarge { maps: 2000, .. })));
    }

    #[test]
    fn apply_errors_are_cut_between_characters() {
        assert_eq!(apply_status(None, 1), None);
        assert_eq!(apply_status(Some("\n"), 1), None);
        let text = apply_status(Some("no \"way\"\n"), 7);
        assert_eq!(text.as_deref(), Some(r#"{"error":"no \"way\"","time":7}"#));
        let long = apply_status(Some(&"ä".repeat(5000)), 7).unwrap_or_default();
        assert!(
            long.starts_with("{\"error\":\"ä") && long.len() < 4200,
            "{}",
            long.len()
        );
    }
}
