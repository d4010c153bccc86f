//! What a node has read about its block devices, as it stood there.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::kind::Input;
use crate::Wwid;
use crate::node::block::lvm;

/// Everything that uses are derived from. Nothing of it is read from a device that could hang.
///
/// What is absent was not there; what could not be read is in `errors` as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Facts<'a> {
    /// The devices in `/sys/block` that lie on others, by their kernel names: those of device-mapper, and
    /// all others with something in their `slaves`.
    #[serde(borrow)]
    pub blocks: BTreeMap<String, Block<'a>>,
    /// What `dmsetup info --columns --noheadings --separator : --options open,uuid` has printed.
    #[serde(borrow)]
    pub open_counts: Option<&'a [u8]>,
    /// `/proc/self/mountinfo`.
    #[serde(borrow)]
    pub mounts: Option<&'a [u8]>,
    /// `/proc/swaps`.
    #[serde(borrow)]
    pub swaps: Option<&'a [u8]>,
    /// `/run/lvm/hints`; absent where LVM has not scanned yet, or does not keep hints.
    #[serde(borrow)]
    pub lvm_hints: Option<&'a [u8]>,
    /// The files in `/etc/lvm/backup`. Of each, as much as the physical volumes take is enough.
    #[serde(borrow)]
    pub lvm_backup: Vec<&'a [u8]>,
    /// Why something could not be read.
    pub errors: BTreeMap<Input, String>,
}

/// A block device that lies on others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Block<'a> {
    /// `dm/name`.
    #[serde(borrow)]
    pub name: Option<&'a [u8]>,
    /// `dm/uuid`.
    #[serde(borrow)]
    pub uuid: Option<&'a [u8]>,
    /// `dev`: `MAJOR:MINOR`.
    #[serde(borrow)]
    pub dev: Option<&'a [u8]>,
    /// The names in `slaves`.
    pub slaves: Vec<String>,
    /// What udev knows of it, `/run/udev/data/bMAJOR:MINOR`.
    #[serde(borrow)]
    pub udev: Option<&'a [u8]>,
}

/// What a block device is, by its UUID in device-mapper and its kernel name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A multipath map.
    Map(Wwid),
    /// A partition that kpartx made, with its name: `part1`.
    Partition(&'a str),
    /// A logical volume, or a part of one that users do not see.
    Volume {
        vg: lvm::Uuid,
        lv: &'a [u8],
        hidden: bool,
    },
    /// An array of md.
    Array,
    /// Anything else.
    Other,
}

impl Block<'_> {
    pub(super) fn name(&self) -> &[u8] {
        self.name.unwrap_or_default().trim_ascii_end()
    }

    pub(super) fn uuid(&self) -> &[u8] {
        self.uuid.unwrap_or_default().trim_ascii_end()
    }

    pub(super) fn number(&self) -> Option<&[u8]> {
        let number = self.dev?.trim_ascii_end();
        (!number.is_empty()).then_some(number)
    }

    /// What it is. `device` is its kernel name.
    pub(super) fn kind(&self, device: &str) -> Kind<'_> {
        let uuid = self.uuid();
        if let Some(ids) = uuid.strip_prefix(b"LVM-") {
            return volume(ids).unwrap_or(Kind::Other);
        }
        let text = std::str::from_utf8(uuid).unwrap_or_default();
        if let Some((part, wwid)) = text.split_once("mpath-") {
            let number = part
                .strip_prefix("part")
                .and_then(|part| part.strip_suffix('-'));
            let is_number = |number: &str| {
                (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
            };
            match (part, Wwid::new(wwid), number) {
                ("", Ok(wwid), _) => return Kind::Map(wwid),
                (_, Ok(_), Some(number)) if is_number(number) => {
                    return Kind::Partition(part.trim_end_matches('-'));
                }
                _ => (),
            }
        }
        match device.starts_with("md") && self.uuid.is_none() {
            true => Kind::Array,
            false => Kind::Other,
        }
    }
}

/// `LVM-`, the UUIDs of the group and the volume, 32 characters each, and a suffix such as `-tpool`.
fn volume(ids: &[u8]) -> Option<Kind<'_>> {
    let (vg, rest) = ids.split_at_checked(32)?;
    let (lv, suffix) = rest.split_at_checked(32)?;
    Some(Kind::Volume {
        vg: lvm::Uuid::new(vg)?,
        lv,
        hidden: !suffix.is_empty(),
    })
}

/// The disk of a partition by its kernel name: `sdh` of `sdh1`, `nvme0n1` of `nvme0n1p1`.
pub(super) fn disk_of(partition: &str) -> Option<&str> {
    let disk = partition.trim_end_matches(|c: char| c.is_ascii_digit());
    if disk.len() == partition.len() {
        return None;
    }
    match disk.strip_suffix('p') {
        Some(disk) if disk.ends_with(|c: char| c.is_ascii_digit()) => Some(disk),
        _ => disk
            .ends_with(|c: char| c.is_ascii_alphabetic())
            .then_some(disk),
    }
}

/// A line that dmsetup does not print when asked for counts and UUIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the answer of 'dmsetup info' has no number and UUID")]
pub(super) struct OddCount {
    line: usize,
}

/// How often each device with a UUID is open.
pub(super) fn open_counts(text: &[u8]) -> Result<BTreeMap<&[u8], u32>, OddCount> {
    let mut counts = BTreeMap::new();
    let lines = (1..).zip(text.split(|&byte| byte == b'\n'));
    let lines = lines.filter(|(_, text)| !text.is_empty() && *text != b"No devices found");
    for (line, text) in lines {
        let mut fields = text.splitn(2, |&byte| byte == b':');
        let count = fields.next().and_then(|count| {
            let count = std::str::from_utf8(count).ok()?;
            count.trim().parse::<u32>().ok()
        });
        let (Some(count), Some(uuid)) = (count, fields.next()) else {
            return Err(OddCount { line });
        };
        counts.insert(uuid.trim_ascii_end(), count);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(device: &str, uuid: Option<&str>) -> String {
        let block = Block {
            uuid: uuid.map(str::as_bytes),
            ..Block::default()
        };
        match block.kind(device) {
            Kind::Map(wwid) => format!("map {wwid}"),
            Kind::Partition(name) => format!("partition {name}"),
            Kind::Volume { hidden, .. } => format!("volume {hidden}"),
            Kind::Array => "array".to_owned(),
            Kind::Other => "other".to_owned(),
        }
    }

    #[test]
    fn kinds_of_devices() {
        let lv = "LVM-W0zSGx8PD599BX9Zb13cceyG3xet9rePs6rQyaLkA2LHyzNqjZE7xgsj9QNy3J5t";
        let tpool = format!("{lv}-tpool\n");
        for (device, uuid, wanted) in [
            ("dm-0", Some("mpath-3600a\n"), "map 3600a"),
            ("dm-1", Some("part1-mpath-3600a\n"), "partition part1"),
            ("dm-2", Some(lv), "volume false"),
            ("dm-3", Some(&tpool), "volume true"),
            ("dm-4", Some("CRYPT-LUKS2-x-mpath-3600a"), "other"),
            ("dm-5", Some("part-mpath-3600a"), "other"),
            ("dm-6", Some("mpath-a b"), "other"),
            ("dm-7", Some("LVM-short"), "other"),
            ("dm-8", Some(""), "other"),
            ("md7", None, "array"),
            ("bcache0", None, "other"),
        ] {
            assert_eq!(kind(device, uuid), wanted, "{device}");
        }
    }

    #[test]
    fn disks_of_partitions() {
        for (partition, disk) in [
            ("sdh1", Some("sdh")),
            ("sdab12", Some("sdab")),
            ("nvme0n1p2", Some("nvme0n1")),
            ("md7p1", Some("md7")),
            ("sdh", None),
            ("dm-1", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(disk_of(partition), disk, "{partition}");
        }
    }

    #[test]
    fn counts() {
        let counts = open_counts(b" 2:mpath-3600a\n0:LVM-x:y\n1:\n").unwrap();
        assert_eq!(counts.get(&b"mpath-3600a"[..]), Some(&2));
        assert_eq!(counts.get(&b"LVM-x:y"[..]), Some(&0));
        assert!(open_counts(b"No devices found\n").unwrap().is_empty());
        for text in [
            &b"mpath-3600a\n"[..],
            b"x:mpath-3600a\n",
            b"-1:a\n",
            b"\xff\n",
        ] {
            assert_eq!(open_counts(text), Err(OddCount { line: 1 }));
        }
    }
}
