//! What sysfs tells of the block devices below and of the maps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Map;
use crate::Transport;
use crate::types::reason::Device;

/// Size in bytes of the sectors that sysfs counts in, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

/// Names of block devices to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// Kernel names of paths, `sdX`: the link text of `/sys/block/<name>` is wanted.
    pub paths: Vec<Device>,
    /// Kernel names of maps, `dm-N`: their size and holders are wanted.
    pub maps: Vec<Device>,
}

impl Devices {
    /// The devices of these maps, each once, sorted. Names that could leave `/sys/block` are not
    /// among them.
    pub fn of(maps: &[Map<'_>]) -> Self {
        let names = |list: BTreeSet<&str>| list.into_iter().filter_map(Device::new).collect();
        let paths = maps
            .iter()
            .flat_map(Map::paths)
            .map(|path| path.dev.as_ref());
        let kernel_name = |map: &'_ &Map<'_>| map.sysfs.starts_with("dm-");
        let maps = maps
            .iter()
            .filter(kernel_name)
            .map(|map| map.sysfs.as_ref());
        Self {
            paths: names(paths.collect()),
            maps: names(maps.collect()),
        }
    }
}

/// What was read below `/sys/block`, as it stood there. A device that is gone is just absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BlockDevices {
    /// Link text of `/sys/block/<path>`, by the path's kernel name.
    pub links: BTreeMap<String, String>,
    /// Content of `/sys/block/<map>/size`: 512-byte sectors, whatever the device's own size.
    pub sizes: BTreeMap<String, String>,
    /// Names in `/sys/block/<map>/holders`.
    pub holders: BTreeMap<String, Vec<String>>,
}

impl BlockDevices {
    /// Adds to `map` what is known of its devices.
    pub(super) fn complete(&self, map: &mut Map<'_>) {
        let paths = map
            .path_groups
            .iter_mut()
            .flat_map(|group| &mut group.paths);
        for path in paths.filter(|path| path.transport.is_none()) {
            let link = self.links.get(path.dev.as_ref());
            path.transport = link.and_then(|link| Transport::from_sysfs_link(link));
        }
        map.derive();
        map.path = Some(map.wwid.device_path());
        let sectors = self
            .sizes
            .get(map.sysfs.as_ref())
            .and_then(|size| size.trim().parse().ok());
        map.size = sectors.and_then(|sectors: u64| sectors.checked_mul(SECTOR_BYTES));
        map.used = self
            .holders
            .get(map.sysfs.as_ref())
            .map(|names| u8::from(!names.is_empty()));
    }
}
