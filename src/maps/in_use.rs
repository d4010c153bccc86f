//! Which maps are in use, as device-mapper counts.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::Wwid;

/// A line that dmsetup does not print when asked for counts and UUIDs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'dmsetup info' has answered {0:?}")]
pub struct OddAnswer(String);

/// The LUNs whose maps somebody has open: a holder above them, a mount, or a virtual machine.
///
/// Takes the answer of `dmsetup info --columns --noheadings --separator : --options open,uuid`, which has a line
/// for each device, also for those that are no multipath map.
pub fn in_use(text: &[u8]) -> Result<BTreeSet<Wwid>, OddAnswer> {
    let mut used = BTreeSet::new();
    let text = String::from_utf8_lossy(text);
    for line in text.lines().filter(|line| *line != "No devices found") {
        let odd = || OddAnswer(line.to_owned());
        let (count, uuid) = line.split_once(':').ok_or_else(odd)?;
        let count: u64 = count.trim().parse().map_err(|_| odd())?;
        if let Some(wwid) = uuid.trim_end().strip_prefix("mpath-") {
            if count > 0 {
                used.extend(Wwid::new(wwid).ok());
            }
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_multipath_maps() {
        let wwids = |text: &[u8]| {
            let used = in_use(text).ok()?;
            Some(used.into_iter().map(|wwid| wwid.to_string()).collect())
        };
        let text =
            b"1:mpath-3600a\n0:mpath-3600b\n2:LVM-x\n1:\n12:mpath-3600c\n1:part1-mpath-3600d\n";
        let some = |wwids: &[&str]| Some(wwids.iter().map(|wwid| (*wwid).to_owned()).collect());
        let expected: Option<Vec<String>> = some(&["3600a", "3600c"]);
        assert_eq!(wwids(text), expected);
        assert_eq!(wwids(b"No devices found\n"), some(&[]));
        assert_eq!(wwids(b""), some(&[]));
        for odd in [
            &b"mpath-3600a"[..],
            b"-1:mpath-3600a\n",
            b":mpath-3600a\n",
            b"\xff\n",
        ] {
            assert_eq!(wwids(odd), None);
        }
    }
}
