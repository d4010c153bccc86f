//! Which devices are mounted or used for swapping: `/proc/self/mountinfo` and `/proc/swaps`.
//!
//! Neither is read from a device, so both answer while a map queues.

use thiserror::Error;

/// A line that the kernel does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line} is not what the kernel writes")]
pub(crate) struct OddLine {
    /// Its number, from 1.
    line: usize,
}

/// A mount, by the kernel's documentation of mountinfo (Documentation/filesystems/proc.rst).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount<'a> {
    /// Device number, `MAJOR:MINOR`. The major number is 0 where the file system has no single device.
    pub(crate) number: &'a [u8],
    /// Mount point.
    pub(crate) at: Vec<u8>,
    /// Type of the file system.
    pub(crate) fs: Vec<u8>,
    /// What was mounted, under the name that it had then.
    pub(crate) source: Vec<u8>,
}

/// All mounts, in the order of the text.
pub(crate) fn mounts(text: &[u8]) -> impl Iterator<Item = Result<Mount<'_>, OddLine>> {
    lines(text).map(|(line, text)| mount(text).ok_or(OddLine { line }))
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut fields = line.split(|&byte| byte == b' ');
    let number = fields.nth(2)?;
    let at = unescaped(fields.nth(1)?);
    fields.find(|field| *field == b"-")?;
    let (fs, source) = (fields.next()?, fields.next()?);
    let is_number = number.iter().all(|&b| b.is_ascii_digit() || b == b':');
    (is_number && number.contains(&b':') && !fs.is_empty()).then(|| Mount {
        number,
        at,
        fs: unescaped(fs),
        source: unescaped(source),
    })
}

/// The files and devices that are swapped to.
pub(crate) fn swaps(text: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, OddLine>> {
    let mut lines = lines(text);
    // The kernel writes the heading also where there is no swap space.
    let (line, heading) = lines.next().unwrap_or((1, b""));
    let odd_heading = (!heading.starts_with(b"Filename")).then_some(Err(OddLine { line }));
    let swap = |text: &[u8]| {
        let mut fields = text.split(|byte| byte.is_ascii_whitespace());
        let file = fields.next().filter(|file| file.starts_with(b"/"))?;
        fields.next().map(|_| unescaped(file))
    };
    let swaps = lines.map(move |(line, text)| swap(text).ok_or(OddLine { line }));
    odd_heading.into_iter().chain(swaps)
}

/// The lines with their numbers, but for the empty one at the end.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|&byte| byte == b'\n');
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

/// The kernel writes blanks, tabs, line feeds and backslashes as `\` and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| byte == b'\\').and_then(|digits| {
            let value = digits.iter().try_fold(0u32, |value, digit| {
                char::from(*digit)
                    .to_digit(8)
                    .map(|digit| value * 8 + digit)
            });
            u8::try_from(value?).ok()
        });
        bytes.push(octal.unwrap_or(byte));
        rest = match octal {
            Some(_) => tail.get(3..).unwrap_or_default(),
            None => tail,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(text: &[u8]) -> Result<Vec<Mount<'_>>, OddLine> {
        super::mounts(text).collect()
    }

    fn swaps(text: &[u8]) -> Result<Vec<Vec<u8>>, OddLine> {
        super::swaps(text).collect()
    }

    #[test]
    fn mountinfo() {
        // The first is the example of the kernel's documentation.
        let text =
            b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n\
            40 36 252:6 / /mnt/a\\040b\\011\\134c\\012 rw - ext4 /dev/mapper/san-f rw\n\
            41 36 0:45 / /mnt/- rw shared:2 master:3 - btrfs /dev/dm-3 rw\n";
        let mounts = mounts(text).unwrap_or_default();
        let found: Vec<_> = mounts
            .iter()
            .map(|m| (m.number, &m.at[..], &m.fs[..], &m.source[..]))
            .collect();
        assert_eq!(
            found,
            [
                (&b"98:0"[..], &b"/mnt2"[..], &b"ext3"[..], &b"/dev/root"[..]),
                (b"252:6", b"/mnt/a b\t\\c\n", b"ext4", b"/dev/mapper/san-f"),
                (b"0:45", b"/mnt/-", b"btrfs", b"/dev/dm-3"),
            ]
        );
    }

    #[test]
    fn a_line_of_another_form_is_not_skipped() {
        for text in [
            &b"36 35 98:0 / / rw - ext3 /dev/root rw\n36 35 98:0 / /mnt rw\n"[..],
            b"36 35 98:0 / / rw - ext3 /dev/root rw\ngarbage\n",
        ] {
            assert_eq!(mounts(text), Err(OddLine { line: 2 }));
        }
        assert_eq!(
            mounts(b"36 35 x / / rw - ext3 /dev/root rw"),
            Err(OddLine { line: 1 })
        );
        assert_eq!(mounts(b""), Ok(vec![]));
    }

    #[test]
    fn swap_spaces() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let text = format!(
            "{head}/dev/dm-3                               partition\t8388604\t\t0\t\t-2\n/swap\\040file file\t1024\t0\t-3\n"
        );
        assert_eq!(
            swaps(text.as_bytes()),
            Ok(vec![b"/dev/dm-3".to_vec(), b"/swap file".to_vec()])
        );
        assert_eq!(swaps(head.as_bytes()), Ok(vec![]));
        assert_eq!(swaps(b""), Err(OddLine { line: 1 }));
        assert_eq!(swaps(b"/dev/dm-3 partition\n"), Err(OddLine { line: 1 }));
        assert_eq!(
            swaps(format!("{head}dm-3 partition\n").as_bytes()),
            Err(OddLine { line: 2 })
        );
    }
}
