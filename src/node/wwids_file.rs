//! The allow-list of a node, `/etc/multipath/wwids`, which belongs to multipath-tools.

use std::collections::BTreeSet;

use crate::Wwid;

/// An entry of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The WWID, which need not be a valid one.
    pub wwid: &'a [u8],
    /// Whether the line holds nothing else. multipath finds others, but cannot remove them.
    pub is_plain: bool,
}

/// Gives the entries of the file in their order, with what `multipath -w` needs to know.
pub fn entries(text: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    text.split_inclusive(|&byte| byte == b'\n')
        .filter_map(|line| {
            let rest = line.strip_prefix(b"/")?;
            let end = rest.iter().position(|&byte| byte == b'/')?;
            let wwid = rest.get(..end).filter(|wwid| !wwid.is_empty())?;
            let is_plain = rest.get(end..) == Some(b"/\n");
            Some(Entry { wwid, is_plain })
        })
}

/// Whether `multipath -a` can add to the file: it appends, and joins what it adds to a last line
/// without a line feed, where nothing finds it any more.
pub fn can_be_added_to(text: &[u8]) -> bool {
    text.is_empty() || text.ends_with(b"\n")
}

/// Gives the entries of the file in their order.
///
/// An entry is a line that starts with `/` and has another one later; what follows that is
/// ignored, as multipathd ignores it (libmultipath/wwids.c). Everything else is a comment. An
/// entry need not be a valid [`Wwid`], nor UTF-8, which is why bytes come back.
pub fn parse_wwids(text: &[u8]) -> Vec<&[u8]> {
    entries(text).map(|entry| entry.wwid).collect()
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
