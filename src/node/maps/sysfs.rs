//! What sysfs adds to the maps: transports of paths, sizes and use of maps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Map;
use crate::Transport;
use crate::types::reason::Device;

/// Size in bytes of the sectors that sysfs counts in, whatever the device's own sector size is.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// Kernel names of the block devices to look up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WantedDevices {
    /// Paths, `sdX`: the link text of `/sys/block/<path>` is wanted.
    pub paths: Vec<Device>,
    /// Maps, `dm-N`: their size is wanted.
    pub maps: Vec<Device>,
    /// Maps whose holders are wanted.
    pub holders: Vec<Device>,
}

impl WantedDevices {
    /// All devices of these maps, each once, sorted. Names that could lead out of `/sys/block` are
    /// left out.
    pub fn of(maps: &[Map]) -> Self {
        let paths = maps.iter().flat_map(Map::paths);
        let maps = names(kernel_names(maps));
        Self {
            paths: names(paths.map(|path| path.dev.as_str())),
            holders: maps.clone(),
            maps,
        }
    }

    /// The devices that a report of these maps depends on: paths whose transport is not known yet, and
    /// maps for their size.
    pub fn of_report(maps: &[Map]) -> Self {
        let paths = maps.iter().flat_map(Map::paths);
        let unknown = paths.filter(|path| path.transport.is_none());
        Self {
            paths: names(unknown.map(|path| path.dev.as_str())),
            maps: names(kernel_names(maps)),
            holders: Vec::new(),
        }
    }
}

fn kernel_names(maps: &[Map]) -> impl Iterator<Item = &str> {
    let names = maps.iter().map(|map| map.sysfs.as_str());
    names.filter(|name| name.starts_with("dm-"))
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Device> {
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().filter_map(Device::new).collect()
}

/// What was read below `/sys/block`, as it stood there. A device that has vanished is absent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SysfsFacts {
    /// Link text of `/sys/block/<path>`, by the path's kernel name.
    pub links: BTreeMap<String, String>,
    /// Content of `/sys/block/<map>/size`, in sectors of 512 bytes, whatever the device's own sector
    /// size is.
    pub sizes: BTreeMap<String, String>,
    /// Names in `/sys/block/<map>/holders`.
    pub holders: BTreeMap<String, Vec<String>>,
}

impl SysfsFacts {
    /// Adds to the maps what is known of their devices.
    pub(crate) fn complete(&self, maps: &mut [Map]) {
        for map in maps {
            let groups = map.path_groups.iter_mut();
            let paths = groups.flat_map(|group| &mut group.paths);
            for path in paths.filter(|path| path.transport.is_none()) {
                let link = self.links.get(&path.dev);
                path.transport = link.and_then(|link| Transport::from_sysfs_link(link));
            }
            map.transport = map.common_transport();
            map.path = Some(map.wwid.device_path());
            let size = self.sizes.get(&map.sysfs);
            let sectors = size.and_then(|size| size.trim().parse().ok());
            map.size = sectors.and_then(|sectors: u64| sectors.checked_mul(SECTOR_BYTES));
            let holders = self.holders.get(&map.sysfs);
            map.used = holders.map(|names| u8::from(!names.is_empty()));
        }
    }
}
