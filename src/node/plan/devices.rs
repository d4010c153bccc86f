//! The block devices of a node, as far as a plan depends on them: which device-mapper names are taken,
//! and whether the paths of a LUN have the same size.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Wwid;
use crate::node::maps::SECTOR_BYTES;
use crate::types::reason::MAX_DEVICES;

/// The udev properties that multipathd takes WWIDs from by default: of SCSI disks, NVMe and DASD.
const WWID_PROPERTIES: [&str; 3] = ["ID_SERIAL", "ID_WWN", "ID_UID"];

/// Block devices as sysfs and udev show them, by kernel name. A device that has vanished is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Devices {
    /// Those of device-mapper.
    pub mapped: BTreeMap<String, Mapped>,
    /// The others; none if they were not looked up.
    pub disks: Option<BTreeMap<String, Disk>>,
}

/// A device of device-mapper, with the contents of its files below `/sys/block/dm-N`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Mapped {
    /// `dm/name`.
    pub name: String,
    /// `dm/uuid`.
    pub uuid: String,
    /// The names in `slaves`: the devices that it consists of. Only needed with [`Devices::disks`].
    pub slaves: Vec<String>,
}

/// A disk, which may be a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Content of `/sys/block/DISK/size`, in sectors of 512 bytes.
    pub size: String,
    /// Content of udev's database, `/run/udev/data/bMAJOR:MINOR`. Only needed for a disk in no map.
    pub udev: Option<String>,
}

/// A LUN with a map whose paths have different sizes. A reconfigure removes the map unless it is in use
/// (libmultipath/configure.c, coalesce_paths).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uneven {
    /// The LUN.
    pub wwid: Wwid,
    /// Its map's name.
    pub name: String,
    /// The sizes of its paths in bytes, by their kernel names.
    pub paths: BTreeMap<String, u64>,
    /// Whether its map is in use, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<bool>,
}

impl Uneven {
    /// Its name and the sizes of its paths, for a message.
    pub(super) fn describe(&self) -> String {
        let path = |(name, size): (&String, &u64)| format!("{name} {size}");
        let mut paths: Vec<String> = self.paths.iter().take(MAX_DEVICES).map(path).collect();
        if self.paths.len() > MAX_DEVICES {
            paths.push("...".to_owned());
        }
        let Self { wwid, name, .. } = self;
        format!("'{name}' (WWID {wwid}, bytes: {})", paths.join(", "))
    }
}

impl Mapped {
    pub(super) fn name(&self) -> &str {
        self.name.trim_end()
    }

    pub(super) fn uuid(&self) -> &str {
        self.uuid.trim_end()
    }

    /// The LUN, if it is a multipath map.
    pub(super) fn wwid(&self) -> Option<&str> {
        self.uuid().strip_prefix("mpath-")
    }
}

impl Disk {
    /// Size in bytes; none for 0, which multipathd does not compare.
    fn size(&self) -> Option<u64> {
        let sectors: u64 = self.size.trim().parse().ok()?;
        sectors.checked_mul(SECTOR_BYTES).filter(|size| *size > 0)
    }

    /// Values that may be its WWID.
    fn wwids(&self) -> impl Iterator<Item = &str> {
        let lines = self.udev.as_deref().unwrap_or_default().lines();
        let properties = lines.filter_map(|line| line.strip_prefix("E:")?.split_once('='));
        properties
            .filter(|(name, _)| WWID_PROPERTIES.contains(name))
            .map(|(_, value)| value)
    }
}

impl Devices {
    /// The disks by the values that may be their WWIDs.
    pub(super) fn disks_by_wwid(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut by_wwid: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, disk) in self.disks.iter().flatten() {
            for wwid in disk.wwids() {
                by_wwid.entry(wwid).or_default().insert(name);
            }
        }
        by_wwid
    }

    /// Those of these LUNs that have a path but no map.
    pub(super) fn without_map<'w>(
        &self,
        wwids: impl Iterator<Item = &'w Wwid>,
    ) -> impl Iterator<Item = &'w Wwid> {
        let disks = self.disks_by_wwid();
        let mapped: BTreeSet<&str> = self.mapped.values().filter_map(Mapped::wwid).collect();
        wwids.filter(move |wwid| {
            disks.contains_key(wwid.as_str()) && !mapped.contains(wwid.as_str())
        })
    }

    /// The LUNs with a map whose paths have different sizes.
    ///
    /// Paths are the devices that the map consists of, and other disks with the LUN's WWID: multipathd
    /// does not add a path of another size to a map, but its next reconfigure sees it.
    pub(super) fn uneven(&self) -> Vec<Uneven> {
        let Some(disks) = &self.disks else {
            return Vec::new();
        };
        let by_wwid = self.disks_by_wwid();
        let uneven = |map: &Mapped| {
            let wwid = Wwid::new(map.wwid()?).ok()?;
            let others = by_wwid.get(wwid.as_str()).into_iter().flatten().copied();
            let names = map.slaves.iter().map(String::as_str).chain(others);
            let paths: BTreeMap<String, u64> = names
                .filter_map(|name| Some((name.to_owned(), disks.get(name)?.size()?)))
                .collect();
            let sizes: BTreeSet<&u64> = paths.values().collect();
            (sizes.len() > 1).then(|| Uneven {
                wwid,
                name: map.name().to_owned(),
                paths,
                used: None,
            })
        };
        self.mapped.values().filter_map(uneven).collect()
    }
}
