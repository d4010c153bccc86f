//! The administrator's text as it is stored.

use sha1::{Digest, Sha1};

/// The text as it is stored: trailing white space becomes one line feed. An empty text stays empty.
pub fn trimmed(text: &[u8]) -> Vec<u8> {
    let mut text = text.trim_ascii_end().to_vec();
    if !text.is_empty() {
        text.push(b'\n');
    }
    text
}

/// SHA-1 of the text's bytes, in lower-case hexadecimal.
pub fn digest(text: &[u8]) -> String {
    format!("{:x}", Sha1::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_changed() {
        assert_eq!(trimmed(b"\n a {\r\n}\n \r\n\t\n"), b"\n a {\r\n}\n");
        assert_eq!(trimmed(b"x"), b"x\n");
        assert_eq!(trimmed(b" \n\n"), b"");
        // printf 'a\n' | sha1sum
        assert_eq!(digest(b"a\n"), "3f786850e387550fdab836ed7e6dc881de23001b");
    }
}
