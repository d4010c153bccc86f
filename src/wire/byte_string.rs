//! Byte strings as Perl has them.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A text in which each character, U+0000 to U+00FF, stands for one byte.
///
/// This is how Perl handles the contents of a file that it has not decoded: it compares, counts and
/// matches each byte as a character. A text from Perl may also have characters beyond U+00FF, see
/// [`is_bytes`](Self::is_bytes); these are never written to a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteString<'a>(Cow<'a, str>);

impl<'a> ByteString<'a> {
    /// The text for these bytes.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        // ASCII is the same in both; other bytes are never decoded, even if they happen to be UTF-8
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => Self(Cow::Borrowed(text)),
            _ => Self(Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect())),
        }
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes; none if a character is beyond U+00FF.
    pub fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        if self.0.is_ascii() {
            return Some(Cow::Borrowed(self.0.as_bytes()));
        }
        let bytes = self.0.chars().map(|c| u8::try_from(u32::from(c)).ok());
        bytes.collect::<Option<Vec<u8>>>().map(Cow::Owned)
    }

    /// Whether each character stands for a byte.
    pub fn is_bytes(&self) -> bool {
        self.0.is_ascii() || self.0.chars().all(|c| u32::from(c) <= 0xff)
    }

    /// The characters, without copying them.
    pub fn into_str(self) -> Cow<'a, str> {
        self.0
    }

    /// The same text as an owned one.
    pub fn into_owned(self) -> ByteString<'static> {
        ByteString(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> From<&'a str> for ByteString<'a> {
    /// Keeps each character as it is.
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<Cow<'a, str>> for ByteString<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(text)
    }
}

impl From<String> for ByteString<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Borrow<str> for ByteString<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ByteString<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ByteString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ByteString<'_> {
    /// As bytes if it is not ASCII, so that Perl gets back the string that it passed.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_bytes() {
            Some(Cow::Owned(bytes)) => serializer.serialize_bytes(&bytes),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ByteString<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = ByteString<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(ByteString::from(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ByteString::from(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(ByteString::from(number.to_string()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(ByteString::from(number.to_string()))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Whether Perl takes a text as true: any text but the empty one and `0`.
pub(crate) fn is_true(text: &[u8]) -> bool {
    !matches!(text, b"" | b"0")
}

/// Whether `\s` matches the character in a byte string of Perl. That is less than Unicode's white space.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// [`is_space`] for a byte.
pub(crate) fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_one_character() {
        let text = ByteString::from_bytes(b"a\xc3\xa4\xff\0");
        assert_eq!(text.as_str(), "a\u{c3}\u{a4}\u{ff}\0");
        assert_eq!(text.to_bytes().as_deref(), Some(&b"a\xc3\xa4\xff\0"[..]));
        assert!(text.is_bytes());
        assert_eq!(ByteString::from("\u{20ac}").to_bytes(), None);
        assert!(!ByteString::from("\u{20ac}").is_bytes());
    }
}
