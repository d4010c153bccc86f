//! Names that others have chosen: volume groups, mount points, devices.

use std::fmt;

use serde::{Serialize, Serializer};

/// Longest label in characters. LVM's names have at most 127, a mount point may have 4,096.
pub const MAX_LEN: usize = 128;

/// A name as text that can be shown: 1 to [`MAX_LEN`] characters, none of which steers a terminal.
///
/// Bytes that are not UTF-8, control characters and characters that are invisible or change the
/// direction of writing are written as `\x{..}`. What is longer ends in `...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

impl Label {
    /// The label of this name; none for an empty one.
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut text = String::new();
        let mut left = MAX_LEN;
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
                complete = match is_shown(character) {
                    true => push(character.encode_utf8(&mut [0; 4])),
                    false => push(&format!("\\x{{{:x}}}", u32::from(character))),
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
            let kept: Vec<char> = text.chars().take(MAX_LEN - 3).collect();
            text = kept.into_iter().collect();
            text.push_str("...");
        }
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character is shown as it is.
fn is_shown(character: char) -> bool {
    let hidden = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !hidden && !character.is_control()
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

    fn label(name: &[u8]) -> Option<String> {
        Label::new(name).map(|label| label.to_string())
    }

    #[test]
    fn what_could_steer_a_terminal_is_escaped() {
        for (name, wanted) in [
            (&b"vg-a"[..], "vg-a"),
            (b"/mnt/a b|\"c\"", "/mnt/a b|\"c\""),
            (b"a\nb\x1b[2J\x7f", "a\\x{a}b\\x{1b}[2J\\x{7f}"),
            (b"\xc3\xa4\xff\xe2\x82", "\u{e4}\\x{ff}\\x{e2}\\x{82}"),
            ("a\u{202e}b\u{9b}".as_bytes(), "a\\x{202e}b\\x{9b}"),
            (b"a\\x{1b}", "a\\x{1b}"),
        ] {
            assert_eq!(label(name).as_deref(), Some(wanted));
            // What a node sends is a label already.
            assert_eq!(label(wanted.as_bytes()).as_deref(), Some(wanted));
        }
        assert_eq!(label(b""), None);
    }

    #[test]
    fn a_long_name_is_cut() {
        let exact = "x".repeat(MAX_LEN);
        assert_eq!(label(exact.as_bytes()), Some(exact.clone()));
        let cut = format!("{}...", "x".repeat(MAX_LEN - 3));
        assert_eq!(label(format!("{exact}y").as_bytes()), Some(cut));
        let escaped = label(&[b'\n'; 4096]).unwrap_or_default();
        assert!(escaped.ends_with("...") && escaped.len() <= MAX_LEN);
    }
}
