//! Texts that devices, file systems and administrators have chosen, made safe to show.

use super::words::checked_text;
use crate::wire::lenient::Parts;

/// Longest label of a name in characters. LVM's names have at most 127, a mount point may have 4,096.
pub const MAX_NAME_CHARS: usize = 128;

/// Longest sentence of a peer in characters. One that names a rule of a blacklist is among the longest.
pub const MAX_SENTENCE_CHARS: usize = 512;

/// Longest label of a text in characters. An NVMe model has 40, the label of a file system can have more.
pub const MAX_TEXT_CHARS: usize = 64;

/// A name or a text that can be shown: none of its characters steers a terminal, and it is never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

impl Label {
    /// A name, such as that of a volume group or a mount point; none if it is empty.
    ///
    /// Bytes that are not UTF-8 and hidden characters are written as `\x{..}`. What is longer than
    /// [`MAX_NAME_CHARS`] ends in `...`.
    pub fn name(name: &[u8]) -> Option<Self> {
        Self::escaped(name, MAX_NAME_CHARS)
    }

    /// A sentence that a peer has sent, as [`name`](Self::name) with at most [`MAX_SENTENCE_CHARS`].
    pub fn sentence(text: &[u8]) -> Option<Self> {
        Self::escaped(text, MAX_SENTENCE_CHARS)
    }

    /// What stands for a name that makes no sense.
    pub(crate) fn unknown() -> Self {
        Self("unknown".into())
    }

    fn escaped(name: &[u8], most: usize) -> Option<Self> {
        let mut text = String::new();
        let mut left = most;
        let mut push = |piece: &str| {
            let len = piece.chars().count();
            let fits = len <= left;
            left = if fits { left - len } else { 0 };
            if fits {
                text.push_str(piece);
            }
            fits
        };
        let mut complete = true;
        'name: for chunk in name.utf8_chunks() {
            for character in chunk.valid().chars() {
                complete = match is_hidden(character) {
                    false => push(character.encode_utf8(&mut [0; 4])),
                    true => push(&format!("\\x{{{:x}}}", u32::from(character))),
                };
                if !complete {
                    break 'name;
                }
            }
            for byte in chunk.invalid() {
                complete = push(&format!("\\x{{{byte:x}}}"));
                if !complete {
                    break 'name;
                }
            }
        }
        if !complete {
            let kept: Vec<char> = text.chars().take(most - 3).collect();
            text = kept.into_iter().collect();
            text.push_str("...");
        }
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// What a device or a file system says of itself, such as a vendor or a serial number; none if it
    /// consists of blanks and NULs, with which SCSI and NVMe pad.
    ///
    /// Padding is left out, bytes that are not UTF-8 and hidden characters are replaced by U+FFFD, and what
    /// is behind [`MAX_TEXT_CHARS`] is cut.
    pub fn text(bytes: &[u8]) -> Option<Self> {
        let padding = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
        let start = bytes.iter().position(|byte| !padding(byte))?;
        let end = bytes.iter().rposition(|byte| !padding(byte))?;
        let bytes = bytes.get(start..=end)?;
        // a character has at most four bytes: what is behind these is not looked at
        let bytes = bytes.get(..4 * MAX_TEXT_CHARS).unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes);
        let shown = |c: char| match is_hidden(c) {
            true => char::REPLACEMENT_CHARACTER,
            false => c,
        };
        let text: String = text.chars().take(MAX_TEXT_CHARS).map(shown).collect();
        Some(Self(text.into()))
    }
}

checked_text!(Label);

impl Parts<'_> for Label {
    fn from_text(text: &str) -> Option<Self> {
        Self::name(text.as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Option<String> {
        Label::name(bytes).map(|label| label.to_string())
    }

    fn text(bytes: &[u8]) -> Option<String> {
        Label::text(bytes).map(|label| label.to_string())
    }

    #[test]
    fn names_are_escaped() {
        for (bytes, wanted) in [
            (&b"vg-a"[..], "vg-a"),
            (b"/mnt/a b|\"c\"", "/mnt/a b|\"c\""),
            (b"a\nb\x1b[2J\x7f", "a\\x{a}b\\x{1b}[2J\\x{7f}"),
            (b"\xc3\xa4\xff\xe2\x82", "\u{e4}\\x{ff}\\x{e2}\\x{82}"),
            ("a\u{202e}b\u{9b}".as_bytes(), "a\\x{202e}b\\x{9b}"),
            (b"a\\x{1b}", "a\\x{1b}"),
        ] {
            assert_eq!(name(bytes).as_deref(), Some(wanted));
            // What a node sends is a label already.
            assert_eq!(name(wanted.as_bytes()).as_deref(), Some(wanted));
        }
        assert_eq!(name(b""), None);
    }

    #[test]
    fn long_names_are_cut() {
        let exact = "x".repeat(MAX_NAME_CHARS);
        assert_eq!(name(exact.as_bytes()), Some(exact.clone()));
        let cut = format!("{}...", "x".repeat(MAX_NAME_CHARS - 3));
        assert_eq!(name(format!("{exact}y").as_bytes()), Some(cut));
        let escaped = name(&[b'\n'; 4096]).unwrap_or_default();
        assert!(escaped.ends_with("...") && escaped.len() <= MAX_NAME_CHARS);
    }

    #[test]
    fn padding_is_left_out() {
        assert_eq!(text(b"LAB     "), Some("LAB".into()));
        assert_eq!(text(b"  a b\0\0\n"), Some("a b".into()));
        for nothing in [&b""[..], b"  \n", b"\0\0"] {
            assert_eq!(text(nothing), None);
        }
    }

    #[test]
    fn nothing_in_a_text_steers_a_terminal() {
        assert_eq!(text(b"a\x1b[31m\nb"), Some("a\u{fffd}[31m\u{fffd}b".into()));
        assert_eq!(text(b"l\xfcn"), Some("l\u{fffd}n".into()));
        assert_eq!(text("l\u{fc}n".as_bytes()), Some("l\u{fc}n".into()));
        assert_eq!(
            text("a\u{202e}b\u{9b}".as_bytes()),
            Some("a\u{fffd}b\u{fffd}".into())
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(
            text(&[b'x'; 1000]).map(|text| text.len()),
            Some(MAX_TEXT_CHARS)
        );
        let wide = "\u{1f600}".repeat(100);
        let cut = text(wide.as_bytes()).map(|text| text.chars().count());
        assert_eq!(cut, Some(MAX_TEXT_CHARS));
    }
}
