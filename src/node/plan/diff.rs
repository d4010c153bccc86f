//! The difference between two versions of a drop-in, for a person to read.

use similar::TextDiff;

use super::DropIn;

/// Texts with more lines, old and new together, are not compared, since that might take too long.
const MAX_LINES: usize = 20_000;

/// The difference as `diff -u` prints it; none if the texts are too long to compare.
///
/// A missing text stands for a missing file. Bytes that are not UTF-8 are shown as replacement
/// characters.
pub fn diff(file: DropIn, old: Option<&[u8]>, new: Option<&[u8]>) -> Option<String> {
    let name = |text: Option<&[u8]>, side: &str| match text {
        Some(_) => format!("{side}/{}", file.file_name()),
        None => "/dev/null".to_owned(),
    };
    let names = (name(old, "a"), name(new, "b"));
    let old = String::from_utf8_lossy(old.unwrap_or_default());
    let new = String::from_utf8_lossy(new.unwrap_or_default());
    if old.lines().count() + new.lines().count() > MAX_LINES {
        return None;
    }
    let diff = TextDiff::from_lines(&*old, &*new);
    let unified = diff.unified_diff().header(&names.0, &names.1).to_string();
    Some(unified)
}

#[cfg(test)]
mod tests {
    use super::*;

    // diff -u, with these names
    #[test]
    fn as_diff_prints_it() {
        let of = |old, new| diff(DropIn::Aliases, old, new);
        assert_eq!(
            of(Some(b"a\nb\nc\n"), Some(b"a\nB\nc\n")).as_deref(),
            Some(
                "--- a/pve-aliases.conf\n+++ b/pve-aliases.conf\n\
                 @@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
            )
        );
        assert_eq!(
            of(None, Some(b"a\n")).as_deref(),
            Some("--- /dev/null\n+++ b/pve-aliases.conf\n@@ -0,0 +1 @@\n+a\n")
        );
        assert_eq!(
            of(Some(b"a"), None).as_deref(),
            Some(
                "--- a/pve-aliases.conf\n+++ /dev/null\n\
                 @@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n"
            )
        );
        let long = "a\n".repeat(MAX_LINES + 1);
        assert_eq!(of(None, Some(long.as_bytes())), None);
    }
}
