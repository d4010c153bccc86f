//! Which nodes should carry which LUN, from the storage configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::uses::volume_wwid;
use crate::wire::scalar::Scalar;
use crate::{NodeName, NodeSet, Wwid};

/// A section of `/etc/pve/storage.cfg`: the properties from which expectations follow.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Storage<'a> {
    /// Type of the storage; those other than `multipath`, `lvm`, `lvmthin` and `iscsi` are ignored.
    #[serde(borrow, rename = "type")]
    pub kind: Scalar<'a>,
    /// The nodes that the storage is restricted to; none or empty means all nodes.
    pub nodes: Option<NodeSet>,
    /// Whether the storage is disabled.
    #[serde(borrow)]
    pub disable: Scalar<'a>,
    /// Volume that holds the volume group, `<storage>:<volume>`.
    #[serde(borrow)]
    pub base: Scalar<'a>,
    /// Volume group of a storage of type `lvm` or `lvmthin`.
    #[serde(borrow)]
    pub vgname: Scalar<'a>,
    /// IQN of an iSCSI storage.
    #[serde(borrow)]
    pub target: Scalar<'a>,
    /// What the storage is for, words such as `images`. They come in the same forms as names of nodes.
    pub content: Option<NodeSet>,
}

impl Storage<'_> {
    /// Whether it is disabled. For a boolean, PVE::JSONSchema accepts words as well, in upper or lower
    /// case, and does not convert them.
    fn is_disabled(&self) -> bool {
        let word = self.disable.as_str().unwrap_or_default();
        let no = ["no", "off", "false"]
            .iter()
            .any(|no| word.eq_ignore_ascii_case(no));
        self.disable.is_true() && !no
    }
}

/// Which nodes should carry which LUN, and which storages use it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expectations {
    /// By WWID, the storage that uses the LUN; of several, the first by name.
    pub consumers: BTreeMap<String, String>,
    /// By WWID, all storages that use the LUN, sorted by name.
    pub consumers_all: BTreeMap<String, Vec<String>>,
    /// By WWID, the nodes that should carry the LUN because a storage there uses it.
    pub wwid_nodes: BTreeMap<String, NodeSet>,
    /// The nodes that should carry every allow-listed LUN that is not in `wwid_nodes`.
    pub nodes: NodeSet,
}

impl Expectations {
    /// Whether the storages expect one of these LUNs on a node. A LUN that no storage expects anywhere is
    /// expected on the nodes that report maps; a node without multipath-tools is not one of them.
    pub fn expect_any<'w>(
        &self,
        node: &NodeName,
        wwids: impl IntoIterator<Item = &'w Wwid>,
    ) -> bool {
        wwids.into_iter().any(|wwid| {
            let own = self.wwid_nodes.get(wwid.as_str());
            own.unwrap_or(&self.nodes).0.contains(node)
        })
    }
}

/// Derives the expectations from the storages by their IDs.
///
/// A storage without `nodes` is on `all_nodes`. The LUNs are expected on the nodes of all storages of type
/// `multipath` that are not disabled. A storage of type `lvm` whose base is a volume of a multipath storage,
/// or of an iSCSI one, uses that LUN, which is then expected on the nodes that both storages are on. A
/// disabled consumer still uses the LUN, but expects it nowhere.
pub fn storage_expectations(
    storages: &BTreeMap<String, Storage<'_>>,
    all_nodes: &NodeSet,
) -> Expectations {
    let nodes_of = |storage: &Storage<'_>| match &storage.nodes {
        Some(nodes) if !nodes.is_empty() => nodes.clone(),
        _ => all_nodes.clone(),
    };
    let is = |storage: &Storage<'_>, kind| storage.kind.as_text().as_deref() == Some(kind);

    let mut expectations = Expectations::default();
    let bases = |kind: &'static str| {
        let storages = storages
            .iter()
            .filter(move |(_, storage)| is(storage, kind));
        storages.map(move |(id, storage)| {
            let nodes = match storage.is_disabled() {
                true => NodeSet::default(),
                false => nodes_of(storage),
            };
            (id.as_str(), (kind, nodes))
        })
    };
    for (_, (_, nodes)) in bases("multipath") {
        expectations.nodes.0.extend(nodes.0);
    }
    let bases: BTreeMap<&str, (&str, NodeSet)> = bases("multipath").chain(bases("iscsi")).collect();
    for (id, storage) in storages.iter().filter(|(_, storage)| is(storage, "lvm")) {
        let base = storage.base.as_text();
        let Some((base, volume)) = base.as_deref().and_then(|base| base.split_once(':')) else {
            continue;
        };
        let Some((kind, base_nodes)) = bases.get(base) else {
            continue;
        };
        let Some(wwid) = volume_wwid(kind, volume) else {
            continue;
        };
        let wwid = wwid.to_string();
        expectations
            .consumers
            .entry(wwid.clone())
            .or_insert_with(|| id.clone());
        expectations
            .consumers_all
            .entry(wwid.clone())
            .or_default()
            .push(id.clone());
        let nodes = nodes_of(storage).intersection(base_nodes);
        if !storage.is_disabled() && !nodes.is_empty() {
            let known: &mut BTreeSet<_> = &mut expectations.wwid_nodes.entry(wwid).or_default().0;
            known.extend(nodes.0);
        }
    }
    expectations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectations(storages: &str) -> String {
        let storages = serde_json::from_str(storages).unwrap();
        let nodes = NodeSet::from_names(["a", "b", "c"]);
        serde_json::to_string(&storage_expectations(&storages, &nodes)).unwrap_or_default()
    }

    #[test]
    fn a_multipath_storage_is_expected_on_its_nodes() {
        assert_eq!(
            expectations(
                r#"{"m1": {"type": "multipath", "nodes": "a"},
                    "m2": {"type": "multipath", "nodes": {"b": 1}},
                    "off": {"type": "multipath", "disable": 1},
                    "dir": {"type": "dir", "base": "m1:3600"}}"#
            ),
            r#"{"consumers":{},"consumers-all":{},"wwid-nodes":{},"nodes":{"a":1,"b":1}}"#
        );
        assert_eq!(
            expectations(r#"{"m": {"type": "multipath", "disable": "0"}}"#),
            r#"{"consumers":{},"consumers-all":{},"wwid-nodes":{},"nodes":{"a":1,"b":1,"c":1}}"#
        );
    }

    /// As PVE::Storage::config() returns them, and as they are written in the file.
    #[test]
    fn all_forms_of_nodes_and_disable() {
        for (nodes, wanted) in [
            (r#""a""#, r#"{"a":1}"#),
            (r#""a,b""#, r#"{"a":1,"b":1}"#),
            (r#"" a; b\t,c ""#, r#"{"a":1,"b":1,"c":1}"#),
            (r#""a\u0000c""#, r#"{"a":1,"c":1}"#),
            (r#"{"a": 1, "b": "1"}"#, r#"{"a":1,"b":1}"#),
            (r#"["b", "b"]"#, r#"{"b":1}"#),
            (r#""""#, r#"{"a":1,"b":1,"c":1}"#),
            ("{}", r#"{"a":1,"b":1,"c":1}"#),
            ("null", r#"{"a":1,"b":1,"c":1}"#),
        ] {
            let storages = format!(r#"{{"m": {{"type": "multipath", "nodes": {nodes}}}}}"#);
            let wanted = format!(r#""nodes":{wanted}}}"#);
            let expectations = expectations(&storages);
            assert!(expectations.ends_with(&wanted), "{nodes}: {expectations}");
        }
        for (disable, disabled) in [
            ("1", true),
            (r#""1""#, true),
            (r#""yes""#, true),
            (r#""On""#, true),
            ("true", true),
            ("0", false),
            (r#""0""#, false),
            (r#""no""#, false),
            (r#""Off""#, false),
            (r#""FALSE""#, false),
            (r#""""#, false),
            ("null", false),
        ] {
            let storages = format!(r#"{{"m": {{"type": "multipath", "disable": {disable}}}}}"#);
            let none = expectations(&storages).ends_with(r#""nodes":{}}"#);
            assert_eq!(none, disabled, "{disable}");
        }
    }

    #[test]
    fn a_node_that_should_carry_a_lun() {
        let storages = r#"{"m": {"type": "multipath", "nodes": "a,b"},
                           "vg": {"type": "lvm", "base": "m:3600", "nodes": "b"}}"#;
        let storages = serde_json::from_str(storages).unwrap();
        let nodes = NodeSet::from_names(["a", "b", "c"]);
        let expectations = storage_expectations(&storages, &nodes);
        let expected = |node: &str, wwids: &[&str]| {
            let wwids: Vec<_> = wwids.iter().flat_map(|wwid| Wwid::new(wwid)).collect();
            let node = NodeName::new(node);
            node.is_ok_and(|node| expectations.expect_any(&node, &wwids))
        };
        assert!(!expected("a", &["3600"]) && expected("b", &["3600"]));
        assert!(expected("a", &["3600", "3601"]) && !expected("c", &["3600", "3601"]));
        assert!(!expected("a", &[]));
        // Without storages, nothing is expected on a node without SAN.
        let nowhere = Expectations::default();
        let all = [Wwid::new("3600").unwrap()];
        assert!(NodeName::new("c").is_ok_and(|node| !nowhere.expect_any(&node, &all)));
    }

    #[test]
    fn a_base_on_an_iscsi_storage() {
        assert_eq!(
            expectations(
                r#"{"i": {"type": "iscsi", "nodes": "a,b"},
                    "vg1": {"type": "lvm", "base": "i:0.0.0.scsi-3600", "nodes": "b,c"},
                    "vg2": {"type": "lvm", "base": "i:0.0.1.dm-uuid-mpath-3601", "disable": 1},
                    "vg3": {"type": "lvm", "base": "i:3602"}}"#
            ),
            "{\"consumers\":{\"3600\":\"vg1\",\"3601\":\"vg2\"},\
              \"consumers-all\":{\"3600\":[\"vg1\"],\"3601\":[\"vg2\"]},\
              \"wwid-nodes\":{\"3600\":{\"b\":1}},\"nodes\":{}}"
        );
    }

    #[test]
    fn consumers_narrow_the_nodes_down() {
        assert_eq!(
            expectations(
                r#"{"m": {"type": "multipath", "nodes": "a,b"},
                    "vg2": {"type": "lvm", "base": "m:3600", "nodes": "b,c"},
                    "vg1": {"type": "lvm", "base": "m:3600", "nodes": "c", "disable": 1},
                    "vg3": {"type": "lvm", "base": "m:3601", "disable": "1"},
                    "vg4": {"type": "lvm", "base": "m:3602"},
                    "vg5": {"type": "lvm", "base": "other:3603"},
                    "vg6": {"type": "lvm", "base": "m:../x"},
                    "vg7": {"type": "lvm"}}"#
            ),
            "{\"consumers\":{\"3600\":\"vg1\",\"3601\":\"vg3\",\"3602\":\"vg4\"},\
              \"consumers-all\":{\"3600\":[\"vg1\",\"vg2\"],\"3601\":[\"vg3\"],\"3602\":[\"vg4\"]},\
              \"wwid-nodes\":{\"3600\":{\"b\":1},\"3602\":{\"a\":1,\"b\":1}},\
              \"nodes\":{\"a\":1,\"b\":1}}"
        );
    }
}
