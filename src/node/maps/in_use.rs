//! Which maps are in use, by device-mapper's open counts.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::Wwid;

/// A line that does not have the form `COUNT:UUID`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'dmsetup info' answered {0:?}")]
pub struct UnexpectedLine(String);

/// The LUNs whose maps are in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// The map is open: by a device above it, a mount, or a virtual machine.
    pub open: BTreeSet<Wwid>,
    /// The same, not counting partitions that are not open themselves. multipathd removes such
    /// partitions, and then the map, if it wants to remove a map that is not in this set.
    pub held: BTreeSet<Wwid>,
}

/// Reads which maps are in use from the output of
/// `dmsetup info --columns --noheadings --separator : --options open,uuid`.
///
/// It has a line for each device-mapper device; those that are not multipath maps or their partitions
/// are ignored.
///
/// # Errors
///
/// A line has another form.
pub fn in_use(text: &[u8]) -> Result<InUse, UnexpectedLine> {
    let mut used = InUse::default();
    let mut counts: BTreeMap<Wwid, u64> = BTreeMap::new();
    let mut partitions: BTreeMap<Wwid, u64> = BTreeMap::new();
    let text = String::from_utf8_lossy(text);
    for line in text.lines().filter(|line| *line != "No devices found") {
        let unexpected = || UnexpectedLine(line.to_owned());
        let (count, uuid) = line.split_once(':').ok_or_else(unexpected)?;
        let count: u64 = count.trim().parse().map_err(|_| unexpected())?;
        let Some((owner, wwid)) = uuid.trim_end().split_once("mpath-") else {
            continue;
        };
        let Ok(wwid) = Wwid::new(wwid) else { continue };
        if owner.is_empty() {
            counts.insert(wwid, count);
        } else if is_partition(owner) {
            if count > 0 {
                used.held.insert(wwid.clone());
            }
            let partitions = partitions.entry(wwid).or_default();
            *partitions = partitions.saturating_add(1);
        }
    }
    for (wwid, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        if count > partitions.get(&wwid).copied().unwrap_or_default() {
            used.held.insert(wwid.clone());
        }
        used.open.insert(wwid);
    }
    Ok(used)
}

/// Whether this is kpartx's prefix for a partition, `part1-`, which precedes the UUID of the device that
/// the partition is on.
fn is_partition(prefix: &str) -> bool {
    let number = prefix
        .strip_prefix("part")
        .and_then(|rest| rest.strip_suffix('-'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &[u8]) -> Option<(Vec<String>, Vec<String>)> {
        let used = in_use(text).ok()?;
        let names = |wwids: BTreeSet<Wwid>| wwids.iter().map(ToString::to_string).collect();
        Some((names(used.open), names(used.held)))
    }

    fn of(open: &[&str], held: &[&str]) -> Option<(Vec<String>, Vec<String>)> {
        let names = |wwids: &[&str]| wwids.iter().map(|wwid| (*wwid).to_owned()).collect();
        Some((names(open), names(held)))
    }

    #[test]
    fn open_multipath_maps_only() {
        let text =
            b"1:mpath-3600a\n0:mpath-3600b\n2:LVM-x\n1:\n12:mpath-3600c\n1:LVM-mpath-3600d\n";
        assert_eq!(used(text), of(&["3600a", "3600c"], &["3600a", "3600c"]));
        assert_eq!(used(b"No devices found\n"), of(&[], &[]));
        assert_eq!(used(b""), of(&[], &[]));
        for odd in [
            &b"mpath-3600a"[..],
            b"-1:mpath-3600a\n",
            b":mpath-3600a\n",
            b"\xff\n",
        ] {
            assert_eq!(used(odd), None);
        }
    }

    #[test]
    fn only_open_partitions_hold_a_map() {
        let text = b"2:mpath-3600a\n0:part1-mpath-3600a\n0:part2-mpath-3600a\n\
            1:part1-mpath-3600b\n1:mpath-3600b\n\
            2:mpath-3600c\n0:part1-mpath-3600c\n";
        assert_eq!(
            used(text),
            of(&["3600a", "3600b", "3600c"], &["3600b", "3600c"])
        );
    }
}
