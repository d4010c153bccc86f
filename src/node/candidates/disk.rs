//! A disk as sysfs and udev have it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Transport;
use crate::multipath_conf::blacklisted::Facts;
use crate::node::block::udev::Udev;
use crate::node::maps::SECTOR_BYTES;
use crate::types::label::Label;
use crate::wire::byte_string::ByteString;

/// udev properties that multipathd takes WWIDs from: of SCSI disks, NVMe and DASD.
const WWID_PROPERTIES: [(&str, &str); 3] =
    [("sd", "ID_SERIAL"), ("nvme", "ID_WWN"), ("dasd", "ID_UID")];

/// Properties that each device has from the kernel or udev itself, which are not in udev's file.
const KERNEL_PROPERTIES: [&str; 11] = [
    "CURRENT_TAGS",
    "DEVLINKS",
    "DEVNAME",
    "DEVPATH",
    "DEVTYPE",
    "DISKSEQ",
    "MAJOR",
    "MINOR",
    "SUBSYSTEM",
    "TAGS",
    "USEC_INITIALIZED",
];

/// What was read of a disk below `/sys/block/NAME` and in `/run/udev/data`, as it stood there. What is not
/// there is absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Disk<'a> {
    /// Link text of `/sys/block/NAME`.
    #[serde(borrow)]
    pub link: Option<&'a [u8]>,
    /// `size`: sectors of 512 bytes.
    #[serde(borrow)]
    pub size: Option<&'a [u8]>,
    /// `dev`: `MAJOR:MINOR`.
    #[serde(borrow)]
    pub dev: Option<&'a [u8]>,
    /// `hidden`: `1` for a path that the kernel joins by itself.
    #[serde(borrow)]
    pub hidden: Option<&'a [u8]>,
    /// `removable`.
    #[serde(borrow)]
    pub removable: Option<&'a [u8]>,
    /// `device/type`: the SCSI peripheral type.
    #[serde(borrow, rename = "type")]
    pub kind: Option<&'a [u8]>,
    /// `device/state`.
    #[serde(borrow)]
    pub state: Option<&'a [u8]>,
    /// `device/vendor`.
    #[serde(borrow)]
    pub vendor: Option<&'a [u8]>,
    /// `device/model`.
    #[serde(borrow)]
    pub model: Option<&'a [u8]>,
    /// `device/serial`, of NVMe.
    #[serde(borrow)]
    pub serial: Option<&'a [u8]>,
    /// Names in `holders`.
    #[serde(borrow)]
    pub holders: Vec<ByteString<'a>>,
    /// Partitions by their names.
    #[serde(borrow)]
    pub partitions: BTreeMap<ByteString<'a>, Partition<'a>>,
    /// `/run/udev/data/bMAJOR:MINOR`.
    #[serde(borrow)]
    pub udev: Option<&'a [u8]>,
}

/// What was read of a partition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Partition<'a> {
    /// `dev`: `MAJOR:MINOR`.
    #[serde(borrow)]
    pub dev: Option<&'a [u8]>,
    /// Names in `holders`.
    #[serde(borrow)]
    pub holders: Vec<ByteString<'a>>,
    /// `/run/udev/data/bMAJOR:MINOR`.
    #[serde(borrow)]
    pub udev: Option<&'a [u8]>,
}

/// What kind of device a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A CD or DVD drive.
    Cd,
    /// A disk of the node itself, for this reason.
    Local(&'static str),
    /// An NVMe namespace whose paths the kernel joins.
    NativeNvme,
    /// It may be a LUN.
    Lun,
}

impl<'a> Disk<'a> {
    /// Whether it is a device of the kernel that stands for no hardware, such as a loop device, or one
    /// of the paths that the kernel joins by itself.
    pub(super) fn is_virtual(&self, name: &str) -> bool {
        let virtual_name = [
            "dm-", "md", "loop", "ram", "zram", "zd", "nbd", "rbd", "drbd", "bcache",
        ]
        .iter()
        .any(|prefix| {
            name.strip_prefix(prefix).is_some_and(|rest| {
                rest.bytes()
                    .next()
                    .is_some_and(|byte| byte.is_ascii_digit())
            })
        });
        virtual_name
            || trimmed(self.hidden) == b"1"
            || self.has_part(|part| part == b"rbd")
            || self
                .link()
                .windows(15)
                .any(|part| part == b"/virtual/block/")
    }

    pub(super) fn kind(&self, name: &str) -> Kind {
        let of_name = |prefix: &str| name.starts_with(prefix);
        if matches!(trimmed(self.kind), b"5" | b"7") || of_name("sr") || of_name("scd") {
            return Kind::Cd;
        }
        if self.has_part(|part| part == b"nvme-subsystem") {
            return Kind::NativeNvme;
        }
        if self.has_part(|part| is_numbered(part, b"ata")) {
            return Kind::Local("SATA");
        }
        if self.has_part(|part| is_numbered(part, b"usb")) {
            return Kind::Local("USB");
        }
        if of_name("nvme") && self.has_part(|part| part.starts_with(b"pci")) {
            return Kind::Local("PCIe");
        }
        if trimmed(self.removable) == b"1" {
            return Kind::Local("removable");
        }
        if !["sd", "nvme", "dasd"].into_iter().any(of_name) {
            return Kind::Local("neither SCSI nor NVMe");
        }
        Kind::Lun
    }

    /// Size in bytes, if it is known and fits.
    pub(super) fn size(&self) -> Option<u64> {
        let sectors: u64 = std::str::from_utf8(trimmed(self.size)).ok()?.parse().ok()?;
        sectors.checked_mul(SECTOR_BYTES)
    }

    /// Its number, `MAJOR:MINOR`.
    pub(super) fn number(&self) -> &'a [u8] {
        trimmed(self.dev)
    }

    /// Whether the kernel says that it cannot be reached. A device without a state counts as reachable.
    pub(super) fn is_offline(&self) -> bool {
        !matches!(trimmed(self.state), b"" | b"running" | b"live" | b"created")
    }

    /// The kernel's state, if there is one.
    pub(super) fn state(&self) -> Option<Label> {
        Label::text(trimmed(self.state))
    }

    /// How the LUN is reached, if it can be told.
    pub(super) fn transport(&self) -> Option<Transport> {
        Transport::from_sysfs_link(std::str::from_utf8(self.link()).ok()?)
    }

    /// The protocol as multipathd would write it (libmultipath/print.c, `snprint_path_protocol`), if it
    /// can be told.
    pub(super) fn protocol(&self, name: &str) -> Option<&'static str> {
        if name.starts_with("nvme") {
            let is_local = self.has_part(|part| part.starts_with(b"pci"));
            return is_local.then_some("nvme:pcie");
        }
        if !name.starts_with("sd") {
            return None;
        }
        Some(match self.transport() {
            Some(Transport::Fc) => "scsi:fcp",
            Some(Transport::Iscsi) => "scsi:iscsi",
            Some(Transport::Sas) => "scsi:sas",
            None if self.has_part(|part| is_numbered(part, b"ata")) => "scsi:ata",
            None if self.has_part(|part| is_numbered(part, b"usb")) => "scsi:usb",
            None => "scsi:unspec",
        })
    }

    pub(super) fn vendor(&self) -> Option<Label> {
        Label::text(self.vendor?)
    }

    pub(super) fn product(&self) -> Option<Label> {
        Label::text(self.model?)
    }

    /// The serial number. What udev calls so for a SCSI disk is its WWID.
    pub(super) fn serial(&self) -> Option<Label> {
        let udev = self.udev();
        let of_udev = |name| Label::text(udev.property(name)?);
        self.serial
            .and_then(Label::text)
            .or_else(|| of_udev("ID_SCSI_SERIAL"))
            .or_else(|| of_udev("SCSI_IDENT_SERIAL"))
            .or_else(|| {
                let is_scsi = udev.property("ID_BUS") == Some(b"scsi");
                of_udev("ID_SERIAL_SHORT").filter(|_| !is_scsi)
            })
    }

    /// The WWID that multipathd takes from udev, unless it is told otherwise.
    pub(super) fn wwid_by_udev(&self, name: &str) -> Option<&'a str> {
        let mut properties = WWID_PROPERTIES.into_iter();
        let (_, property) = properties.find(|(prefix, _)| name.starts_with(prefix))?;
        std::str::from_utf8(self.udev().property(property)?).ok()
    }

    pub(super) fn udev(&self) -> Udev<'a> {
        Udev::new(self.udev.unwrap_or_default())
    }

    /// What multipathd compares with its blacklist.
    pub(super) fn facts(&self, name: &str) -> Facts {
        let is_nvme = name.starts_with("nvme");
        let text = |bytes: Option<&[u8]>| {
            ByteString::from_bytes(trimmed(bytes))
                .into_str()
                .into_owned()
        };
        let properties = self.udev.map(|_| {
            let of_udev = self.udev().properties().map(|(name, _)| name.to_owned());
            of_udev
                .chain(KERNEL_PROPERTIES.map(str::to_owned))
                .collect()
        });
        Facts {
            name: name.to_owned(),
            wwid: self.wwid_by_udev(name).map(str::to_owned),
            vendor: if is_nvme {
                "NVME".to_owned()
            } else {
                text(self.vendor)
            },
            product: text(self.model),
            protocol: self.protocol(name).map(str::to_owned),
            properties,
        }
    }

    fn link(&self) -> &'a [u8] {
        self.link.unwrap_or_default()
    }

    /// Whether a part of the link between slashes is like this.
    fn has_part(&self, is: impl Fn(&[u8]) -> bool) -> bool {
        self.link().split(|&byte| byte == b'/').any(is)
    }
}

/// Whether it is this and a number: `ata1`.
fn is_numbered(part: &[u8], prefix: &[u8]) -> bool {
    let number = part.strip_prefix(prefix).unwrap_or_default();
    !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// Without what pads an attribute.
pub(super) fn trimmed(bytes: Option<&[u8]>) -> &[u8] {
    bytes.unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, link: &str) -> Option<Kind> {
        let disk = Disk {
            link: Some(link.as_bytes()),
            ..Disk::default()
        };
        (!disk.is_virtual(name)).then(|| disk.kind(name))
    }

    // Links as the kernel of Debian 13 guests and of a Proxmox VE node showed them.
    #[test]
    fn kinds_of_disks() {
        let pci = "../devices/pci0000:00/0000:00";
        for (name, link, expected) in [
            (
                "sda",
                ":02.0/virtio1/host0/target0:0:0/0:0:0:0/block/sda",
                Kind::Lun,
            ),
            (
                "sdac",
                ":1f.2/ata1/host2/target2:0:0/2:0:0:0/block/sdac",
                Kind::Local("SATA"),
            ),
            (
                "sr0",
                ":1f.2/ata2/host3/target3:0:0/3:0:0:0/block/sr0",
                Kind::Cd,
            ),
            (
                "sdb",
                ":14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
                Kind::Local("USB"),
            ),
            (
                "vda",
                ":01.0/virtio0/block/vda",
                Kind::Local("neither SCSI nor NVMe"),
            ),
            ("nvme0n1", ":02.0/nvme/nvme0/nvme0n1", Kind::Local("PCIe")),
            (
                "sdr",
                ":04.0/host8/port-8:0/end_device-8:0/target8:0:0/8:0:0:0/block/sdr",
                Kind::Lun,
            ),
        ] {
            assert_eq!(
                kind(name, &format!("{pci}{link}")),
                Some(expected),
                "{name}"
            );
        }
        for (name, link, expected) in [
            (
                "sda",
                "platform/host6/session1/target6:0:0/6:0:0:0/block/sda",
                Some(Kind::Lun),
            ),
            (
                "nvme0n1",
                "virtual/nvme-fabrics/ctl/nvme0/nvme0n1",
                Some(Kind::Lun),
            ),
            (
                "nvme1n1",
                "virtual/nvme-subsystem/nvme-subsys1/nvme1n1",
                Some(Kind::NativeNvme),
            ),
            ("loop0", "virtual/block/loop0", None),
            ("zram0", "virtual/block/zram0", None),
            ("rbd0", "rbd/0/block/rbd0", None),
            ("md7", "virtual/block/md7", None),
        ] {
            assert_eq!(
                kind(name, &format!("../devices/{link}")),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn attributes_as_the_kernel_writes_them() {
        let disk = Disk {
            size: Some(b"131072\n"),
            state: Some(b"offline\n"),
            vendor: Some(b"LAB     \n"),
            ..Disk::default()
        };
        assert_eq!(disk.size(), Some(64 * 1024 * 1024));
        assert!(disk.is_offline());
        assert_eq!(
            disk.vendor().map(|vendor| vendor.to_string()),
            Some("LAB".into())
        );
        let odd = Disk {
            size: Some(b"18446744073709551615\n"),
            state: Some(b"running\n"),
            ..Disk::default()
        };
        assert_eq!(odd.size(), None);
        assert!(!odd.is_offline());
        assert!(!Disk::default().is_offline());
    }
}
