//! The WWIDs file of a node, `/etc/multipath/wwids`, which belongs to multipath-tools.

use std::collections::BTreeSet;

use crate::Wwid;

/// A line of the file that has a WWID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WwidLine<'a> {
    /// The WWID. It need not be a valid one.
    pub wwid: &'a [u8],
    /// Whether the line is exactly `/WWID/`. multipathd finds the WWID in other lines too, but
    /// `multipath -w` cannot remove those.
    pub is_plain: bool,
}

/// The lines of the file that have a WWID, in their order.
///
/// Such a line starts with `/` and has another one later; what follows that is ignored, as multipathd
/// does it (libmultipath/wwids.c). All other lines are comments.
pub fn wwid_lines(text: &[u8]) -> impl Iterator<Item = WwidLine<'_>> {
    text.split_inclusive(|&byte| byte == b'\n')
        .filter_map(|line| {
            let rest = line.strip_prefix(b"/")?;
            let end = rest.iter().position(|&byte| byte == b'/')?;
            let wwid = rest.get(..end).filter(|wwid| !wwid.is_empty())?;
            let is_plain = rest.get(end..) == Some(b"/\n");
            Some(WwidLine { wwid, is_plain })
        })
}

/// Whether `multipath -a` can add to the file. It appends, so to a last line without a line feed, where
/// the new WWID would not be found.
pub fn can_be_added_to(text: &[u8]) -> bool {
    text.is_empty() || text.ends_with(b"\n")
}

/// The WWIDs of the file, in the order of its [lines](wwid_lines). They need not be valid [`Wwid`]s, nor
/// UTF-8.
pub fn parse_wwids(text: &[u8]) -> Vec<&[u8]> {
    wwid_lines(text).map(|line| line.wwid).collect()
}

/// A file with these WWIDs, sorted.
///
/// For display and tests only: the real file is changed by `multipath -a` and `multipath -w`.
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
    fn wwids_as_multipathd_finds_them() {
        let text =
            b"# Multipath wwids, Version : 1.0\n#\n# Valid WWIDs:\n/a/\n#b/\n /c/\n/d/ junk\n\
            /e/\r\n/f//g/\n//\n/h\n/i/";
        let wanted: [&[u8]; 5] = [b"a", b"d", b"e", b"f", b"i"];
        assert_eq!(parse_wwids(text), wanted);
        assert!(parse_wwids(b"").is_empty());
    }

    #[test]
    fn a_formatted_file_parses() {
        let wwids = ["3600b", "3600a", "a:b"].map(Wwid::new);
        let wwids: BTreeSet<Wwid> = wwids.into_iter().flatten().collect();
        let text = format_wwids(&wwids);
        assert_eq!(
            text.split_once('\n').map(|(_, rest)| rest),
            Some("/3600a/\n/3600b/\n/a:b/\n")
        );
        let wwids: [&[u8]; 3] = [b"3600a", b"3600b", b"a:b"];
        assert_eq!(parse_wwids(text.as_bytes()), wwids);
    }
}
