//! The allow-list of a node, `/etc/multipath/wwids`, which belongs to multipath-tools.

use std::collections::BTreeSet;

use crate::Wwid;

/// Gives the entries of the file in their order.
///
/// An entry is a line that starts with `/` and has another one later; what follows that is
/// ignored, as multipathd ignores it (libmultipath/wwids.c). Everything else is a comment. An
/// entry need not be a valid [`Wwid`](crate::Wwid), nor UTF-8, which is why bytes come back.
pub fn parse_wwids(text: &[u8]) -> Vec<&[u8]> {
    let entry = |line: &'_ [u8]| -> Option<usize> {
        line.strip_prefix(b"/")?.iter().position(|&b| b == b'/')
    };
    let lines = text.split(|&b| b == b'\n');
    lines
        .filter_map(|line| {
            line.get(1..entry(line)? + 1)
                .filter(|wwid| !wwid.is_empty())
        })
        .collect()
}

/// Renders the file with these entries, sorted.
///
/// For display and for tests: the file itself is multipath-tools' own, and is changed through
/// `multipath -a` and `multipath -w` only.
pub fn format_wwids(wwids: &BTreeSet<Wwid>) -> String {
    let mut text = String::from("# Multipath WWIDs, one a line: /WWID/\n");
    for wwid in wwids {
        text.push('/');
        text.push_str(wwid.as_str());
        text.push_str("/\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_as_multipathd_finds_them() {
        let text =
            b"# Multipath wwids, Version : 1.0\n#\n# Valid WWIDs:\n/a/\n#b/\n /c/\n/d/ junk\n\
            /e/\r\n/f//g/\n//\n/h\n/i/";
        let wanted: [&[u8]; 5] = [b"a", b"d", b"e", b"f", b"i"];
        assert_eq!(parse_wwids(text), wanted);
        assert!(parse_wwids(b"").is_empty());
    }

    #[test]
    fn what_is_formatted_parses() {
        let wwids = ["3600b", "3600a", "a:b"].map(Wwid::new);
        let wwids: BTreeSet<Wwid> = wwids.into_iter().flatten().collect();
        let text = format_wwids(&wwids);
        assert_eq!(
            text.split_once('\n').map(|(_, rest)| rest),
            Some("/3600a/\n/3600b/\n/a:b/\n")
        );
        let entries: [&[u8]; 3] = [b"3600a", b"3600b", b"a:b"];
        assert_eq!(parse_wwids(text.as_bytes()), entries);
    }
}
