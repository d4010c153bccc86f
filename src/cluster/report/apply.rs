//! Whether a node could apply the configuration: what it tells its peers, and what they read.

use serde::Serialize;
use serde::de::MapAccess;

use super::packed::seconds;
use super::send::{KvWrite, LastSent, is_recent};
use crate::wire::lenient::{Parts, fields, read, skip};
use crate::wire::scalar::Scalar;

/// The key under which a node tells that it could not apply the configuration.
const KEY: &str = "multipath-apply";

/// Most bytes of an error that are sent; the rest is cut off.
const MAX_ERROR_LEN: usize = 4096;

/// What has to be written at `now`, in seconds since the epoch, to tell the peers how applying the
/// configuration went: that it failed with `error`, or that it did not.
///
/// A change is sent at once, a failure again after [`REFRESH_SECONDS`](super::REFRESH_SECONDS). Success
/// clears the key, once. `last` is none if it is not known what was sent, as after a restart.
pub fn apply_status(error: Option<&str>, now: i64, last: Option<LastSent<'_>>) -> Vec<KvWrite> {
    let is_known = match last {
        Some(LastSent {
            text: Some(text),
            time,
        }) => {
            let same = apply_text(error, time).is_some_and(|sent| sent.as_bytes() == text);
            same && is_recent(time, now)
        }
        Some(LastSent { text: None, .. }) => apply_text(error, now).is_none(),
        None => false,
    };
    let write = || KvWrite {
        key: KEY.to_owned(),
        text: apply_text(error, now),
    };
    (!is_known).then(write).into_iter().collect()
}

/// The text for `multipath-apply`: that applying the configuration failed, and when.
fn apply_text(error: Option<&str>, time: i64) -> Option<String> {
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
    serde_json::to_string(&Failure { error, time }).ok()
}

/// That a peer could not apply the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyStatus {
    /// The error.
    pub error: String,
    /// When it occurred, in seconds since the epoch.
    pub time: Option<i64>,
}

impl ApplyStatus {
    /// Reads the value of a peer's key `multipath-apply`.
    ///
    /// None where it tells of no failure: not a JSON object, or one without a text `error`.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let status: Self = read(std::str::from_utf8(text).ok()?).ok()??;
        Some(status).filter(|status| !status.error.is_empty())
    }
}

impl<'de> Parts<'de> for ApplyStatus {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut status = Self {
            error: String::new(),
            time: None,
        };
        fields(object, |name, from| {
            match name {
                "error" => {
                    let error = from.next_value::<Scalar<'_>>()?.into_text();
                    status.error = error.unwrap_or_default().into_owned();
                }
                "time" => status.time = seconds(&from.next_value()?),
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(Some(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, time: i64) -> Option<LastSent<'_>> {
        Some(LastSent {
            text: Some(text.as_bytes()),
            time,
        })
    }

    #[test]
    fn apply_errors_at_once_and_again_each_minute() {
        let failed = |error: &str, time| {
            let text = format!(r#"{{"error":"{error}","time":{time}}}"#);
            let key = "multipath-apply".to_owned();
            let value = KvWrite {
                key,
                text: Some(text.clone()),
            };
            (text, vec![value])
        };
        let (text, first) = failed("no way", 1000);
        assert_eq!(apply_status(Some("no way\n"), 1000, None), first);
        let last = sent(&text, 1000);
        assert_eq!(apply_status(Some("no way"), 1059, last), []);
        for (error, now) in [("no way", 1060), ("no way", 999), ("disk full", 1001)] {
            assert_eq!(apply_status(Some(error), now, last), failed(error, now).1);
        }

        let cleared = vec![KvWrite {
            key: "multipath-apply".to_owned(),
            text: None,
        }];
        let last_cleared = Some(LastSent {
            text: None,
            time: 1000,
        });
        for error in [None, Some(""), Some("\n")] {
            assert_eq!(apply_status(error, 1001, None), cleared);
            assert_eq!(apply_status(error, 1001, last), cleared);
            assert_eq!(apply_status(error, 9999, last_cleared), []);
        }
        assert_eq!(apply_status(Some("no way"), 1000, last_cleared), first);
    }

    #[test]
    fn apply_errors_are_cut_between_characters() {
        let text = apply_text(Some("no \"way\"\n"), 7);
        assert_eq!(text.as_deref(), Some(r#"{"error":"no \"way\"","time":7}"#));
        let long = apply_text(Some(&"ä".repeat(5000)), 7).unwrap_or_default();
        assert!(
            long.starts_with("{\"error\":\"ä") && long.len() < 4200,
            "{}",
            long.len()
        );
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
