//! Whether a node finds its root file system again at boot, where that is on a multipath map.
//!
//! Debian's multipath-tools-boot has a hook for initramfs-tools that copies multipathd's configuration,
//! `/etc/multipath/wwids` and `/etc/multipath/bindings` into the initramfs when that is made. What it has in
//! there is not read: the times of the files tell whether they have changed since.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::uses::{Facts, maps_below};
use crate::Wwid;
use crate::types::label::Label;

/// What is known of the initramfs of the running kernel.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Initramfs {
    /// When it was made, in seconds since the epoch; none if it is not known.
    pub time: Option<i64>,
    /// When the hook of multipath-tools-boot was last changed; none if it is not there.
    pub hook: Option<i64>,
    /// When the files of multipathd's configuration were last changed, by their paths.
    pub files: BTreeMap<String, i64>,
}

/// What may go wrong at the next boot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BootRisk {
    /// The initramfs has no multipath, since multipath-tools-boot is not installed.
    NoHook,
    /// This file has changed since the initramfs was made.
    Changed {
        /// Its path.
        file: Label,
    },
}

/// What may go wrong at the next boot, and the maps that the root file system is on.
///
/// None where the root file system is on no map, or it is not known how the initramfs is made.
pub fn boot_risk(
    facts: &Facts<'_>,
    initramfs: Option<&Initramfs>,
) -> Option<(BTreeSet<Wwid>, BootRisk)> {
    let initramfs = initramfs?;
    let maps = maps_below(facts, b"/");
    if maps.is_empty() {
        return None;
    }
    if initramfs.hook.is_none() {
        return Some((maps, BootRisk::NoHook));
    }
    let made = initramfs.time?;
    let (file, _) = { initramfs.files.iter() }
        .filter(|(_, changed)| **changed > made)
        .max_by_key(|(_, changed)| **changed)?;
    let file = Label::name(file.as_bytes())?;
    Some((maps, BootRisk::Changed { file }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::uses::Block;

    /// The root file system is on pve-root, that on the third partition of a map; /data is on another map.
    fn risk(initramfs: Option<&Initramfs>) -> Option<(Vec<String>, BootRisk)> {
        let block = |uuid, dev, slaves: &[&str]| Block {
            uuid: Some(uuid),
            dev: Some(dev),
            slaves: slaves.iter().map(|&slave| slave.to_owned()).collect(),
            ..Block::default()
        };
        let facts = Facts {
            blocks: [
                (
                    "dm-0",
                    block(&b"mpath-3600a\n"[..], &b"252:0\n"[..], &["sda", "sdb"]),
                ),
                ("dm-1", block(b"part3-mpath-3600a\n", b"252:1\n", &["dm-0"])),
                ("dm-2", block(b"LVM-x\n", b"252:2\n", &["dm-1"])),
                ("dm-3", block(b"mpath-3600b\n", b"252:3\n", &["sdc"])),
            ]
            .map(|(name, block)| (name.to_owned(), block))
            .into(),
            mounts: Some(
                b"1 0 252:2 / / rw - ext4 /dev/mapper/pve-root rw\n\
                2 1 252:3 / /data rw - ext4 /dev/mapper/b rw\n",
            ),
            ..Facts::default()
        };
        let (maps, risk) = boot_risk(&facts, initramfs)?;
        Some((maps.iter().map(ToString::to_string).collect(), risk))
    }

    #[test]
    fn the_initramfs_may_not_know_the_map_of_the_root() {
        assert_eq!(risk(None), None);
        let mut initramfs = Initramfs {
            time: Some(1000),
            ..Initramfs::default()
        };
        let root = vec!["3600a".to_owned()];
        assert_eq!(
            risk(Some(&initramfs)),
            Some((root.clone(), BootRisk::NoHook))
        );
        initramfs.hook = Some(1);
        assert_eq!(risk(Some(&initramfs)), None);
        let files = [("/etc/multipath/wwids", 1000), ("/etc/multipath.conf", 900)];
        initramfs.files = files.map(|(file, time)| (file.to_owned(), time)).into();
        assert_eq!(risk(Some(&initramfs)), None);
        initramfs
            .files
            .insert("/etc/multipath/wwids".to_owned(), 1001);
        let file = Label::name(b"/etc/multipath/wwids").unwrap();
        assert_eq!(
            risk(Some(&initramfs)),
            Some((root, BootRisk::Changed { file }))
        );
        initramfs.time = None;
        assert_eq!(risk(Some(&initramfs)), None);
    }
}
