//! What is on a disk, by the signatures that udev has found.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::disk::Disk;
use crate::node::block::lvm::{Uuid, VolumeGroups};
use crate::node::block::udev::Udev;
use crate::types::label::Label;

/// Most things that are told of one LUN.
pub(super) const MAX_CONTENTS: usize = 8;

/// Something that is on a LUN, or on a partition of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Content {
    /// Number of the partition that it is on; none if it is on the LUN itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// What it is.
    pub code: ContentCode,
    /// Its type in words of its own, as udev has it: `ext4`, `gpt`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Label>,
    /// What it is called: the volume group, the pool, the array or the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
}

/// What may be on a LUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ContentCode {
    /// A table of partitions.
    PartitionTable,
    /// A physical volume of LVM.
    LvmPv,
    /// A member of a ZFS pool.
    ZfsMember,
    /// A member of an md array.
    MdMember,
    /// A file system.
    FileSystem,
    /// Anything else that udev knows.
    Other,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, word) = match self.code {
            ContentCode::PartitionTable => ("", "partition table"),
            ContentCode::LvmPv => ("of volume group ", "LVM physical volume"),
            ContentCode::ZfsMember => ("of pool ", "ZFS member"),
            ContentCode::MdMember => ("of array ", "md member"),
            ContentCode::FileSystem => ("", "file system"),
            ContentCode::Other => ("", "signature"),
        };
        f.write_str(word)?;
        let tells_kind = matches!(
            self.code,
            ContentCode::PartitionTable | ContentCode::FileSystem | ContentCode::Other
        );
        if let Some(kind) = self.kind.as_ref().filter(|_| tells_kind) {
            write!(f, " {kind}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " {of}'{name}'")?;
        }
        match self.partition {
            Some(number) => write!(f, " on partition {number}"),
            None => Ok(()),
        }
    }
}

/// What is on a disk and its partitions. udev hides what is on the path of a map.
pub(super) fn of_disk(name: &str, disk: &Disk<'_>, groups: &VolumeGroups) -> BTreeSet<Content> {
    let whole = of_udev(None, disk.udev(), groups);
    let partitions = disk.partitions.iter().flat_map(|(partition, facts)| {
        let number = number(name, partition.as_str());
        let udev = Udev::new(facts.udev.unwrap_or_default());
        number
            .into_iter()
            .flat_map(move |number| of_udev(Some(number), udev, groups))
    });
    whole.into_iter().chain(partitions).collect()
}

/// The number of a partition: `sdb1`, `nvme0n1p2`.
fn number(disk: &str, partition: &str) -> Option<u32> {
    let rest = partition.strip_prefix(disk)?;
    rest.strip_prefix('p').unwrap_or(rest).parse().ok()
}

fn of_udev(partition: Option<u32>, udev: Udev<'_>, groups: &VolumeGroups) -> Vec<Content> {
    let label = |name| Label::text(udev.property(name)?);
    let mut contents = Vec::new();
    // that of the disk stands at its partitions as well
    if let Some(table) = label("ID_PART_TABLE_TYPE").filter(|_| partition.is_none()) {
        contents.push(Content {
            partition,
            code: ContentCode::PartitionTable,
            kind: Some(table),
            name: None,
        });
    }
    let Some(fs) = udev
        .property("ID_FS_TYPE")
        .filter(|fs| *fs != b"mpath_member")
    else {
        return contents;
    };
    let (code, name) = match fs {
        b"LVM2_member" | b"LVM1_member" => {
            let pv = udev.fs_uuid().and_then(Uuid::new);
            let group = pv.and_then(|pv| groups.name_of(&pv).cloned());
            (ContentCode::LvmPv, group)
        }
        b"zfs_member" => (ContentCode::ZfsMember, label("ID_FS_LABEL")),
        b"linux_raid_member" => (ContentCode::MdMember, label("ID_FS_LABEL")),
        _ if udev.property("ID_FS_USAGE") == Some(b"filesystem") => {
            (ContentCode::FileSystem, label("ID_FS_LABEL"))
        }
        _ => (ContentCode::Other, label("ID_FS_LABEL")),
    };
    contents.push(Content {
        partition,
        code,
        kind: Label::text(fs),
        name,
    });
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(udev: &[u8], partition: Option<u32>, groups: &VolumeGroups) -> Vec<String> {
        let contents = of_udev(partition, Udev::new(udev), groups);
        contents.iter().map(ToString::to_string).collect()
    }

    // Properties from recordings/candidates/01-candidates.
    #[test]
    fn what_udev_has_found() {
        let none = VolumeGroups::default();
        let ext4 = b"E:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\nE:ID_FS_LABEL=lunlabel\n";
        assert_eq!(told(ext4, None, &none), ["file system ext4 'lunlabel'"]);
        let md = b"E:ID_FS_LABEL=mplab:7\nE:ID_FS_TYPE=linux_raid_member\nE:ID_FS_USAGE=raid\n";
        assert_eq!(told(md, None, &none), ["md member of array 'mplab:7'"]);
        let table = b"E:ID_PART_TABLE_TYPE=dos\n";
        assert_eq!(told(table, None, &none), ["partition table dos"]);
        assert_eq!(told(b"E:ID_FS_TYPE=mpath_member\n", None, &none), [""; 0]);
        let zfs = b"E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=r\x1bool\nE:ID_FS_USAGE=raid\n";
        let zfs = told(zfs, Some(3), &none);
        assert_eq!(zfs, ["ZFS member of pool 'r\u{fffd}ool' on partition 3"]);
        let swap = b"E:ID_FS_TYPE=swap\nE:ID_FS_USAGE=other\n";
        assert_eq!(told(swap, None, &none), ["signature swap"]);
    }

    #[test]
    fn volume_groups_of_physical_volumes() {
        let pv = b"E:ID_FS_TYPE=LVM2_member\nE:ID_FS_UUID=L4x7ee-1DS9-aUYn-djKs-seS0-kMsT-RySr5m\n";
        let hints =
            b"# hints\nscan:/dev/sd b pvid:L4x7ee1DS9aUYndjKsseS0kMsTRySr5m devn:8:32 vg:vg-old\n";
        let backup = b"# Generated by LVM2\ncontents = \"x\"\n\nvg_bak {\nphysical_volumes {\npv0 {\nid = \"L4x7ee-1DS9-aUYn-djKs-seS0-kMsT-RySr5m\"\n";
        let named = |groups: &VolumeGroups| told(pv, None, groups).concat();
        assert_eq!(named(&VolumeGroups::default()), "LVM physical volume");
        let backups = [&b"other {\n\tid = \"x\"\n"[..], backup];
        let groups = VolumeGroups::new(b"", backups);
        assert_eq!(
            named(&groups),
            "LVM physical volume of volume group 'vg_bak'"
        );
        let groups = VolumeGroups::new(hints, backups);
        assert_eq!(
            named(&groups),
            "LVM physical volume of volume group 'vg-old'"
        );
        // after a path event, udev has the UUID under this name alone
        let after_event =
            b"E:ID_FS_TYPE=LVM2_member\nE:ID_FS_UUID_ENC=L4x7ee-1DS9-aUYn-djKs-seS0-kMsT-RySr5m\n";
        assert_eq!(
            told(after_event, None, &groups),
            ["LVM physical volume of volume group 'vg-old'"]
        );
        let in_none = b"scan:/dev/sdb pvid:L4x7ee1DS9aUYndjKsseS0kMsTRySr5m devn:8:32 vg:-\n";
        let groups = VolumeGroups::new(in_none, []);
        assert_eq!(named(&groups), "LVM physical volume");
    }

    #[test]
    fn numbers_of_partitions() {
        assert_eq!(number("sdb", "sdb12"), Some(12));
        assert_eq!(number("nvme0n1", "nvme0n1p2"), Some(2));
        assert_eq!((number("sdb", "sdc1"), number("sdb", "sdb")), (None, None));
    }
}
