//! The packed form, for a report that is too long for one value of the key-value store.
//!
//! The plain form's text, compressed (zlib, RFC 1950) and written in base64, is cut into as many
//! values as it takes. The first one, under the key `multipath`, is a JSON object that says how many
//! there are; the others have nothing but the rest of the base64 text:
//!
//! ```json
//! { "format": 2, "time": 1795252500, "values": 2, "sha1": "...", "data": "eJz..." }
//! ```
//!
//! The values change one after the other, so a reader may find old ones beside new ones. `sha1`, of
//! the whole base64 text, tells that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::{BadBroadcast, MAX_VALUE_LEN};
use crate::config::hexadecimal;
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// The number by which this form is told from others.
pub(super) const FORMAT: i64 = 2;

/// Most values of one report. 10,000 maps with all fields, which nothing can be left out of, take
/// about ten.
pub const MAX_VALUES: usize = 16;

/// Longest text in bytes that is unpacked: a few bytes may stand for gigabytes.
pub const MAX_UNPACKED_LEN: usize = 4 << 20;

/// zlib's own default: higher levels gain a few per cent.
const LEVEL: u8 = 6;

/// Room in the first value for all but the data.
const HEAD_LEN: usize = 160;

/// The first value of a packed report.
#[derive(Serialize)]
struct Head<'a> {
    format: i64,
    time: i64,
    values: usize,
    sha1: &'a str,
    data: &'a str,
}

/// As a peer sent it, of which `format` has been looked at.
#[derive(Deserialize)]
struct WireHead<'a> {
    #[serde(borrow, default)]
    time: Scalar<'a>,
    #[serde(borrow, default)]
    values: Scalar<'a>,
    #[serde(borrow, default)]
    sha1: Scalar<'a>,
    #[serde(borrow, default)]
    data: Scalar<'a>,
}

impl<'a> WireHead<'a> {
    fn read(text: &'a str) -> Result<Self, BadBroadcast> {
        let Object(head) =
            serde_json::from_str(text).map_err(|error| BadBroadcast::from_json(&error))?;
        Ok(head)
    }

    fn values(&self) -> Result<usize, BadBroadcast> {
        let values = self.values.as_int().and_then(|n| usize::try_from(n).ok());
        values
            .filter(|values| (1..=MAX_VALUES).contains(values))
            .ok_or(BadBroadcast::Packed("no number of values"))
    }
}

/// The values of a report, in the order of their keys. None if even [`MAX_VALUES`] cannot hold it,
/// or nobody would unpack it.
pub(super) fn pack(report: &str, time: i64) -> Option<Vec<String>> {
    if report.len() > MAX_UNPACKED_LEN {
        return None;
    }
    let data = STANDARD.encode(compress_to_vec_zlib(report.as_bytes(), LEVEL));
    let (first, rest) = data
        .split_at_checked(MAX_VALUE_LEN - HEAD_LEN)
        .unwrap_or((&data, ""));
    // base64 is ASCII, so each chunk is a text.
    let rest = rest.as_bytes().chunks(MAX_VALUE_LEN);
    let rest: Vec<_> = rest
        .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
        .collect();
    let head = Head {
        format: FORMAT,
        time,
        values: rest.len() + 1,
        sha1: &digest(&data),
        data: first,
    };
    let mut values = vec![serde_json::to_string(&head).ok()?];
    values.extend(rest);
    (values.len() <= MAX_VALUES).then_some(values)
}

/// The report's text and time. `continuation` gives the value under a [`continuation_key`].
pub(super) fn unpack<'c>(
    head: &str,
    continuation: impl Fn(&str) -> Option<&'c [u8]>,
) -> Result<(String, Scalar<'_>), BadBroadcast> {
    let head = WireHead::read(head)?;
    let of = head.values()?;
    let mut data = match &head.data {
        Scalar::Text(data) if data.len() <= MAX_VALUE_LEN => data.as_bytes().to_vec(),
        _ => return Err(BadBroadcast::Packed("no data")),
    };
    for number in 1..of {
        let value = continuation(&continuation_key(number)).filter(|value| !value.is_empty());
        let value = value.ok_or(BadBroadcast::Incomplete { number, of })?;
        if value.len() > MAX_VALUE_LEN {
            return Err(BadBroadcast::Packed("a value is too long"));
        }
        data.extend_from_slice(value);
    }
    if head.sha1.as_str() != Some(&digest(&data)) {
        return Err(BadBroadcast::Torn);
    }
    let packed = STANDARD
        .decode(&data)
        .map_err(|_| BadBroadcast::Packed("no base64"))?;
    let report = decompress_to_vec_zlib_with_limit(&packed, MAX_UNPACKED_LEN)
        .map_err(|_| BadBroadcast::Packed("it cannot be decompressed, or is too long"))?;
    let report = String::from_utf8(report)
        .map_err(|error| BadBroadcast::Utf8(error.utf8_error().valid_up_to()))?;
    Ok((report, head.time))
}

/// How many values the report of which this is the first one has.
pub(super) fn values(first: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(borrow, default)]
        format: Scalar<'a>,
    }

    // What is longer is no value, and not worth the time.
    let first = std::str::from_utf8(first).ok();
    let first = first.filter(|first| first.len() <= MAX_VALUE_LEN);
    let packed = first.filter(|first| {
        let format = serde_json::from_str::<Object<Format<'_>>>(first);
        format.is_ok_and(|Object(head)| head.format.as_int() == Some(FORMAT))
    });
    let values = packed.and_then(|head| WireHead::read(head).ok()?.values().ok());
    values.unwrap_or(1)
}

/// The key of a packed report's value, by its number: 0 is the first.
pub(super) fn continuation_key(number: usize) -> String {
    format!("multipath-{number}")
}

fn digest(data: impl AsRef<[u8]>) -> String {
    hexadecimal(&Sha1::digest(data.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Values = Vec<String>;

    fn unpack_values(values: &Values) -> Result<(String, Option<i64>), BadBroadcast> {
        let continuation = |key: &str| {
            let number = (1..MAX_VALUES).find(|number| continuation_key(*number) == key)?;
            values.get(number).map(String::as_bytes)
        };
        let head = values.first().map(String::as_str).unwrap_or_default();
        unpack(head, continuation).map(|(report, time)| (report, time.as_int()))
    }

    /// Hexadecimal digits that do not compress to less than half.
    fn noise(len: usize, seed: u32) -> String {
        let mut state = seed;
        let mut digit = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_digit(state >> 28, 16).unwrap_or('0')
        };
        (0..len).map(|_| digit()).collect()
    }

    #[test]
    fn short_and_long_reports_come_back() {
        for (len, values) in [(0, 1), (1_000, 1), (100_000, 3)] {
            let report = noise(len, 1);
            let packed = pack(&report, 7).unwrap_or_default();
            assert_eq!(packed.len(), values, "{len}");
            assert!(packed.iter().all(|value| value.len() <= MAX_VALUE_LEN));
            assert_eq!(
                super::values(packed.first().map(String::as_bytes).unwrap_or_default()),
                values
            );
            assert_eq!(unpack_values(&packed), Ok((report, Some(7))));
        }
    }

    #[test]
    fn old_beside_new_values_are_noticed() {
        let old = pack(&noise(100_000, 1), 7).unwrap_or_default();
        let new = pack(&noise(100_000, 2), 8).unwrap_or_default();
        for number in 0..new.len() {
            let mut torn = old.clone();
            if let (Some(torn), Some(new)) = (torn.get_mut(number), new.get(number)) {
                torn.clone_from(new);
            }
            assert_eq!(unpack_values(&torn), Err(BadBroadcast::Torn), "{number}");
        }
        let missing = old.get(..2).unwrap_or_default().to_vec();
        assert_eq!(
            unpack_values(&missing),
            Err(BadBroadcast::Incomplete { number: 2, of: 3 })
        );
    }

    #[test]
    fn a_few_bytes_do_not_become_gigabytes() {
        let bomb = STANDARD.encode(compress_to_vec_zlib(&vec![b' '; 8 << 20], 9));
        assert!(bomb.len() < MAX_VALUE_LEN);
        let head = Head {
            format: FORMAT,
            time: 7,
            values: 1,
            sha1: &digest(&bomb),
            data: &bomb,
        };
        let head = serde_json::to_string(&head).unwrap_or_default();
        assert!(matches!(
            unpack_values(&vec![head]),
            Err(BadBroadcast::Packed(_))
        ));
        assert_eq!(pack(&" ".repeat(8 << 20), 7), None);
    }

    #[test]
    fn anything_else_is_no_packed_report() {
        for (text, values) in [
            ("", 1),
            ("{}", 1),
            (r#"{"format":1,"values":3}"#, 1),
            (r#"{"format":2,"values":3}"#, 3),
            (r#"{"format":"2","values":"3"}"#, 3),
            (r#"{"format":2,"values":17}"#, 1),
            (r#"{"format":2,"values":0}"#, 1),
            (r#"{"format":2,"values":-1}"#, 1),
            (r#"{"format":2,"values":1e300}"#, 1),
            (r#"{"format":2,"values":[3]}"#, 1),
        ] {
            assert_eq!(super::values(text.as_bytes()), values, "{text}");
            assert!(unpack(text, |_| None).is_err(), "{text}");
        }
    }
}
