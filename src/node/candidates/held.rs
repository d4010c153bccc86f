//! What uses a disk past multipath: a logical volume, an array, a mount, swap space, a ZFS pool.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Mapped;
use super::disk::{Disk, trimmed};
use crate::node::block::mounts::{self, Mount};
use crate::node::block::udev::Udev;
use crate::types::label::Label;
use crate::wire::byte_string::ByteString;

/// Most holders that are told of one LUN.
pub(super) const MAX_HOLDERS: usize = 4;

/// Something that has a disk, or a partition of it, open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Holder {
    /// A logical volume.
    Volume {
        /// Its volume group.
        group: Label,
        /// Its name.
        name: Label,
    },
    /// Another block device above it, such as an array of md.
    Device {
        /// Its name.
        name: Label,
    },
    /// It is mounted.
    Mount {
        /// Where; of several places, one.
        at: Label,
    },
    /// The node swaps to it.
    Swap,
    /// It belongs to an imported ZFS pool with mounted file systems.
    Zpool {
        /// The pool's name.
        name: Label,
    },
}

impl Holder {
    /// Whether it is a device of device-mapper. The kernel lets these share a disk, and no others.
    pub(crate) fn is_mapped(&self) -> bool {
        match self {
            Self::Volume { .. } => true,
            Self::Device { name } => !name.as_str().starts_with("md"),
            Self::Mount { .. } | Self::Swap | Self::Zpool { .. } => false,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume { group, name } => write!(f, "held by logical volume '{group}/{name}'"),
            Self::Device { name } => write!(f, "held by '{name}'"),
            Self::Mount { at } => write!(f, "mounted at '{at}'"),
            Self::Swap => f.write_str("swap space"),
            Self::Zpool { name } => write!(f, "in ZFS pool '{name}'"),
        }
    }
}

/// What is mounted and what is swapped to.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// Mount points by number of the device, and by its path where the file system has no number of its
    /// own, as btrfs.
    places: BTreeMap<Vec<u8>, Label>,
    /// Paths of what is swapped to.
    swaps: BTreeSet<Vec<u8>>,
    pools: BTreeSet<Vec<u8>>,
}

impl Mounted {
    /// Reads `/proc/self/mountinfo` and `/proc/swaps`.
    pub(super) fn new(mountinfo: &[u8], swaps: &[u8]) -> Self {
        let mut mounted = Self::default();
        for mount in mounts::mounts(mountinfo).flatten() {
            mounted.add(mount);
        }
        mounted.swaps = mounts::swaps(swaps).flatten().collect();
        mounted
    }

    fn add(&mut self, mount: Mount<'_>) {
        let Some(at) = Label::text(&mount.at) else {
            return;
        };
        if mount.fs == b"zfs" {
            let pool = mount.source.split(|&byte| byte == b'/').next();
            self.pools.extend(pool.map(<[u8]>::to_vec));
        } else {
            let place = self.places.entry(mount.number.to_vec());
            place.or_insert_with(|| at.clone());
            if mount.source.starts_with(b"/dev/") {
                self.places.entry(mount.source).or_insert(at);
            }
        }
    }

    fn holders(&self, name: &[u8], number: &[u8], udev: Udev<'_>) -> Vec<Holder> {
        let path = [b"/dev/", name].concat();
        let by_number = self.places.get(number).filter(|_| !number.is_empty());
        let place = by_number.or_else(|| self.places.get(&path)).cloned();
        let pool = udev.property("ID_FS_LABEL").filter(|pool| {
            udev.property("ID_FS_TYPE") == Some(b"zfs_member") && self.pools.contains(*pool)
        });
        let links = || udev.links().map(|link| format!("/dev/{link}").into_bytes());
        let is_swap = self.swaps.contains(&path)
            || (!self.swaps.is_empty() && links().any(|link| self.swaps.contains(&link)));
        let mount = place.map(|at| Holder::Mount { at });
        let pool = pool
            .and_then(Label::text)
            .map(|name| Holder::Zpool { name });
        mount
            .into_iter()
            .chain(pool)
            .chain(is_swap.then_some(Holder::Swap))
            .collect()
    }
}

/// What holds a disk or its partitions. Its own map does not count, nor do partitions of that.
pub(super) fn of_disk(
    name: &str,
    disk: &Disk<'_>,
    mapped: &BTreeMap<ByteString<'_>, Mapped<'_>>,
    mounted: &Mounted,
) -> BTreeSet<Holder> {
    let device = |holder: &ByteString<'_>| {
        let shown = match mapped.get(holder.as_str()) {
            Some(map) if map.is_multipath() => return None,
            Some(map) => match map.volume() {
                Some((group, name)) => return Some(Holder::Volume { group, name }),
                None => Label::text(trimmed(map.name)),
            },
            None => None,
        };
        let name = shown.or_else(|| Label::text(&holder.to_bytes()?))?;
        Some(Holder::Device { name })
    };
    let partitions = disk.partitions.iter();
    let holders = partitions
        .clone()
        .flat_map(|(_, partition)| &partition.holders)
        .chain(&disk.holders)
        .filter_map(device);
    let of_partitions = partitions.flat_map(|(name, partition)| {
        let udev = Udev::new(partition.udev.unwrap_or_default());
        let name = name.to_bytes().unwrap_or_default();
        mounted.holders(&name, trimmed(partition.dev), udev)
    });
    holders
        .chain(mounted.holders(name.as_bytes(), disk.number(), disk.udev()))
        .chain(of_partitions)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::disk::Partition;
    use super::*;

    const MOUNTINFO: &[u8] = b"21 1 8:3 / / rw,relatime shared:1 - ext4 /dev/sda3 rw\n\
        30 21 0:40 / /mnt/b\\040c rw - btrfs /dev/sdc rw\n\
        40 21 0:50 / /rpool rw - zfs rpool/data/x rw\n\
        odd line\n";

    fn told(name: &str, disk: &Disk<'_>) -> Vec<String> {
        let mapped = [
            ("dm-0", "vg--held-lv0\n", "LVM-nAa19PwVl8\n"),
            ("dm-1", "mpatha\n", "mpath-35000c50000000a00\n"),
            ("dm-2", "mpatha-part1\n", "part1-mpath-35000c50000000a00\n"),
        ];
        let mapped = mapped.map(|(dev, name, uuid)| {
            let map = Mapped {
                name: Some(name.as_bytes()),
                uuid: Some(uuid.as_bytes()),
            };
            (ByteString::from(dev), map)
        });
        let swaps = b"Filename\tType\tSize\tUsed\tPriority\n/dev/sdd2   partition\t1\t0\t-2\n";
        let mounted = Mounted::new(MOUNTINFO, swaps);
        let holders = of_disk(name, disk, &mapped.into(), &mounted);
        holders.iter().map(ToString::to_string).collect()
    }

    fn holders(names: &[&'static str]) -> Vec<ByteString<'static>> {
        names.iter().map(|name| ByteString::from(*name)).collect()
    }

    #[test]
    fn holders_but_for_the_map() {
        let disk = |names: &[&'static str]| Disk {
            holders: holders(names),
            ..Disk::default()
        };
        assert_eq!(told("sdx", &disk(&["dm-1", "dm-2"])), [""; 0]);
        assert_eq!(
            told("sdx", &disk(&["dm-0", "dm-1"])),
            ["held by logical volume 'vg-held/lv0'"]
        );
        assert_eq!(told("sdx", &disk(&["md7"])), ["held by 'md7'"]);
    }

    #[test]
    fn mounts_swap_and_pools() {
        let partition = Partition {
            dev: Some(b"8:3\n"),
            ..Partition::default()
        };
        let root = Disk {
            partitions: [("sda3".into(), partition)].into(),
            ..Disk::default()
        };
        assert_eq!(told("sda", &root), ["mounted at '/'"]);
        assert_eq!(told("sdc", &Disk::default()), ["mounted at '/mnt/b c'"]);
        assert_eq!(told("sdb", &Disk::default()), [""; 0]);
        let swap = Disk {
            partitions: [("sdd2".into(), Partition::default())].into(),
            ..Disk::default()
        };
        assert_eq!(told("sdd", &swap), ["swap space"]);
        let pool = |name: &str| format!("E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL={name}\n");
        let (imported, other) = (pool("rpool"), pool("tank"));
        let member = |udev: &'static [u8]| Disk {
            udev: Some(udev),
            ..Disk::default()
        };
        let leak = |text: String| -> &'static [u8] { text.into_bytes().leak() };
        assert_eq!(
            told("sde", &member(leak(imported))),
            ["in ZFS pool 'rpool'"]
        );
        assert_eq!(told("sde", &member(leak(other))), [""; 0]);
    }
}
