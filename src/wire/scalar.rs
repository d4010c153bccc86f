//! A scalar of unchecked type, from JSON or from Perl.
//!
//! Some versions of multipathd quote numbers, a Perl scalar is a number or a string depending on its
//! history, and peers may send anything. Deserializing a [`Scalar`] never fails because of its type;
//! its user asks for the type that it needs.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::wire::byte_string::is_true;

/// A value of any type.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    /// null or undef, or no value at all.
    #[default]
    Null,
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that is too large for [`Scalar::Int`].
    Big(u64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list or an object, without its contents.
    Nested,
}

/// 2^53, up to which floating point numbers represent all integers.
const FLOAT_EXACT: f64 = 9_007_199_254_740_992.0;

impl<'a> Scalar<'a> {
    /// The value as an integer, if it is one, a text of digits with an optional `-`, or a floating point
    /// number without a fraction up to 2^53.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Float(number) if number.fract() == 0.0 && number.abs() <= FLOAT_EXACT =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
                Some(*number as i64)
            }
            Self::Text(text) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                if valid { text.parse().ok() } else { None }
            }
            _ => None,
        }
    }

    /// The value, if it is a text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as text, if it is a text or an integer.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Big(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// [`as_text`](Self::as_text) without copying a text.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Big(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// Whether Perl takes the value as true: any value but undef, `0`, `''` and `'0'`.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Big(_) | Self::Nested => true,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => is_true(text.as_bytes()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Deserialize::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Scalar::Big(number), Scalar::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(
            String::from_utf8_lossy(bytes).into_owned(),
        )))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Scalar<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn integers_come_in_several_forms() {
        for (json, number) in [
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("-1", Some(-1)),
            ("\"-1\"", Some(-1)),
            ("7.0", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e30", None),
            ("7.5", None),
            ("\"\"", None),
            ("\"-\"", None),
            ("\"+7\"", None),
            ("\" 7\"", None),
            ("\"99999999999999999999\"", None),
            ("true", None),
            ("null", None),
            ("[7]", None),
        ] {
            assert_eq!(read(json).as_int(), number, "{json}");
        }
    }

    #[test]
    fn truth_is_perls() {
        for (json, truth) in [
            ("1", true),
            ("0", false),
            ("\"0\"", false),
            ("\"\"", false),
            ("\"00\"", true),
            ("null", false),
            ("true", true),
            ("false", false),
            ("{}", true),
        ] {
            assert_eq!(read(json).is_true(), truth, "{json}");
        }
    }
}
