//! Which LUNs the cluster's storages use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::cluster::expectations::Storage;
use crate::node::maps::Map;
use crate::node::uses::NodeUses;
use crate::{NodeName, NodeSet, Wwid};

/// A storage that uses a LUN, as `{ storage, how, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageUse {
    /// Its ID.
    pub storage: String,
    /// How it uses the LUN.
    #[serde(flatten)]
    pub how: How,
}

/// How a storage uses a LUN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum How {
    /// Its property `base` is a volume that is the LUN.
    Base,
    /// Its volume group lies on the LUN, as nodes report.
    VolumeGroup {
        /// Name of the group.
        vg: String,
        /// The nodes that report it, of those that the storage is for.
        nodes: NodeSet,
    },
    /// It hands the LUN to guests as it is: an iSCSI storage with content `images`.
    Direct {
        /// IQN of the target.
        target: String,
    },
}

/// How LUNs are reached, as far as the caller knows it: by WWID, the IQNs of the targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach(pub BTreeMap<String, BTreeSet<String>>);

impl Reach {
    /// What a node's maps tell: a path over iSCSI has the IQN of its target.
    pub fn of(maps: &[Map]) -> Self {
        let iqns = |map: &Map| {
            let targets = map.paths().filter_map(|path| path.target_wwnn.as_deref());
            let iqns = targets.filter(|target| target.contains('.'));
            iqns.map(str::to_owned).collect()
        };
        let maps = maps.iter().map(|map| (map.wwid.to_string(), iqns(map)));
        Self(
            maps.filter(|(_, iqns): &(_, BTreeSet<_>)| !iqns.is_empty())
                .collect(),
        )
    }
}

/// The LUN that a volume of a storage is: one of type `multipath` or `iscsi`.
///
/// An iSCSI volume is called `CHANNEL.ID.LUN.NAME`, the name being that of the LUN's link in
/// `/dev/disk/by-id` (pve-storage, ISCSIPlugin.pm): `0.0.0.scsi-3600...`, or `0.0.0.dm-uuid-mpath-3600...` where
/// the LUN had a map already when it was chosen. Of other storages, no volume is a LUN.
pub fn volume_wwid(kind: &str, volume: &str) -> Option<Wwid> {
    match kind {
        "multipath" => Wwid::new(volume).ok(),
        "iscsi" => {
            let mut parts = volume.splitn(4, '.');
            let is_number =
                |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let numbers = parts
                .by_ref()
                .take(3)
                .filter(|part| is_number(part))
                .count();
            let name = parts.next().filter(|_| numbers == 3)?;
            let wwid = name
                .strip_prefix("scsi-")
                .or_else(|| name.strip_prefix("dm-uuid-mpath-"));
            Wwid::new(wwid?).ok()
        }
        _ => None,
    }
}

/// The storages that use each LUN, sorted by their IDs.
///
/// Storages are those of `storage.cfg`. `nodes` are what the nodes have found, and tell which LUN a volume
/// group lies on; a storage that is restricted to some nodes means the groups of these. A disabled storage
/// still owns its LUNs.
pub fn storage_uses(
    storages: &BTreeMap<String, Storage<'_>>,
    nodes: &BTreeMap<&NodeName, &NodeUses>,
    reach: &Reach,
) -> BTreeMap<Wwid, Vec<StorageUse>> {
    let mut found: BTreeMap<Wwid, Vec<StorageUse>> = BTreeMap::new();
    let mut add = |wwid: &Wwid, id: &str, how: How| {
        let storage = id.to_owned();
        found
            .entry(wwid.clone())
            .or_default()
            .push(StorageUse { storage, how });
    };
    let groups = groups(nodes);
    for (id, storage) in storages {
        let kind = storage.kind.as_text();
        let kind = kind.as_deref().unwrap_or_default();
        if kind == "lvm" {
            if let Some(wwid) = base(storages, storage) {
                add(&wwid, id, How::Base);
            }
        }
        if let ("lvm" | "lvmthin", Some(vg)) = (kind, storage.vgname.as_text()) {
            for (wwid, nodes) in on_group(&groups, storage, &vg) {
                let vg = vg.clone().into_owned();
                add(wwid, id, How::VolumeGroup { vg, nodes });
            }
        }
        if let ("iscsi", true, Some(target)) = (
            kind,
            has_images(storage.content.as_ref()),
            storage.target.as_text(),
        ) {
            let is_target = |iqn: &String| iqn.eq_ignore_ascii_case(&target);
            let luns = reach
                .0
                .iter()
                .filter(|(_, iqns)| iqns.iter().any(is_target));
            for (wwid, _) in luns {
                let target = target.clone().into_owned();
                let _ = Wwid::new(wwid).map(|wwid| add(&wwid, id, How::Direct { target }));
            }
        }
    }
    for uses in found.values_mut() {
        // a group on the LUN that is the storage's base is not a second use
        uses.dedup_by(|next, first| next.storage == first.storage && first.how == How::Base);
    }
    found
}

/// The LUN that a storage names as its base.
fn base(storages: &BTreeMap<String, Storage<'_>>, storage: &Storage<'_>) -> Option<Wwid> {
    let base = storage.base.as_text()?;
    let (base, volume) = base.split_once(':')?;
    volume_wwid(&storages.get(base)?.kind.as_text()?, volume)
}

/// By volume group, the LUNs that have it, and the nodes that report this.
type Groups<'n> = HashMap<&'n str, BTreeMap<&'n Wwid, Vec<&'n NodeName>>>;

fn groups<'n>(nodes: &BTreeMap<&'n NodeName, &'n NodeUses>) -> Groups<'n> {
    let mut groups = Groups::new();
    for (node, uses) in nodes {
        for (wwid, uses) in &uses.maps {
            for group in uses.iter().filter_map(|used| used.volume_group()) {
                let luns = groups.entry(group.as_str()).or_default();
                luns.entry(wwid).or_default().push(node);
            }
        }
    }
    groups
}

/// The LUNs that have a volume group, on the nodes of a storage.
fn on_group<'n>(groups: &Groups<'n>, storage: &Storage<'_>, vg: &str) -> Vec<(&'n Wwid, NodeSet)> {
    let is_for = |node: &NodeName| match &storage.nodes {
        Some(nodes) if !nodes.is_empty() => nodes.0.contains(node),
        _ => true,
    };
    let luns = groups.get(vg).into_iter().flatten().map(|(wwid, nodes)| {
        let nodes = nodes.iter().filter(|node| is_for(node));
        (*wwid, nodes.map(|node| (*node).clone()).collect())
    });
    luns.filter(|(_, nodes): &(_, NodeSet)| !nodes.is_empty())
        .collect()
}

/// Whether an iSCSI storage hands its LUNs to guests: it does unless its content is something else (`none`).
fn has_images(content: Option<&NodeSet>) -> bool {
    content.is_none_or(|content| content.is_empty() || content.0.contains("images"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_that_are_luns() {
        for (kind, volume, wwid) in [
            ("multipath", "3600a", Some("3600a")),
            ("multipath", "../x", None),
            ("iscsi", "0.0.0.scsi-36001405aabb", Some("36001405aabb")),
            (
                "iscsi",
                "0.0.12.dm-uuid-mpath-36001405aabb",
                Some("36001405aabb"),
            ),
            (
                "iscsi",
                "0.0.0.scsi-1Linux_scsi.debug",
                Some("1Linux_scsi.debug"),
            ),
            ("iscsi", "0.0.0.wwn-0x6001405aabb", None),
            ("iscsi", "0.0.0.scsi-", None),
            ("iscsi", "0.0.0.scsi-a b", None),
            ("iscsi", "0.0.scsi-36001405aabb", None),
            ("iscsi", "a.0.0.scsi-36001405aabb", None),
            ("iscsi", "..0.scsi-36001405aabb", None),
            ("iscsi", "", None),
            ("iscsidirect", "lun0", None),
            ("lvm", "3600a", None),
        ] {
            let found = volume_wwid(kind, volume);
            assert_eq!(found.as_ref().map(Wwid::as_str), wwid, "{kind} {volume}");
        }
    }

    /// The nodes a and b see LUN 3600c with the volume group data; on b, 3600d has the group of the installer, which
    /// each node has on a disk of its own.
    const NODES: &str = r#"{
        "a": {"maps": {"3600c": [{"code": "volume-group", "vg": "data", "active": 0}], "3600e": [{"code": "swap"}]}},
        "b": {"maps": {"3600c": [{"code": "volume-group", "vg": "data", "active": 1}],
                       "3600d": [{"code": "volume-group", "vg": "pve", "active": 1}]}}
    }"#;

    fn uses(storages: &str) -> String {
        let nodes: BTreeMap<String, NodeUses> = serde_json::from_str(NODES).unwrap();
        let nodes: Vec<_> = nodes
            .into_iter()
            .map(|(node, uses)| (NodeName::new(&node).unwrap(), uses))
            .collect();
        let reach = r#"{"3600f": ["iqn.2001-05.com.example:TGT"], "3600g": ["iqn.other"], "../x": ["iqn.other"]}"#;
        let found = storage_uses(
            &serde_json::from_str(storages).unwrap(),
            &nodes.iter().map(|(node, uses)| (node, uses)).collect(),
            &serde_json::from_str(reach).unwrap(),
        );
        serde_json::to_string(&found).unwrap()
    }

    #[test]
    fn a_base_on_multipath_or_iscsi() {
        assert_eq!(
            uses(
                r#"{"m": {"type": "multipath"}, "i": {"type": "iscsi", "content": "none"},
                    "v1": {"type": "lvm", "base": "m:3600a", "vgname": "x"},
                    "v2": {"type": "lvm", "base": "i:0.0.0.scsi-3600b", "vgname": "y", "disable": 1},
                    "v3": {"type": "lvm", "base": "m:3600c", "vgname": "data"},
                    "v4": {"type": "lvm", "base": "gone:3600a"}, "v5": {"type": "dir", "base": "m:3600a"}}"#
            ),
            r#"{"3600a":[{"storage":"v1","how":"base"}],"3600b":[{"storage":"v2","how":"base"}],"3600c":[{"storage":"v3","how":"base"}]}"#
        );
    }

    #[test]
    fn a_volume_group_that_nodes_report() {
        assert_eq!(
            uses(
                r#"{"s1": {"type": "lvm", "vgname": "data", "shared": 1},
                    "s2": {"type": "lvmthin", "vgname": "data", "thinpool": "p", "nodes": "b,c"},
                    "local": {"type": "lvmthin", "vgname": "pve", "nodes": {"a": 1}},
                    "zfs": {"type": "zfspool", "vgname": "data"}, "none": {"type": "lvm"}}"#
            ),
            r#"{"3600c":[{"storage":"s1","how":"volume-group","vg":"data","nodes":{"a":1,"b":1}},{"storage":"s2","how":"volume-group","vg":"data","nodes":{"b":1}}]}"#
        );
    }

    #[test]
    fn iscsi_used_directly() {
        let target = r#""target": "iqn.2001-05.com.example:tgt""#;
        for (content, used) in [
            ("", true),
            (r#", "content": "images""#, true),
            (r#", "content": {"images": 1}"#, true),
            (r#", "content": "none""#, false),
            (r#", "content": {"none": 1}"#, false),
        ] {
            let found = uses(&format!(
                r#"{{"i": {{"type": "iscsi", {target}{content}}}}}"#
            ));
            let wanted = match used {
                true => {
                    r#"{"3600f":[{"storage":"i","how":"direct","target":"iqn.2001-05.com.example:tgt"}]}"#
                }
                false => "{}",
            };
            assert_eq!(found, wanted, "{content}");
        }
    }
}
