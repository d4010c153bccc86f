//! The name that an administrator gives a LUN.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Longest alias in bytes. device-mapper would take 127; 64 keeps tables and file names readable.
pub const MAX_LEN: usize = 64;

/// Alias of a LUN, `[a-zA-Z0-9][a-zA-Z0-9._-]*`, at most [`MAX_LEN`] bytes.
///
/// These characters reach `/dev/mapper` unchanged: device-mapper mangles most others, which makes
/// multipathd lose the map's paths, and quotes or backslashes break multipathd's JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Box<str>);

/// Why a text is no [`Alias`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidAlias {
    /// The text is empty.
    #[error("an alias may not be empty")]
    Empty,
    /// The text is longer than [`MAX_LEN`] bytes.
    #[error("alias is {0} bytes long, at most {MAX_LEN} are allowed")]
    TooLong(usize),
    /// A character that is not allowed there, counted in bytes from 1.
    #[error("alias has an invalid character {character:?} at position {position}")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its position in bytes, the first being 1.
        position: usize,
    },
}

impl Alias {
    /// Checks `text` and takes a copy of it.
    pub fn new(text: &str) -> Result<Self, InvalidAlias> {
        if text.is_empty() {
            return Err(InvalidAlias::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(InvalidAlias::TooLong(text.len()));
        }
        let allowed = |offset: usize, c: char| {
            c.is_ascii_alphanumeric() || (offset > 0 && matches!(c, '.' | '_' | '-'))
        };
        match text.char_indices().find(|&(offset, c)| !allowed(offset, c)) {
            Some((offset, character)) => Err(InvalidAlias::Character {
                character,
                position: offset + 1,
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// The alias as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        Self::new(text)
    }
}

impl Serialize for Alias {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_device_mapper_keeps() {
        for text in ["san-a-lun0", "0", "A.b_c-d", &"x".repeat(MAX_LEN)] {
            assert!(Alias::new(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "-a",
            ".",
            "_a",
            "a b",
            "a\n",
            "a/b",
            "lün",
            "a\"",
            &"x".repeat(65),
        ] {
            assert!(Alias::new(text).is_err(), "{text:?}");
        }
    }
}
