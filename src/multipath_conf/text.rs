//! The stored text and its drop-in.

use sha1::{Digest, Sha1};

/// First line of the drop-in with the administrator's text.
const HEADER: &str =
    "# This file is managed by Proxmox VE: edit /etc/pve/multipath-overrides.conf instead.\n";

/// The text as it is stored: white space at its end cut to one line feed. Nothing is nothing.
pub fn trimmed(text: &[u8]) -> Vec<u8> {
    let mut text = text.trim_ascii_end().to_vec();
    if !text.is_empty() {
        text.push(b'\n');
    }
    text
}

/// Text of `pve-overrides.conf`: the administrator's text to the letter; nothing if there is none.
pub fn drop_in(text: &[u8]) -> Option<Vec<u8>> {
    let text = trimmed(text);
    (!text.is_empty()).then(|| [HEADER.as_bytes(), &text].concat())
}

/// SHA-1 of a text's bytes in hexadecimal, lower case.
pub fn digest(text: &[u8]) -> String {
    crate::config::hexadecimal(&Sha1::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_changed() {
        assert_eq!(trimmed(b"\n a {\r\n}\n \r\n\t\n"), b"\n a {\r\n}\n");
        assert_eq!(trimmed(b"x"), b"x\n");
        assert_eq!(trimmed(b" \n\n"), b"");
        assert_eq!(drop_in(b"\n"), None);
        // printf 'a\n' | sha1sum
        assert_eq!(digest(b"a\n"), "3f786850e387550fdab836ed7e6dc881de23001b");
    }
}
