//! The value of a property, from a file or from Perl.

use std::borrow::Cow;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::wire::byte_string::{ByteString, is_true};
use crate::wire::number::Number;
use crate::wire::scalar::Scalar;

/// The value of a property.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Scalar<'a>")]
pub enum Value<'a> {
    /// Not set; Perl's undef.
    #[default]
    Undefined,
    /// A number.
    Number(Number),
    /// A text.
    #[serde(borrow)]
    Text(ByteString<'a>),
    /// A list or a hash, which no property may have.
    Nested,
}

impl<'a> Value<'a> {
    /// Whether there is no value.
    pub fn is_undefined(&self) -> bool {
        *self == Self::Undefined
    }

    /// The value as text, as Perl prints it; none if it is undefined, a list or a hash.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text.as_str())),
            Self::Undefined | Self::Nested => None,
        }
    }

    /// [`to_text`](Self::to_text) without copying a text.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(text) => Some(text.into_str()),
            Self::Undefined | Self::Nested => None,
        }
    }

    /// The value as a number, roughly as Perl converts it; none if it is undefined. 0 if it is not a number.
    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Undefined => None,
            Self::Number(number) => Some(number.as_f64()),
            Self::Text(text) => {
                let number = text.as_str().parse().unwrap_or(0.0);
                Some(if f64::is_nan(number) { 0.0 } else { number })
            }
            Self::Nested => Some(0.0),
        }
    }

    /// Whether Perl takes it as true.
    pub(super) fn is_true(&self) -> bool {
        match self.to_text() {
            Some(text) => is_true(text.as_bytes()),
            None => *self == Self::Nested,
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Undefined => serializer.serialize_none(),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Nested => Err(S::Error::custom("a property may not hold a list or a hash")),
        }
    }
}

impl<'a> From<Scalar<'a>> for Value<'a> {
    fn from(scalar: Scalar<'a>) -> Self {
        match scalar {
            Scalar::Null => Self::Undefined,
            Scalar::Bool(true) => Self::Number(Number::Integer(1)),
            Scalar::Bool(false) => Self::Number(Number::Integer(0)),
            Scalar::Int(number) => match u64::try_from(number) {
                Ok(number) => Self::Number(Number::Integer(number)),
                Err(_) => Self::Text(number.to_string().into()),
            },
            Scalar::Big(number) => Self::Number(Number::Integer(number)),
            Scalar::Float(number) => match scalar.as_int().and_then(|n| u64::try_from(n).ok()) {
                Some(number) => Self::Number(Number::Integer(number)),
                None => Self::Number(Number::Float(number)),
            },
            Scalar::Text(text) => Self::Text(text.into()),
            Scalar::Nested => Self::Nested,
        }
    }
}
