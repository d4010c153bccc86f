//! Texts that a device or a file system says about itself.

use std::fmt;

use serde::{Serialize, Serializer};

/// Most characters of a label. An NVMe model has 40, the label of a file system or the name of a
/// volume group can have more; what is longer is cut.
pub const MAX_CHARS: usize = 64;

/// What a device, a file system or a volume group is called: a vendor, a serial number, a name.
///
/// It may come from anybody, so it is made harmless here: bytes that are no UTF-8, control
/// characters and characters that cannot be seen are replaced by U+FFFD, blanks around it are left
/// out, and it has at most [`MAX_CHARS`] characters. It is never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

impl Label {
    /// The label of these bytes; nothing if they are blanks and NULs only, with which SCSI and NVMe pad.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let padding = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        let start = bytes.iter().position(|byte| !padding(byte))?;
        let end = bytes.iter().rposition(|byte| !padding(byte))?;
        let bytes = bytes.get(start..=end)?;
        // a character has at most four bytes: what is behind these is not looked at
        let bytes = bytes.get(..4 * MAX_CHARS).unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        let shown = |c: char| {
            if is_hidden(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let text: String = text.chars().take(MAX_CHARS).map(shown).collect();
        Some(Self(text.into()))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that reorder text or cannot be seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(bytes: &[u8]) -> Option<String> {
        Label::new(bytes).map(|label| label.to_string())
    }

    #[test]
    fn padding_is_left_out() {
        assert_eq!(label(b"LAB     "), Some("LAB".into()));
        assert_eq!(label(b"  a b\0\0\n"), Some("a b".into()));
        for nothing in [&b""[..], b"  \n", b"\0\0"] {
            assert_eq!(label(nothing), None);
        }
    }

    #[test]
    fn nothing_in_it_steers_a_terminal() {
        assert_eq!(
            label(b"a\x1b[31m\nb"),
            Some("a\u{fffd}[31m\u{fffd}b".into())
        );
        assert_eq!(label(b"l\xfcn"), Some("l\u{fffd}n".into()));
        assert_eq!(label("l\u{fc}n".as_bytes()), Some("l\u{fc}n".into()));
        assert_eq!(
            label("a\u{202e}b\u{9b}".as_bytes()),
            Some("a\u{fffd}b\u{fffd}".into())
        );
    }

    #[test]
    fn long_ones_are_cut() {
        assert_eq!(
            label(&[b'x'; 1000]).map(|label| label.len()),
            Some(MAX_CHARS)
        );
        let wide = "\u{1f600}".repeat(100);
        let cut = label(wide.as_bytes()).map(|label| label.chars().count());
        assert_eq!(cut, Some(MAX_CHARS));
    }
}
