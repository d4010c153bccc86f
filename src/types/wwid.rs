//! The identifier of a LUN, the same on every node.

use thiserror::Error;

use super::words::checked_text;

/// Longest WWID in bytes that fits into a device-mapper UUID: the kernel has 129 bytes for it, including
/// the final NUL, and multipathd prefixes the WWID with `mpath-`.
pub const MAX_LEN: usize = 122;

/// World wide identifier of a LUN, as multipathd reports it in a map's `uuid`.
///
/// One to [`MAX_LEN`] bytes of `[a-zA-Z0-9._:-]`. It does not start with `-`, which a command line would
/// take for an option, and is neither `.` nor `..`, since WWIDs are part of file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wwid(Box<str>);

/// Why a text is not a [`Wwid`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidWwid {
    /// The text is empty.
    #[error("a WWID may not be empty")]
    Empty,
    /// The text is longer than [`MAX_LEN`] bytes.
    #[error("WWID is {0} bytes long, at most {MAX_LEN} fit into a device-mapper UUID")]
    TooLong(usize),
    /// The text starts with `-`, or is `.` or `..`.
    #[error("WWID {0:?} cannot be told from an option or a folder")]
    Ambiguous(Box<str>),
    /// A character outside of `[a-zA-Z0-9._:-]`, counted in bytes from 1.
    #[error("WWID has an invalid character {character:?} at position {position}")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its position in bytes, the first being 1.
        position: usize,
    },
}

impl Wwid {
    /// The WWID of this text.
    ///
    /// # Errors
    ///
    /// The text is not a WWID, see [`check`].
    pub fn new(text: &str) -> Result<Self, InvalidWwid> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The link that udev makes for the map, stable across nodes and reboots.
    pub fn device_path(&self) -> String {
        format!("/dev/disk/by-id/dm-uuid-mpath-{}", self.0)
    }
}

/// Checks whether `text` is a WWID, without copying it.
///
/// # Errors
///
/// The text is empty, too long, ambiguous, or has a character that is not allowed.
pub fn check(text: &str) -> Result<(), InvalidWwid> {
    if text.is_empty() {
        return Err(InvalidWwid::Empty);
    }
    if text.len() > MAX_LEN {
        return Err(InvalidWwid::TooLong(text.len()));
    }
    // Bytes, not characters: this is called for each entry of each peer's report.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if let Some(offset) = text.bytes().position(|byte| !allowed(byte)) {
        let character = text.get(offset..).and_then(|rest| rest.chars().next());
        return Err(InvalidWwid::Character {
            character: character.unwrap_or(char::REPLACEMENT_CHARACTER),
            position: offset + 1,
        });
    }
    if text.starts_with('-') || text == "." || text == ".." {
        return Err(InvalidWwid::Ambiguous(text.into()));
    }
    Ok(())
}

checked_text!(Wwid);

impl std::str::FromStr for Wwid {
    type Err = InvalidWwid;

    fn from_str(text: &str) -> Result<Self, InvalidWwid> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_arrays_report() {
        for text in [
            "36001405aabbccddeeff00112233445566",
            "35000c50000000a01",
            "eui.0025385b71b00a3c",
            "nvme.8086-4254-1",
            "1Linux_scsi_debug_2000",
            "a:b",
            &"x".repeat(MAX_LEN),
        ] {
            assert_eq!(Wwid::new(text).map(|w| w.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn refuses_what_could_mean_something_else() {
        assert_eq!(Wwid::new(""), Err(InvalidWwid::Empty));
        assert_eq!(
            Wwid::new(&"x".repeat(MAX_LEN + 1)),
            Err(InvalidWwid::TooLong(123))
        );
        assert_eq!(
            Wwid::new("3600\n"),
            Err(InvalidWwid::Character {
                character: '\n',
                position: 5
            })
        );
        for text in ["a/b", "a b", "a\0", "ä", "a\"b", "36+1"] {
            assert!(
                matches!(Wwid::new(text), Err(InvalidWwid::Character { .. })),
                "{text:?}"
            );
        }
        for text in ["-w", ".", ".."] {
            assert!(
                matches!(Wwid::new(text), Err(InvalidWwid::Ambiguous(_))),
                "{text:?}"
            );
        }
    }
}
