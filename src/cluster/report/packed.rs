//! The packed form, for a report that is too long for one value of the key-value store.
//!
//! The plain form's text, compressed (zlib, RFC 1950) and written in base64, is cut into as many
//! values as it takes. The first one, under the report's key, is a JSON object that says how many
//! there are; the others, under `KEY-1` and so on, have nothing but the rest of the base64 text:
//!
//! ```json
//! { "format": 2, "time": 1795252500, "values": 2, "sha1": "...", "data": "eJz..." }
//! ```
//!
//! The values change one after the other, so a reader may find old ones beside new ones. `sha1`, of
//! the whole base64 text, tells that.

use std::borrow::Cow;
use std::str::Utf8Error;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use serde::Serialize;
use serde::de::MapAccess;
use sha1::{Digest, Sha1};

use super::broadcast::BadBroadcast;
use crate::wire::lenient::{Parts, fields, read, skip};
use crate::wire::scalar::Scalar;

/// The number of the plain form, which a report need not have.
pub(super) const PLAIN: i64 = 1;

/// The number by which this form is told from others.
pub(super) const FORMAT: i64 = 2;

/// Most bytes that pmxcfs takes as one value of its key-value store. More is dropped with nothing
/// but a warning, after PVE's own helper died at the same number of characters.
pub const MAX_VALUE_LEN: usize = 32_767;

/// Most values of one report. 10,000 maps with all fields, which nothing can be left out of, take
/// about ten.
pub const MAX_VALUES: usize = 16;

/// Longest text in bytes that is unpacked: a few bytes may stand for gigabytes.
pub const MAX_UNPACKED_LEN: usize = 4 << 20;

/// zlib's own default: higher levels gain a few per cent.
const LEVEL: u8 = 6;

/// Room in the first value for all but the data.
const HEAD_LEN: usize = 160;

/// The key under which a node publishes its health.
pub const KEY: &str = "multipath";

/// The first value of a packed report, as it is sent.
#[derive(Serialize)]
struct FirstValue<'a> {
    format: i64,
    time: i64,
    values: usize,
    sha1: &'a str,
    data: &'a str,
}

/// The values of a report, in the order of their keys. None if even [`MAX_VALUES`] cannot hold it,
/// or its receivers would not unpack it.
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
    let head = FirstValue {
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

/// What a peer's value says beside the maps: of which form the report is and when it was sent, and the
/// beginning of a packed one.
pub(super) struct Head {
    /// -1 if it is not a number.
    pub(super) format: i64,
    pub(super) time: Option<i64>,
    /// Number of values, where it makes sense.
    values: Option<usize>,
    sha1: Option<String>,
    data: Option<String>,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            format: PLAIN,
            time: None,
            values: None,
            sha1: None,
            data: None,
        }
    }
}

impl Head {
    /// Reads a field.
    pub(super) fn read<'de, A>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>
    where
        A: MapAccess<'de>,
    {
        let mut scalar = || from.next_value::<Scalar<'de>>();
        match name {
            "format" => {
                self.format = match scalar()? {
                    Scalar::Null => PLAIN,
                    format => format.as_int().unwrap_or(-1),
                }
            }
            "time" => self.time = seconds(&scalar()?),
            "values" => {
                let values = scalar()?.as_int().and_then(|n| usize::try_from(n).ok());
                self.values = values.filter(|values| (1..=MAX_VALUES).contains(values));
            }
            "sha1" => self.sha1 = scalar()?.as_str().map(str::to_owned),
            "data" => self.data = scalar()?.as_str().map(str::to_owned),
            _ => skip(from)?,
        }
        Ok(())
    }

    /// What the values of the report under this key hold. `continuation` gives the value under a
    /// [`continuation_key`].
    pub(super) fn data<'c>(
        self,
        key: &'static str,
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
    ) -> Result<Data, BadBroadcast> {
        let no_values = BadBroadcast::Packed("no number of values");
        let of = self.values.ok_or(no_values)?;
        let mut data = match self.data {
            Some(data) if data.len() <= MAX_VALUE_LEN => data.into_bytes(),
            _ => return Err(BadBroadcast::Packed("no data")),
        };
        let first = data.len();
        for number in 1..of {
            let value =
                continuation(&continuation_key(key, number)).filter(|value| !value.is_empty());
            let value = value.ok_or(BadBroadcast::Incomplete { number, of })?;
            if value.len() > MAX_VALUE_LEN {
                return Err(BadBroadcast::Packed("a value is too long"));
            }
            data.extend_from_slice(value);
        }
        Ok(Data {
            key,
            sha1: self.sha1.ok_or(BadBroadcast::Torn)?,
            data,
            first,
            values: of,
        })
    }
}

impl<'de> Parts<'de> for Head {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut head = Self::default();
        fields(object, |name, from| head.read(name, from))?;
        Ok(Some(head))
    }
}

/// A time in whole seconds; senders may have sent fractions.
pub(super) fn seconds(time: &Scalar<'_>) -> Option<i64> {
    let whole = match time {
        Scalar::Float(seconds) => Scalar::Float(seconds.floor()).as_int(),
        other => other.as_int(),
    };
    whole.filter(|seconds| *seconds >= 0)
}

/// The text of a packed report's values, and what its digest should be.
#[derive(Debug, PartialEq)]
pub(super) struct Data {
    key: &'static str,
    sha1: String,
    data: Vec<u8>,
    /// Length of the first value's part in bytes.
    first: usize,
    /// Number of values.
    values: usize,
}

impl Data {
    /// Whether the values after the first one are still the same.
    pub(super) fn is_continued<'c>(&self, value: impl Fn(&str) -> Option<&'c [u8]>) -> bool {
        let (_, mut rest) = self.data.split_at_checked(self.first).unwrap_or_default();
        for number in 1..self.values {
            let value = value(&continuation_key(self.key, number)).unwrap_or_default();
            match rest.strip_prefix(value).filter(|_| !value.is_empty()) {
                Some(more) => rest = more,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// Unpacks the report to the beginning of `buffer`; returns its length in bytes.
    pub(super) fn unpack(&self, buffer: &mut Vec<u8>) -> Result<usize, BadBroadcast> {
        if self.sha1 != digest(&self.data) {
            return Err(BadBroadcast::Torn);
        }
        let packed = STANDARD
            .decode(&self.data)
            .map_err(|_| BadBroadcast::Packed("no base64"))?;
        // The digest says that these are the sender's bytes, so zlib's checksum adds nothing.
        let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
        // Reports take a tenth of their length; the whole length is needed for few.
        for len in [16 * packed.len(), MAX_UNPACKED_LEN] {
            let len = len.min(MAX_UNPACKED_LEN);
            if buffer.len() < len {
                *buffer = vec![0; len];
            }
            match decompress(&mut DecompressorOxide::new(), &packed, buffer, 0, flags) {
                (TINFLStatus::Done, _, len) => return Ok(len),
                (TINFLStatus::HasMoreOutput, ..) => {}
                _ => break,
            }
        }
        Err(BadBroadcast::Packed(
            "it cannot be decompressed, or is too long",
        ))
    }
}

/// The JSON of a report under this key, in whatever form, and when it was sent.
pub(super) fn text<'t, 'c>(
    key: &'static str,
    first: &'t [u8],
    continuation: impl Fn(&str) -> Option<&'c [u8]>,
) -> Result<(Cow<'t, str>, Option<i64>), BadBroadcast> {
    let utf8 = |error: Utf8Error| BadBroadcast::Utf8(error.valid_up_to());
    let first = std::str::from_utf8(first).map_err(utf8)?;
    let head: Option<Head> = read(first).map_err(|error| BadBroadcast::Json(error.to_string()))?;
    let head = head.ok_or(BadBroadcast::NoObject)?;
    let time = head.time;
    match head.format {
        PLAIN => Ok((first.into(), time)),
        FORMAT => {
            let mut buffer = Vec::new();
            let len = head.data(key, continuation)?.unpack(&mut buffer)?;
            buffer.truncate(len);
            let text = String::from_utf8(buffer).map_err(|error| utf8(error.utf8_error()))?;
            Ok((text.into(), time))
        }
        other => Err(BadBroadcast::Newer(other)),
    }
}

/// How many values the report of which this is the first one has.
pub(super) fn values(first: &[u8]) -> usize {
    // A longer text cannot be a value of pmxcfs.
    let first = std::str::from_utf8(first).ok();
    let first = first.filter(|first| first.len() <= MAX_VALUE_LEN);
    let head = first.and_then(|first| read::<Head>(first).ok()?);
    let packed = head.filter(|head| head.format == FORMAT);
    packed.and_then(|head| head.values).unwrap_or(1)
}

/// The key of a packed report's value, by its number from 1.
pub(super) fn continuation_key(key: &str, number: usize) -> String {
    format!("{key}-{number}")
}

/// The keys that have to be read beside this one, in their order, if these are the values there.
pub fn continuation_keys<'a>(
    key: &str,
    first_values: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<String> {
    let values = first_values.into_iter().map(values).max();
    (1..values.unwrap_or(1))
        .map(|number| continuation_key(key, number))
        .collect()
}

fn digest(data: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha1::digest(data.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Values = Vec<String>;

    fn unpack<'c>(
        head: &str,
        continuation: impl Fn(&str) -> Option<&'c [u8]>,
    ) -> Result<(String, Option<i64>), BadBroadcast> {
        let head = read::<Head>(head).ok().flatten().unwrap_or_default();
        let time = head.time;
        let mut buffer = Vec::new();
        let len = head.data(KEY, continuation)?.unpack(&mut buffer)?;
        buffer.truncate(len);
        Ok((String::from_utf8(buffer).unwrap(), time))
    }

    fn unpack_values(values: &Values) -> Result<(String, Option<i64>), BadBroadcast> {
        let continuation = |key: &str| {
            let number = (1..MAX_VALUES).find(|number| continuation_key(KEY, *number) == key)?;
            values.get(number).map(String::as_bytes)
        };
        let head = values.first().map(String::as_str).unwrap_or_default();
        unpack(head, continuation)
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
        let head = FirstValue {
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
